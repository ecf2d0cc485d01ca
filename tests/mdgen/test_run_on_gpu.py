"""A whole run on a GPU (a stand-in for one) leaves the file that the CPU leaves."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from mdgen import production, run
from mdgen.config import RunConfig
from mdgen.gpu_engine import GpuEngine
from mdgen.run import generate
from mdgen.trajectory import Checkpoint
from runkit.checkpoint import load_arrays, save_arrays
from runkit.dataset.check import check
from runkit.dataset.reader import Dataset
from runkit.dataset.schema import COMPLETE, FAILED
from runkit.mpi import SerialWorld
from tests.files import arrays, assert_same
from tests.shim import StandIn

CASE = {
    "seed": 3,
    "replicas_per_gpu": 4,
    "checkpoint_seconds": 0,
    "system": {"n_particles": 160, "temperature": 1.0},
    "initial": {"melt_time": 0.2, "cooling_time": 0.3, "hold_time": 0.3},
    "production": {"n_samples": 2, "n_replicas": 5, "times": (0.05, 0.4)},
}

KILLED = 7  # exit code


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Run a case on a device, write its file and give its path."""

    def on(gpu, name: str, **changes) -> Path:
        monkeypatch.setattr(run, "choose", lambda world, wanted: gpu)
        path = tmp_path / f"{name}.h5"
        generate(SerialWorld(), RunConfig(**{**CASE, **changes, "output": str(path)}))
        return path

    return on


@pytest.fixture
def group_sizes(monkeypatch):
    """Sizes of the groups that are advanced."""
    sizes = []
    begin = GpuEngine.begin
    monkeypatch.setattr(
        GpuEngine, "begin", lambda engine, *args: (sizes.append(engine._ensemble.shape[0]), begin(engine, *args))
    )
    return sizes


@pytest.mark.parametrize("changes", [{}, {"integrator": {"precision": "float64"}}], ids=["float32", "float64"])
def test_the_file_is_the_same_byte_for_byte(make, group_sizes, changes):
    """Two samples are cooled together; their ten replicas advance together, in even groups that cut across samples."""
    cpu = make(None, "cpu", **changes)
    assert not group_sizes
    gpu = make(StandIn(), "gpu", **changes)
    assert set(group_sizes) == {2, 3, 4} and group_sizes[-1] == 4
    assert_same(cpu, gpu)
    assert check(gpu).good


def test_snapshots_are_written_while_the_next_steps_are_under_way(make, monkeypatch):
    """Where no checkpoint is due: steps are asked for, then what was reached before is written, then they are awaited.
    Each of two groups has two snapshots."""
    done = []
    for owner, name in ((GpuEngine, "begin"), (production, "_write_snapshot"), (GpuEngine, "finish")):
        call = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *args, name=name, call=call: (done.append(name), call(*args))[1])
    cpu, gpu = (make(device, name, checkpoint_seconds=300) for name, device in (("cpu", None), ("gpu", StandIn())))
    steps = done[-12:]
    assert steps[:6] == steps[6:] == ["begin", "finish", "begin", "_write_snapshot", "finish", "_write_snapshot"]
    assert_same(cpu, gpu)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_all_kernels_are_compiled_before_work_is_shared_out(make, monkeypatch, precision):
    """Ranks need not compile the same side by side."""
    device, done = StandIn(), []
    for owner, name in ((device, "compile"), (run, "equilibrate")):
        call = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *args, name=name, call=call: (done.append(name), call(*args))[1])
    make(device, "gpu", integrator={"precision": precision}, production=CASE["production"] | {"times": (0.02,)})
    n_modules = {"float32": 3, "float64": 2}[precision]
    assert done == ["compile"] * n_modules + ["equilibrate"]


def test_large_systems_and_other_thermostats_too(make):
    """Blocks that hold no replica; Nosé–Hoover chains."""
    initial = CASE["initial"] | {"thermostat": "nose-hoover"}
    assert_same(make(None, "cpu", initial=initial), make(StandIn(shared_bytes=1000), "gpu", initial=initial))


@pytest.mark.parametrize("checkpoint_seconds", [0, 300])
def test_a_run_may_go_on_elsewhere(make, monkeypatch, checkpoint_seconds):
    """Begun on a GPU, dead after its first snapshots, finished on the CPU: the same file. Also if it dies while steps
    are under way."""
    whole, write = make(None, "whole"), production._write_snapshot

    def write_and_die(*arguments):
        write(*arguments)
        monkeypatch.setattr(production, "_write_snapshot", lambda *_: os._exit(KILLED))

    child = os.fork()
    if not child:
        monkeypatch.setattr(production, "_write_snapshot", write_and_die)
        make(StandIn(), "moved", checkpoint_seconds=checkpoint_seconds)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == KILLED
    assert_same(whole, make(None, "moved", device="cpu", replicas_per_gpu=7))


def in_two_runs(make, monkeypatch, between) -> Path:
    """A run that dies after its first checkpoint of a melt, and another that finishes it."""
    child = os.fork()
    if not child:
        save = Checkpoint.save
        monkeypatch.setattr(Checkpoint, "save", lambda *args: (save(*args), os._exit(KILLED)))
        make(None, "resumed")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == KILLED
    between()
    return make(None, "resumed")


def test_a_checkpoint_of_another_form_starts_its_unit_anew_and_says_so(make, monkeypatch, tmp_path, capfd):
    """As versions wrote it whose thermostat had one stream of numbers; the file is that of an undisturbed run."""
    whole = make(None, "whole")

    def change() -> None:
        (path,) = (tmp_path / "resumed.h5.checkpoints").glob("equilibrate-*.npz")
        arrays = load_arrays(path)
        assert int(arrays["n_blocks"]) == 1 and arrays["normal"].shape == arrays.pop("chi_square").shape
        save_arrays(path, **arrays, random=arrays.pop("normal"))

    assert_same(whole, in_two_runs(make, monkeypatch, change))
    told = [line for line in capfd.readouterr().out.splitlines() if line.startswith("note: checkpoint")]
    assert len(told) == 1 and "equilibrate-00000.npz" in told[0] and "anew" in told[0]


def test_a_checkpoint_of_many_replicas_asks_the_device_once(make, monkeypatch):
    """Not once for each of them: there may be hundreds."""
    asked, save, array = [], Checkpoint.save, GpuEngine.array

    def count(checkpoint, *arguments):
        with monkeypatch.context() as patch:
            patch.setattr(GpuEngine, "array", lambda engine, name: (names.append(name), array(engine, name))[1])
            names: list[str] = []
            n_blocks = save(checkpoint, *arguments)
        asked.append((len(checkpoint._names), names))
        return n_blocks

    monkeypatch.setattr(Checkpoint, "save", count)
    make(StandIn(), "gpu")
    assert max(n for n, _ in asked) == CASE["replicas_per_gpu"]
    assert all(names == ["position", "velocity"] for _, names in asked)


def test_a_melt_goes_on_where_it_rested(make, monkeypatch, capfd):
    assert_same(make(None, "whole"), in_two_runs(make, monkeypatch, lambda: None))
    assert "anew" not in capfd.readouterr().out


def test_what_blows_up_is_marked_and_the_others_go_on(make, tmp_path):
    """Two particles of a given configuration almost on one another: that sample fails, as on the CPU."""
    lattice = np.stack(np.meshgrid(*[np.arange(6)] * 3, indexing="ij"), -1).reshape(-1, 3) * 1.0
    for name, overlap in (("bad", True), ("good", False)):
        position = lattice + np.random.default_rng(1).normal(0, 0.02, lattice.shape)
        if overlap:
            position[1] = position[0] + [1e-4, 0, 0]
        np.savez(tmp_path / f"{name}.npz", initial_positions=position, types=np.zeros(216, int), box=6.0)
    files = tuple(str(tmp_path / f"{name}.npz") for name in ("bad", "good"))
    production = CASE["production"] | {"times": (0.05,)}
    case = {"system": {"temperature": 1.0}, "initial": {"file": files}, "production": production}
    cpu, gpu = make(None, "cpu", **case), make(StandIn(), "gpu", **case)
    for path in (cpu, gpu):
        with Dataset(path) as file:
            assert file["labelled"][...].tolist() == [FAILED, COMPLETE]
    assert arrays(cpu)["failure"].tobytes() == arrays(gpu)["failure"].tobytes()
