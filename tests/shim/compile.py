"""Kernels compiled for real GPUs where there is none, as they are where there is one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from runkit.nvrtc import machine_code

ARCHITECTURES = ("sm_80", "sm_90")  # A100; H100 and H200
NEWER = ("sm_100", "sm_120")  # B200; RTX PRO 6000
USE = re.compile(r"entry function '(\w+)'.*?(\d+) bytes spill stores.*?Used (\d+) registers(.*?)\n", re.DOTALL)
SHARED = re.compile(r"(\d+) bytes smem")


def is_known(architecture: str) -> bool:
    """Whether the compiler here makes machine code for it."""
    from cupy.cuda import nvrtc

    return int(architecture.removeprefix("sm_")) in nvrtc.getSupportedArchs()


class Use(NamedTuple):
    """What a thread of a kernel takes: registers, and bytes that found no place in them; of a block, bytes of shared
    memory beside those that a launch asks for."""

    registers: int
    spilled: int
    shared: int


def resources(source: str, architecture: str, options: Sequence[str] = ()) -> dict[str, Use]:
    """What each kernel of `source` takes; raises RuntimeError with the compiler's words."""
    log = machine_code(source, architecture, (*options, "--ptxas-options=-v"))[1]
    return {
        name: Use(int(registers), int(spilled), sum(map(int, SHARED.findall(rest))))
        for name, spilled, registers, rest in USE.findall(log)
    }
