"""Every kernel under compute-sanitizer's memcheck: reads and writes beyond the end of arrays."""

from __future__ import annotations

from tools.gpu_check.small import SANITIZER, TABLES, every_kernel, read_summary
from tools.gpu_check.step import Step

STEP = Step("AB", order=90, limit=70, least=25, under=(*SANITIZER, "memcheck"), read=read_summary)
run = every_kernel

__all__ = ["STEP", "TABLES", "run"]
