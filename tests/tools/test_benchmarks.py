"""The benchmarks, with stand-ins for LAMMPS and for a GPU."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mdgen.api import evaluate
from mdgen.dynamics import Dynamics
from mdgen.initial import melt
from mdgen.velocities import maxwell_velocities
from runkit.errors import UserError
from tests.conftest import ROOT, clean_environment
from tests.shim import StandIn
from tools.benchmarks import botan_step, lammps, lbm_cpu, lbm_gpu, lbm_model, md_cpu, md_gpu, md_limits, train_step
from tools.benchmarks.__main__ import titles
from tools.benchmarks.gpu_clock import cache_rate, copy_rate
from tools.benchmarks.gpu_flows import Cases, Flow
from tools.benchmarks.liquid import LAW
from tools.benchmarks.table import Row, show
from tools.benchmarks.train_step import Form
from tools.benchmarks.train_tasks import Liquid, Street

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
    assert lammps.rate(stand_in, START, velocity, LAW, 0.005, 600) == pytest.approx(256 * 600 / 1e6)


def test_a_path_without_program_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"--lammps .*nothing"):
        lammps.LAMMPS.find(str(tmp_path / "nothing"))


def test_cases_are_measured_and_replicas_aged_once(stand_in, tmp_path):
    """One system, replicas together, aged ones; the aged state is kept and read again."""
    arguments = SimpleNamespace(
        lammps=str(stand_in), start=None, temperature=0.44, replicas=8, age=0.05, aged=tmp_path / "aged.npz", turns=1,
        ranks=1, precision="float32",
    )  # fmt: skip
    cases = list(md_cpu._cases(arguments, START))
    assert [target for _, target, *_ in cases] == [3.5, 10, 5]
    assert np.array_equal(cases[1][2][3], START.position)
    assert np.abs(cases[2][2] - cases[1][2]).max() > 0.01
    assert np.array_equal(list(md_cpu._cases(arguments, START))[2][2], cases[2][2])
    ours, peer, limit = md_cpu._turn(min(os.sched_getaffinity(0)), (START, *cases[1][2:], stand_in, arguments))
    assert 0 < ours < limit and peer == pytest.approx(256 * 600 / 1e6)


def test_batches_on_a_gpu_are_measured_beside_openmm(tmp_path, monkeypatch):
    """A stand-in for the GPU and for the Python that has OpenMM."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 2e6\n")
    python.chmod(0o755)
    monkeypatch.setattr(md_gpu, "CASES", ((3, (1, 1, 1), "1000 M/s"), (1, (2, 1, 1), "-")))
    arguments = SimpleNamespace(
        turns=2, steps=4, temperature=0.44, precision="float32", openmm=str(python), platform="CUDA"
    )
    one, two = md_gpu.rows(arguments, StandIn(), START, bandwidth=1e9)
    assert one.case.startswith("3 replicas of 256 (limit: ") and two.case.startswith("1 replicas of 512 (limit: ")
    assert one.target == "1000 M/s" and "memory" in two.case
    assert min(*one.ours, *two.ours) > 0 and one.peer == [2, 2] and 0 < two.limit < 10


def test_a_warp_goes_on_until_its_longest_list_ends():
    """In entries by four: 32 lists of 4 and 8 in turns cost 8 each; those of the second warp 12."""
    length = np.array([4, 8] * 16 + [9] * 32)
    assert md_limits.divergence(length[:32]) == pytest.approx(8 / 6)
    assert md_limits.divergence(length) == pytest.approx((8 + 12) / (6 + 9))
    assert md_limits.divergence(np.array([4])) == 32


def test_places_in_the_same_banks_are_fetched_one_after_the_other():
    """Eight lanes at once: one place, eight side by side, eight that are eight apart, in pairs, eight four apart."""
    length, lane = np.full(32, 4), np.arange(32)
    for chosen, cycles in ((0 * lane, 4), (lane, 4), (8 * lane, 32), (8 * (lane // 2), 16), (4 * lane, 16)):
        entry = np.repeat(chosen[:, None], 4, axis=1)
        assert md_limits.wavefronts(length, entry, 16) == cycles
    assert md_limits.wavefronts(length, np.repeat(lane[:, None], 4, axis=1), 32) == 2 * 8


def test_the_limits_of_a_gpu_grow_with_what_it_has():
    def found(n_multiprocessors, bandwidth):
        device = StandIn()
        device.n_multiprocessors = n_multiprocessors
        velocity = maxwell_velocities(256, 0.44, 1, 0)[None]
        system = Dynamics(START.position[None], velocity, START.species, START.box, LAW, 0.005, device=device)
        system.step(1)
        return md_limits.limits(device, system, bandwidth)

    one, other = found(2, 1e9), found(8, 2e9)
    assert {name: other[name] / one[name] for name in one} == pytest.approx({"issue": 4, "gather": 4, "memory": 2})


def test_a_tiled_configuration_has_the_energy_of_its_tiles():
    tiled = md_gpu.tiled(START, (2, 1, 3))
    one, all_of_them = (evaluate(each.position, each.species, each.box, LAW).energy for each in (START, tiled))
    assert all_of_them == pytest.approx(6 * one, rel=1e-12)


def test_the_table_shows_medians_and_the_range_of_the_ratio(capsys):
    show([Row("cage", [8.0, 9.0, 1234.0], [2.0, 3.0, 2.0], 18.0, "ratio 4"), Row("alone", [0.0123])], "M/s", "LAMMPS")
    head, rule, *rows = capsys.readouterr().out.splitlines()
    assert len({len(line) for line in (head, rule, *rows)}) == 1 and set(rule) == set("|- ")
    assert [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in (head, *rows)] == [
        ["case", "ours, M/s", "LAMMPS, M/s", "ratio (range)", "limit, M/s", "fraction", "target"],
        ["cage", "9.00", "2.00", "4.00 (3.00-617.00)", "18.0", "0.50", "ratio 4"],
        ["alone", "0.0123", "-", "-", "-", "-", "-"],
    ]


def test_flow_on_a_gpu_is_measured_beside_its_memory():
    """Batches past cylinders, and a periodic box, both in motion; the limit is 72 bytes per site."""
    street, box = Flow("D2Q9", (32, 32), 2, True), Flow("D2Q9", (16, 16))
    bandwidth = copy_rate(StandIn(), 1 << 20)
    one, two = lbm_gpu.rows(StandIn(), 0.0, bandwidth, {street: "fraction 1.3", box: "-"})
    assert one.case == "2 of D2Q9 bgk float32 32x32, past cylinders"
    assert two.case == "1 of D2Q9 bgk float32 16x16, periodic"
    assert min(*one.ours, *two.ours) > 0 and one.limit == pytest.approx(bandwidth / 72e9)
    cases = Cases(StandIn(), street)
    cases.advance(4)
    _, velocity = cases.block.moments()
    assert cases.are_in_cache and 1e-5 < np.abs(velocity).mean() < 0.1
    assert not Cases(StandIn(l2_bytes=0), street).are_in_cache


def test_copies_in_the_cache_go_to_and_fro():
    gpu = StandIn(l2_bytes=1 << 12)
    assert cache_rate(gpu, 50) > 0


def test_flow_is_measured_beside_lbmpy_in_turns(monkeypatch):
    """Stand-ins answer as ours and as lbmpy do; other laws have no peer."""

    class Answers(SimpleNamespace):
        def ask(self, question: str) -> float:
            return 36.0 if question.startswith("scale") else self.rate

        def close(self) -> None:
            closed.append(self.rate)

    closed: list[float] = []
    monkeypatch.setattr(lbm_cpu, "launch", lambda n: Answers(rate=300.0 * n))
    monkeypatch.setattr(lbm_cpu, "_peer", lambda python, n: Answers(rate=200.0))
    rows = list(lbm_cpu._rows(SimpleNamespace(ranks=[1, 2], turns=2, seconds=0.1), Path("python")))
    assert rows[0].cells() == (
        "D2Q9 bgk float32 256x256, 1 core", "300", "200", "1.50 (1.50-1.50)", "500", "0.60", "ratio 1"
    )  # fmt: skip
    assert rows[-1].cells() == (
        "D2Q9 bgk float32 street 256x256, 2 cores", "600", "-", "-", "600", "1.00", "fraction 0.9"
    )  # fmt: skip
    assert rows[-3].cells()[:4] == ("D3Q27 bgk float32 96x96x96, 2 cores", "600", "200", "3.00 (3.00-3.00)")
    assert rows[-5].cells()[:4] == ("D2Q9 smagorinsky float32 1024x1024, 2 cores", "600", "-", "-")
    assert sorted(closed) == [200, 200, 300, 600]


def test_a_step_of_a_cut_domain_is_modelled(monkeypatch, capsys):
    """Stand-ins: two ranks are twice as fast as one, messages cost 2 us and 10 GB/s."""

    class Answers(SimpleNamespace):
        def ask(self, question: str) -> float:
            return (2 + int(question.split()[2]) / 5e3) if question.startswith("exchange") else 100.0 * self.n

        def close(self) -> None:
            pass

    monkeypatch.setattr(lbm_model, "launch", lambda n: Answers(n=n))
    lbm_model.run(SimpleNamespace(seconds=0.1))
    told = capsys.readouterr().out
    assert "2.0 us and 10 GB/s per exchange" in told
    (small,) = [line.split("us")[:3] for line in told.splitlines() if line.startswith("64x64")]
    assert [float(cell.split()[-1]) for cell in small] == [41, 20, 20]
    assert all(name in told for name in ("D2Q9 32768 x 32768", "D3Q19 256 x 256 x 256"))


def bench(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-X", "importtime", "-m", "tools.benchmarks", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=clean_environment(), timeout=100)


@pytest.mark.parametrize("subject", titles())
def test_help_is_given_without_importing_what_is_measured(subject):
    done = bench(subject, "--help")
    assert done.returncode == 0 and done.stdout.startswith(f"usage: tools/bench {subject} ")
    assert titles()[subject] in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "runkit.cli" in imported and not {"torch", "numba", "mdgen", "lbmgen"} & imported


@pytest.mark.parametrize("words", [["nothing"], ["md", "--nothing"], []])
def test_a_wrong_word_is_one_line(words):
    done = bench(*words)
    lines = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
    assert done.returncode == 2 and len(lines) == 1 and lines[0].startswith("error: ") and "--help" in lines[0]


def test_a_training_step_is_measured_beside_a_product_of_matrices(capsys):
    """Twice the samples are twice the operations; half precision differs a little."""
    machine = train_step.Machine(torch.device("cpu"), 1, 2)
    task = Liquid(100)
    one, more, half = (train_step.measure(task, form, machine) for form in (Form(), Form(samples=2), Form("bf16")))
    assert more.n_operations == pytest.approx(2 * one.n_operations, rel=0.1)
    assert 0 < one.share < 2 and one.share == pytest.approx(one.n_operations / np.median(one.seconds) / one.product)
    assert one.differs < 1e-6 < half.differs < 0.05 and np.isnan(one.memory)


@pytest.mark.parametrize("task", [Liquid(100), Street(16)], ids=lambda task: task.name)
@pytest.mark.parametrize("stay", [True, False])
def test_a_step_with_data_tells_how_long_it_waits_for_them(task, stay):
    seconds, waited = train_step.with_data(task, Form(samples=2), train_step.Machine(torch.device("cpu"), 1, 1), stay)
    assert seconds > 0 and 0 <= waited < 1


def test_the_subject_prints_both_networks_in_all_forms(capsys):
    arguments = SimpleNamespace(
        device="cpu", network="both", particles=100, cells=16, samples=[1], steps=1, turns=1, compile=False
    )
    train_step.run(arguments)
    printed = capsys.readouterr().out
    rows = [line.split("|")[1].strip() for line in printed.splitlines() if line.startswith("| ")]
    wanted = ["float32, 1 at once", "bf16, 1 at once"]
    assert rows == ["case", "---", *wanted, "case", "---", "float32, 8 at once", "bf16, 8 at once"]
    assert printed.count("% waiting") == 4
    forms = list(train_step.forms(Street(16), [1], torch.device("cuda"), True))
    assert len(forms) == 9 and {form.precision for form in forms} == {"float32", "tf32", "bf16"}


def test_the_step_of_botan_is_shown_beside_the_published_form_and_what_the_machine_allows(capsys):
    botan_step.run(SimpleNamespace(particles=400, turns=1, compile=False, give_back=True))
    printed = capsys.readouterr().out
    row = next(line for line in printed.splitlines() if line.startswith("| ours"))
    ours, published, ratio, limit, fraction = (float(cell.split()[0]) for cell in row.split("|")[2:7])
    assert ratio == pytest.approx(ours / published, rel=0.01) and fraction == pytest.approx(ours / limit, abs=0.01)
    memory = re.search(r"memory of a step: published (\d+) MB, ours (\d+) MB: ([\d.]+)", printed)
    assert memory and 0 < float(memory[3]) <= 0.5


def test_the_published_form_has_the_outputs_of_ours():
    published = botan_step.Published()
    inputs = botan_step._liquid(200)
    for one, other in zip(published(*inputs), published.botan(*inputs), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
