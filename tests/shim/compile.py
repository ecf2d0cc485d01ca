"""Kernels compiled for real GPUs where there is none, as they are where there is one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from runkit.nvrtc import machine_code

ARCHITECTURES = ("sm_80", "sm_90")  # A100; H100 and H200
USE = re.compile(r"entry function '(\w+)'.*?(\d+) bytes spill stores.*?Used (\d+) registers", re.DOTALL)


class Use(NamedTuple):
    """What a thread of a kernel takes: registers, and bytes that found no place in them."""

    registers: int
    spilled: int


def resources(source: str, architecture: str, options: Sequence[str] = ()) -> dict[str, Use]:
    """What each kernel of `source` takes; raises RuntimeError with the compiler's words."""
    log = machine_code(source, architecture, (*options, "--ptxas-options=-v"))[1]
    return {name: Use(int(registers), int(spilled)) for name, spilled, registers in USE.findall(log)}
