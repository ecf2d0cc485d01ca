"""How a run ends when units of work have failed, and what a checker says of such a file."""

from __future__ import annotations

import pytest

from runkit.dataset.check import check, main
from runkit.dataset.outcome import NOTHING_USABLE, PARTLY_FAILED, conclude
from runkit.digest import digests
from runkit.errors import UserError
from runkit.mpi import SerialWorld
from tests.ensemble import ABOUT, open_writer
from tests.flow_factory import write_flow


@pytest.mark.parametrize(("failed", "code"), [((), 0), ((1,), PARTLY_FAILED), ((0, 1, 2), NOTHING_USABLE)])
def test_the_exit_code_tells_none_some_and_all_failed(tmp_path, capsys, failed, code):
    """Three codes; if nothing can be used, an error stands on standard error."""
    path = write_flow(tmp_path / "flow.h5", n_cases=3, n_frames=4, failed=failed)
    assert conclude(SerialWorld(), path, "wrote it") == code
    told = capsys.readouterr()
    assert (f"{len(failed)} of 3 case(s) FAILED" in told.out) == bool(failed)
    assert bool(told.err) == (code == NOTHING_USABLE)


def test_a_file_without_a_usable_unit_does_not_pass(tmp_path, capsys):
    """Nor is a failed unit passed over in silence where others are complete."""
    nothing = write_flow(tmp_path / "nothing.h5", n_cases=2, n_frames=4, failed=(0, 1))
    assert main([str(nothing)]) == 1
    told = capsys.readouterr().out
    assert "all checks passed" not in told and "nothing can be used: 2 of 2 case(s) FAILED" in told
    some = write_flow(tmp_path / "some.h5", n_cases=2, n_frames=4, failed=(1,))
    assert check(some).good and "but 1 of 2 case(s) FAILED" in str(check(some))


def test_an_input_that_changes_between_two_tries_is_refused_by_name(tmp_path):
    """What has the same name and another content is another input; what has the same content is the same."""
    given = tmp_path / "body.npy"
    given.write_bytes(b"one")
    about = ABOUT | {"inputs": digests([given])}
    open_writer(tmp_path / "a.h5", attributes=about).close()
    open_writer(tmp_path / "a.h5", attributes=about).close()
    given.write_bytes(b"two")
    with pytest.raises(UserError, match=r"another content of .*body\.npy"):
        open_writer(tmp_path / "a.h5", attributes=ABOUT | {"inputs": digests([given])})
    with pytest.raises(UserError, match=r"none\.npy"):
        digests([tmp_path / "none.npy"])
