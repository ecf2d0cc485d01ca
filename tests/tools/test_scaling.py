"""The model of scaling: its arithmetic, against what the generator would really share out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mdgen import production
from mdgen.groups import form_groups
from tests.conftest import clean_environment
from tests.flow_factory import FLOW_RECIPE, write_flow
from tools.scaling.__main__ import main
from tools.scaling.machine import AVX2, H100
from tools.scaling.measure import CASES, runs
from tools.scaling.model import Work, forecast, total, training_step, where_it_goes

ROOT = Path(__file__).parents[2]
SMALL = Work("small", 5, 32, 1000, 3, 2_000_000, 1_000_000, 6e9, 300.0)


def test_one_worker_takes_the_sum_of_all_units():
    """A core: 5 samples alone, 160 replicas together, 480 slices of labels, the file at the rate of one stream."""
    found = forecast(SMALL, AVX2, 1)
    assert found.equilibrate == pytest.approx(5 * 2e6 * 1000 / 4.5e6)
    assert found.propagate == pytest.approx(160 * 1e6 * 1000 / 6.6e6)
    assert found.label == pytest.approx(5 * 32 * 3 * 1000 * 1.2e-6) and found.disk == 6
    assert found.seconds == pytest.approx(30 + 6 + found.equilibrate + found.propagate + found.label)


@pytest.mark.parametrize("n_workers", [1, 2, 3, 7, 20, 64])
def test_the_fullest_core_has_what_the_generator_gives_it(n_workers):
    """Shares of replicas are those of `mdgen.groups`."""
    lists = [range(SMALL.n_replicas)] * SMALL.n_samples
    shares = form_groups(lists, production.GROUP_SIZE, n_workers)
    fullest = max(sum(map(len, share)) for share in shares)
    assert forecast(SMALL, AVX2, n_workers).propagate == pytest.approx(fullest * 1e6 * 1000 / 6.6e6)


def test_more_workers_than_units_do_not_help():
    """5 samples and 20 groups of replicas: from 20 cores on nothing gets faster but the file."""
    assert forecast(SMALL, AVX2, 20).propagate == forecast(SMALL, AVX2, 1000).propagate
    lost = where_it_goes([forecast(SMALL, AVX2, 1000)], [forecast(SMALL, AVX2, 1)])
    assert max(lost, key=lost.get) == "propagate"


def test_a_gpu_with_few_systems_spreads_them_over_all_of_it():
    """Below half of its places a step is a launch and the work; above, no place is faster than its own rate."""
    assert H100.step_seconds(1, 4096) == pytest.approx(20e-6 + 4096e-9)
    assert H100.step_seconds(66, 4096) == H100.step_seconds(132, 4096) == pytest.approx(132 * 4096e-9)
    assert H100.step_seconds(264, 4096) == pytest.approx(264 * 4096e-9)


@pytest.mark.parametrize("machine", [H100, AVX2])
def test_no_number_of_workers_is_more_than_wholly_used(machine):
    """The time of one worker is at most that of n, times n, apart from starts."""
    one = [forecast(SMALL, machine, 1)]
    for n_workers in (2, 5, 64, 1024):
        found = [forecast(SMALL, machine, n_workers)]
        assert total(one) <= n_workers * total(found) * (1 + 1e-9)


def test_a_training_step_computes_and_sums_round_a_ring():
    """4 processes: 6 messages of a quarter of the gradients, and as many of the statistics of a batch."""
    assert training_step(4.0, 1, (1e-3, 1e6), [4e6]) == 4
    assert training_step(1.0, 4, (1e-3, 1e6), [4e6]) == pytest.approx(1 + 6 * (1e-3 + 1))
    assert training_step(1.0, 4, (1e-3, 1e6), [400, 4e6]) == pytest.approx(1 + 6 * (1e-3 + 1) + 6 * (1e-3 + 1e-4))


def test_the_published_set_is_four_files_of_one_size(capsys):
    """From the cases in `jobs`; a number of the machine can be replaced, a wrong one is refused."""
    assert main(["predict", "--workers", "1", "1024", "--set", "rate=5e8"]) == 0
    told = capsys.readouterr().out
    assert told.count("12.8 GB") == 4 and "500" in told and "measured by nobody" in told
    assert main(["predict", "--set", "rate=-1"]) == 2 and "KEY=VALUE" in capsys.readouterr().err


@pytest.mark.parametrize("program", CASES)
def test_runs_tell_processor_time_beside_the_model(program, monkeypatch):
    """One rank of a tiny case: the model is the measurement there."""
    short = CASES[program][1]
    monkeypatch.setitem(CASES, program, (short, short))
    ((n_ranks, spent, model, taken, told),) = runs(program, [1])
    assert n_ranks == 1 and spent == model > 0.5 and taken > 0.1
    assert told[0].startswith("efficiency") and len(told) == 6


def test_a_program_that_there_is_not_is_named(capsys):
    assert main(["runs", "dtrain"]) == 2 and "PROGRAM 'dtrain': allowed: mdgen, lbmgen" in capsys.readouterr().err


SHARES = """
import json
from dtrain.models.norms import BatchNorm
from tools.scaling.steps import Step
step = Step("recipe.toml", ["model.parameters={widths=[2, 2], norm='batch'}"])
group = Step("recipe.toml", ["model.parameters={widths=[2, 2], norm='group'}"])
channels = [layer.num_features for layer in step.network.modules() if isinstance(layer, BatchNorm)]
weights = sum(weight.numel() for weight in step.network.parameters())
print(json.dumps([step.share(2), step.share(1, 2), group.share(1, 2), channels, weights]))
"""


def test_a_share_of_a_step_has_its_samples_and_what_is_summed(tmp_path):
    """Of a batch of 2 with batch statistics: one process sums nothing, two sum them both ways, then the gradients.

    In a process of its own: this one may have joined a group of processes already.
    """
    write_flow(tmp_path / "flow.h5")
    (tmp_path / "recipe.toml").write_text(FLOW_RECIPE)
    environment = clean_environment() | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", SHARES], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    (seconds, none), (_, (*statistics, gradients)), (_, of_groups), channels, n_weights = found
    assert none == [] and seconds > 0 and gradients == 4 * n_weights and len(of_groups) == 1
    assert sorted(statistics) == sorted(8 * (1 + 2 * n) for n in 2 * channels)  # double precision
