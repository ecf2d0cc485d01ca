"""Files of `tests/gpu` as steps: how many tests passed, and which did not."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

from tools.gpu_check.step import Bench, Table

ROOT = Path(__file__).parents[2]
COLUMNS = {"file": "tests", "passed": "passed", "failed": "failed", "skipped": "skipped", "which": "which failed"}
TABLES = {"": Table("validation", "Tests on a GPU", COLUMNS)}


def run_tests(bench: Bench, file: str, n_processes: int) -> None:
    """Run a file of tests; those of a tiny bench skip themselves, for want of a GPU."""
    with TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", file]
        if n_processes > 1 and find_spec("xdist") and not bench.tiny:
            command += ["-n", str(n_processes), "--maxfail=20"]
        if find_spec("pytest_timeout"):
            command += ["--timeout=120"]
        subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL)  # killed with this process, whose group it is in
        figures = read_report(report)
    bench.record(file=file, **figures)
    if figures["failed"] or not (figures["passed"] or bench.tiny):
        sys.exit(f"{file}: {figures['failed']} failed, {figures['passed']} passed")


def read_report(path: Path) -> dict:
    """Figures of pytest's report; raises FileNotFoundError if there is none."""
    cases = list(ElementTree.parse(path).iter("testcase"))
    failed = [
        case.get("name", "") for case in cases if case.find("failure") is not None or case.find("error") is not None
    ]
    skipped = sum(case.find("skipped") is not None for case in cases)
    return {
        "passed": len(cases) - len(failed) - skipped,
        "failed": len(failed),
        "skipped": skipped,
        "which": ", ".join(failed[:5]) or "-",
    }
