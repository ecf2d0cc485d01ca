"""Every kernel under compute-sanitizer's racecheck: races in shared memory."""

from __future__ import annotations

from tools.gpu_check.small import SANITIZER, TABLES, every_kernel, read_summary
from tools.gpu_check.step import Step

STEP = Step("AB", order=91, limit=70, least=25, under=(*SANITIZER, "racecheck"), read=read_summary)
run = every_kernel

__all__ = ["STEP", "TABLES", "run"]
