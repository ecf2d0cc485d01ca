"""The next batch is prepared while the present one is at work, and no further one."""

from __future__ import annotations

import threading

import pytest

from lbmgen import preparation, run
from lbmgen.config import RunConfig
from lbmgen.prefetch import prefetched
from runkit.config import load
from runkit.dataset.reader import Dataset
from runkit.dataset.schema import COMPLETE
from runkit.errors import UserError
from runkit.mpi import SerialWorld
from tests.lbmgen.test_gpu import RUN
from tests.shim import StandIn


def test_one_batch_is_prepared_beside_the_present_one_and_none_beyond():
    taken, prepared, others = [], [], set()

    def batches():
        for batch in ([1, 2], [3], [4, 5]):
            taken.append(batch)
            yield batch

    def prepare(item):
        others.add(threading.get_ident())
        prepared.append(item)
        return -item

    found = prefetched(batches(), prepare)
    assert next(found) == [-1, -2] and taken == [[1, 2], [3]]
    assert next(found) == [-3] and taken == [[1, 2], [3], [4, 5]] and prepared[:3] == [1, 2, 3]
    assert [*found] == [[-4, -5]] and prepared == [1, 2, 3, 4, 5]
    assert len(others) == 1 and threading.get_ident() not in others
    assert [*prefetched(iter(()), prepare)] == []


def test_a_mistake_comes_where_its_batch_would_and_what_is_behind_it_is_left():
    begun, go = [], threading.Event()

    def prepare(item):
        begun.append(item)
        if item == 3:
            raise UserError("no third")
        if item == 5:
            go.wait(10)
        return item

    found = prefetched(iter([[1, 2], [3, 4]]), prepare)
    assert next(found) == [1, 2]
    with pytest.raises(UserError, match="no third"):
        next(found)
    found = prefetched(iter([[1], [5, 6, 7]]), prepare)
    assert next(found) == [1]
    go.set()
    found.close()  # as where the work on a batch fails
    assert 7 not in begun


def test_a_case_that_cannot_be_prepared_ends_the_run_and_the_next_one_goes_on(tmp_path, monkeypatch):
    """In the second batch: the first one is in the file by then."""
    monkeypatch.setattr(run, "choose", lambda world, wanted: StandIn())
    config = load(RunConfig, None, [*RUN, "n_cases=4", f"output={tmp_path}/run.h5"])

    def broken(config, case, group, gpu=None):
        if case.number == 2:
            raise UserError("case 2: no")
        return preparation.prepare(config, case, group, gpu)

    with monkeypatch.context() as patch:
        patch.setattr(run, "prepare", broken)
        with pytest.raises(UserError, match="case 2: no"):
            run.generate(SerialWorld(), config)
    with Dataset(tmp_path / "run.h5.part", unfinished=True) as file:
        assert file["computed"][...].tolist() == [COMPLETE, COMPLETE, 0, 0]
    run.generate(SerialWorld(), config)
    with Dataset(tmp_path / "run.h5") as file:
        assert file["computed"][...].tolist() == [COMPLETE] * 4
