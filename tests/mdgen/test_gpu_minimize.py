"""Energy minima of many samples at once on a GPU: the bits of each alone on the CPU."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mdgen import list_capacity, minimize
from mdgen.gpu_engine import GpuEngine
from mdgen.initial import melt
from mdgen.kernels import gpu
from mdgen.minimize import Minimum, inherent_structure, inherent_structures
from tests.mdgen.liquid import kob_andersen
from tests.shim import StandIn

LAW = kob_andersen()


@pytest.fixture(scope="module")
def starts():
    """Three melts, of which the third lies in its minimum already, and one with two particles at one place."""
    melts = [melt(108, (0.8, 0.2), 0.8, seed=1, sample=sample) for sample in range(4)]
    melts[2] = replace(melts[2], position=inherent_structure(melts[2], LAW).position)
    melts[3].position[5] = melts[3].position[50]
    return melts


@pytest.fixture(scope="module")
def alone(starts):
    """Their minima, one after the other on the CPU."""
    return [inherent_structure(start, LAW) for start in starts]


def assert_same(ours: list[Minimum], theirs: list[Minimum]) -> None:
    for one, other in zip(ours, theirs, strict=True):
        assert np.array_equal(one.position, other.position)
        for name in ("energy", "start_energy", "largest_force", "n_iterations", "converged"):
            assert np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True), name


def test_minima_of_a_group_are_those_of_each_alone(starts, alone):
    """One is there at once, one has no forces that are numbers and says so, the others take their time."""
    assert_same(inherent_structures(starts, LAW, StandIn()), alone)
    assert [each.converged for each in alone] == [True, True, True, False]
    assert alone[0].n_iterations != alone[1].n_iterations > 100
    assert alone[2].n_iterations == alone[3].n_iterations == 0


def test_minima_do_not_depend_on_how_often_the_host_looks_nor_on_the_capacity_of_lists(starts, alone, monkeypatch):
    """Lists have just enough capacity at the start, and outgrow it while samples go down."""
    capacities, descent = [], GpuEngine._descent

    def first_tight(engine, *rest):
        if not capacities:
            engine._capacity = list_capacity.ListCapacity.of(engine._arrays.count[:, 0].max(), 108, 108)
            engine._arrays = engine._arrays._replace(entries=engine._lists())
            engine._arrays.status[:, gpu.FLAGS] = gpu.PRUNE | gpu.BUILD
            engine.evaluate()
        capacities.append(engine._capacity.inner)
        return descent(engine, *rest)

    monkeypatch.setattr(GpuEngine, "_descent", first_tight)
    monkeypatch.setattr("mdgen.gpu_engine.GLIMPSE", 7)
    assert_same(inherent_structures(starts[1:], LAW, StandIn()), alone[1:])
    assert len(capacities) > 1 and capacities[-1] > capacities[0]


def test_samples_that_memory_does_not_hold_go_down_in_turns(starts, alone, monkeypatch):
    sizes, own = [], GpuEngine.minimize
    monkeypatch.setattr(
        GpuEngine, "minimize", lambda engine, *rest: (sizes.append(engine._ensemble.shape[0]), own(engine, *rest))[1]
    )
    one = list_capacity.replica_bytes(108, "float64", list_capacity.first_capacity(108, starts[0].box.prod(), LAW))
    device = StandIn(free_bytes=int(3.2 * minimize.SHARE * one))
    several = [2, 3, 2, 3]
    assert_same(inherent_structures([starts[k] for k in several], LAW, device), [alone[k] for k in several])
    assert sizes == [3, 1]


def test_no_samples_have_no_minima():
    assert inherent_structures([], LAW, StandIn()) == inherent_structures([], LAW) == []
