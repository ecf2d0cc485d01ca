"""What a run says of its own efficiency: parts that add up, and figures of ranks."""

from __future__ import annotations

import re
import threading
import time
from contextlib import suppress

import pytest

from runkit import efficiency
from runkit.efficiency import DATA, FILE, KERNELS, PARTS, TRAINING, WAIT, Account, counted, table


class Seconds:
    """A clock that a test moves."""

    def __init__(self, monkeypatch):
        self.now = 100.0
        monkeypatch.setattr(time, "perf_counter", lambda: self.now)

    def pass_by(self, seconds):
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    return Seconds(monkeypatch)


def test_parts_add_up_to_the_run(clock):
    """A wait inside of writing counts as waiting alone, and what is left is computation."""
    account = Account()
    clock.pass_by(5)
    with account.part(FILE):
        clock.pass_by(2)
        with account.part(WAIT):
            clock.pass_by(3)
        clock.pass_by(1)
    with account.part(KERNELS):
        clock.pass_by(7)
    assert dict(zip(("computed", *PARTS), account.parts(), strict=True)) == {
        "computed": 5, WAIT: 3, FILE: 3, KERNELS: 7
    }  # fmt: skip


def test_what_an_account_does_not_tell_apart_counts_as_computed(clock):
    """Also what is told apart inside of it."""
    account = Account(TRAINING)
    with account.part(FILE):
        clock.pass_by(1)
        with account.part(KERNELS):
            clock.pass_by(2)
            with account.part(DATA):
                clock.pass_by(4)
    with account.part(KERNELS):
        clock.pass_by(8)
        with account.part(WAIT):
            clock.pass_by(16)
    assert account.parts() == [8, 16, 3, 4]


def test_what_raises_is_counted_too(clock):
    account = Account()
    with pytest.raises(OSError, match="full"), account.part(FILE):
        clock.pass_by(4)
        raise OSError("full")
    assert account.seconds[FILE] == 4


def test_a_method_counts_in_the_thread_of_the_account_alone(clock):
    """Threads that prepare what comes next run beside the computation."""
    wait = counted(WAIT)(lambda seconds: clock.pass_by(seconds))
    wait(1)  # nobody has opened an account
    with Account() as account:
        wait(2)
        beside = threading.Thread(target=wait, args=(4,))
        beside.start()
        beside.join()
    assert account.seconds[WAIT] == 2


def test_a_run_that_is_over_or_failed_counts_no_more(clock):
    wait = counted(WAIT)(lambda seconds: clock.pass_by(seconds))
    for error in (None, OSError("full")):
        with suppress(OSError), Account() as account:
            wait(1)
            if error is not None:
                raise error
        wait(2)
        assert account.seconds[WAIT] == 1


def test_the_report_shows_least_mean_and_most_of_the_ranks():
    """Two ranks: 15 of 20 seconds computed, 6 MB in the 2 s of the slower one."""
    lines = table([[9, 0, 1, 0], [6, 2, 2, 0]], [2_000_000, 4_000_000], [300_000_000, 500_000_000], title="run: ")
    assert lines[0].startswith("run: efficiency: 75 % of 2 rank(s) x 10 s computed")
    numbers = re.compile(r"(?<=\s)[\d.]+(?=\s)")
    figures = {line.split()[0]: [float(word) for word in numbers.findall(line)] for line in lines[1:]}
    assert figures["computed"][:3] == [6, 7.5, 9] and figures[WAIT][:3] == [0, 1, 2]
    assert figures[FILE] == [1, 1.5, 2, 6, 3] and figures["memory"][:3] == [300, 400, 500]


def test_nothing_written_gives_no_rate():
    assert "MB/s" not in "".join(table([[1, 0, 0, 0]], [0], [1]))


def test_the_largest_memory_is_in_bytes():
    assert 10e6 < efficiency.peak_bytes() < 1e12
