"""The benchmarks, with stand-ins for LAMMPS and for a GPU."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mdgen.api import evaluate
from mdgen.initial import melt
from mdgen.velocities import maxwell_velocities
from runkit.errors import UserError
from tests.shim import StandIn
from tools.benchmarks import lammps, lbm_gpu, md, md_gpu
from tools.benchmarks.table import Row, show

START = melt(256, (0.8, 0.2), 1.2, 1, 0)


@pytest.fixture
def stand_in(tmp_path) -> Path:
    """An executable that reports 50 % of 2 seconds for its last run, and fails without `lj/cut/opt` in its input."""
    path = tmp_path / "lmp"
    lines = ["#!/bin/sh", "grep -q 'lj/cut/opt' \"$2\" && grep -q 'neighbor 0.2 bin' \"$2\" || exit 1"]
    for seconds in (7, 2):
        lines += [f"echo 'Loop time of {seconds} on 1 procs for 600 steps with 256 atoms'", "echo '50.0% CPU use'"]
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o755)
    return path


def test_the_rate_of_the_peer_is_that_of_its_last_run_in_processor_time(stand_in):
    velocity = maxwell_velocities(256, 0.44, 1, 0)
    assert lammps.rate(stand_in, START, velocity, md.LAW, 0.005, 600) == pytest.approx(256 * 600 / 1e6)


def test_a_path_without_program_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"--lammps .*nothing"):
        lammps.find(str(tmp_path / "nothing"))


def test_cases_are_measured_and_replicas_aged_once(stand_in, tmp_path, capsys):
    """One system, replicas together, aged ones; the aged state is kept and read again."""
    arguments = SimpleNamespace(
        lammps=str(stand_in), start=None, temperature=0.44, replicas=8, age=0.05, aged=tmp_path / "aged.npz", turns=1,
        ranks=1, precision="float32",
    )  # fmt: skip
    cases = list(md._cases(arguments, START))
    assert [target for _, target, *_ in cases] == [1, 4, 4]
    assert np.array_equal(cases[1][2][3], START.position)
    assert np.abs(cases[2][2] - cases[1][2]).max() > 0.01
    assert np.array_equal(list(md._cases(arguments, START))[2][2], cases[2][2])
    ours, peer, limit = md._turn(min(os.sched_getaffinity(0)), (START, *cases[1][2:], stand_in, arguments))
    assert 0 < ours < limit and peer == pytest.approx(256 * 600 / 1e6)


def test_batches_on_a_gpu_are_measured_beside_openmm(tmp_path, capsys, monkeypatch):
    """A stand-in for the GPU and for the Python that has OpenMM: a table with a row for each case."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 2e6\n")
    python.chmod(0o755)
    monkeypatch.setattr(md_gpu, "CASES", ((3, (1, 1, 1), 1000), (1, (2, 1, 1), 0)))
    monkeypatch.setattr(md_gpu, "COPIED", 1 << 10)
    arguments = SimpleNamespace(
        turns=2, steps=4, temperature=0.44, precision="float32", openmm=str(python), platform="CUDA"
    )
    md_gpu.run(arguments, StandIn(), START, md.LAW)
    *_, one, two = capsys.readouterr().out.splitlines()
    for row, case in ((one, "3 replicas of 256"), (two, "1 replicas of 512")):
        name, ours, peer, ratio, *_ = (cell.strip() for cell in row.strip("| ").split("|"))
        assert name == case and float(ours) > 0 and float(peer) == 2
        assert float(ratio) == pytest.approx(float(ours) / 2, abs=0.01)


def test_a_tiled_configuration_has_the_energy_of_its_tiles():
    tiled = md_gpu.tiled(START, (2, 1, 3))
    one, all_of_them = (evaluate(each.position, each.species, each.box, md.LAW).energy for each in (START, tiled))
    assert all_of_them == pytest.approx(6 * one, rel=1e-12)


def test_the_table_shows_medians_and_the_range_of_the_ratio():
    text = show([Row("cage", [8.0, 9.0, 10.0], [2.0, 3.0, 2.0], 18.0, 4)], "M/s", "LAMMPS")
    assert [cell.strip() for cell in text.splitlines()[2].strip("| ").split("|")] == [
        "cage", "9.00", "2.00", "4.00", "3.00-5.00", "4", "18.0", "0.50"
    ]  # fmt: skip


def test_flow_on_a_gpu_is_measured_beside_its_memory(capsys):
    """Batches past cylinders of their own, and a periodic box; the last column is the ratio of the two before."""
    tasks = (lbm_gpu.Task("D2Q9", (32, 32), 2, lbm_gpu.STREET), lbm_gpu.Task("D2Q9", (16, 16)))
    lbm_gpu.measure(StandIn(), 0.0, tasks, 1 << 20)
    head, *rows = capsys.readouterr().out.strip().splitlines()[2:]
    assert head.split()[0] == "case" and rows[0].startswith("D2Q9 bgk float32, 2 of 32 x 32, past cylinders")
    blocks = tasks[0].blocks(None)
    assert blocks[0].solid.sum() < blocks[1].solid.sum() and rows[1].startswith("D2Q9 bgk float32, 1 of 16 x 16")
    for row in rows:
        ours, limit, fraction = map(float, row.split()[-3:])
        assert ours > 0 and limit > 0 and fraction == pytest.approx(ours / limit, abs=0.006)
