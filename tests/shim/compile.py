"""Kernels compiled for real GPUs where there is none, by the compiler that CuPy would use."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from runkit.device import STRICT

ARCHITECTURES = ("sm_80", "sm_90")  # A100; H100 and H200
USE = re.compile(r"entry function '(\w+)'.*?(\d+) bytes spill stores.*?Used (\d+) registers", re.DOTALL)


class Use(NamedTuple):
    """What a thread of a kernel takes: registers, and bytes that found no place in them."""

    registers: int
    spilled: int


def machine_code(source: str, architecture: str, options: Sequence[str] = ()) -> bytes:
    """The kernels of `source` for `architecture`; raises RuntimeError with the compiler's words."""
    return _compile(source, architecture, options)[0]


def resources(source: str, architecture: str, options: Sequence[str] = ()) -> dict[str, Use]:
    """What each kernel of `source` takes; raises RuntimeError with the compiler's words."""
    log = _compile(source, architecture, (*options, "--ptxas-options=-v"))[1]
    return {name: Use(int(registers), int(spilled)) for name, spilled, registers in USE.findall(log)}


def _compile(source: str, architecture: str, options: Sequence[str]) -> tuple[bytes, str]:
    """Machine code and the compiler's log."""
    from cupy_backends.cuda.libs import nvrtc

    program = nvrtc.createProgram(source, "kernels.cu", [], [])
    try:
        nvrtc.compileProgram(program, (f"--gpu-architecture={architecture}", *STRICT, *options))
        return nvrtc.getCUBIN(program), nvrtc.getProgramLog(program)
    except nvrtc.NVRTCError as error:
        raise RuntimeError(nvrtc.getProgramLog(program)) from error
    finally:
        nvrtc.destroyProgram(program)
