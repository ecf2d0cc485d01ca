"""Short runs of `dtrain` by DeepSpeed on files made here: a whole step beside the bare one, and the wait for data."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.gpu_check.generating import generate
from tools.gpu_check.step import Bench, Step, Table
from tools.gpu_check.steps.end_to_end import TINY

STEP = Step("B", order=30, limit=100, least=40)
COLUMNS = {
    "recipe": "recipe",
    "settings": "settings",
    "phase": "phase",
    "step_ms": "a step, ms",
    "waited": "share waiting for data",
    "wall_s": "wall time of the run, s",
}
TABLES = {"": Table("performance", "Training runs on a GPU", COLUMNS)}
ROOT = Path(__file__).parents[3]
FLOW_EPOCHS = {"one": 0.5, "two": 0.3, "calm": 0.1, "own": 0.1}
RUNS: tuple[tuple[str, str, list[str]], ...] = (
    ("mdgen", "botan", ["phase.joint.epochs=6"]),
    ("mdgen", "glass", []),
    ("lbmgen", "flow_cnn", ["phase.frames.epochs=0.5", "phase.rollouts.epochs=0.2"]),
    ("lbmgen", "flow", [f"phase.{name}.epochs={epochs}" for name, epochs in FLOW_EPOCHS.items()]),
)
SMALL_RUNS = (
    (
        "mdgen",
        "botan",
        ["phase.joint.epochs=1", "batch=1", "data.time=0", "model.parameters={width=4,rounds=1}", "validate_every=9"],
    ),
)
SMALL = {"mdgen": [*TINY["mdgen"], "production.n_samples=3"]}
GENERATED = {"lbmgen": ["n_cases=64"]}


def run(bench: Bench) -> None:
    with TemporaryDirectory(prefix="gpu-check-") as name:
        folder = Path(name)
        for program, recipe, settings in bench.size(RUNS, SMALL_RUNS):
            file = folder / f"{program}.h5"
            if not file.exists():
                generate(program, file, bench.device, bench.size(GENERATED, SMALL).get(program, []))
            bench.attempt(recipe, _train, bench, recipe, [f"data.file={file}", *settings], folder)


def _train(bench: Bench, recipe: str, settings: list[str], folder: Path) -> None:
    device = bench.size("gpu", "cpu")
    words = [f"output={folder / 'runs'}", f"name={recipe}", f"device={device}", *settings]
    command = [sys.executable, "dtrain/train.py", f"dtrain/recipes/{recipe}.toml", *words]
    began = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    wall = time.perf_counter() - began
    print(done.stdout[-2000:], done.stderr[-3000:])
    if done.returncode:
        raise RuntimeError(done.stderr.strip()[-300:])
    summary = json.loads((folder / "runs" / recipe / "summary.json").read_text())
    shown = " ".join(word for word in settings if not word.startswith("data.file"))
    for phase, pace in summary.get("pace", {"all": {}}).items():
        bench.record(recipe=recipe, settings=shown, phase=phase, wall_s=wall, **pace)
