"""Every kernel under compute-sanitizer's memcheck: reads and writes beyond the end of arrays."""

from __future__ import annotations

from tools.gpu_check.small import SANITIZER, TABLES
from tools.gpu_check.small import every_kernel as run
from tools.gpu_check.small import read_summary as read
from tools.gpu_check.step import Step

STEP = Step("AB", order=90, limit=70, least=25, under=(*SANITIZER, "memcheck"))

__all__ = ["STEP", "TABLES", "read", "run"]
