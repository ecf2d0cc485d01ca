"""Progress in a log, and lines from root only."""

from __future__ import annotations

from threading import Event

from runkit import progress
from runkit.log import say
from runkit.mpi import SerialWorld
from runkit.progress import Patience, Progress, duration


class Clock:
    """A clock that tests move."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


def make_world(rank=0, size=1):
    world = SerialWorld()
    world.rank, world.size = rank, size
    return world


def test_a_log_gets_a_line_per_tenth_and_no_faster_than_every_ten_seconds(monkeypatch, capsys):
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    with Progress(make_world(), 100, "step", "propagate") as bar:
        for _ in range(100):
            clock.now += 0.5
            bar.advance()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "propagate:  20 %, 20 of 100 step, 2 step/s, 10 s passed, 40 s left"
    assert len(lines) == 5 and "100 %" in lines[-1] and "0 s left" in lines[-1]


def test_estimates_are_no_more_exact_than_they_can_be():
    assert [duration(s) for s in (31.2, 200, 7000, 5.3e5)] == ["31 s", "3 min", "1.9 h", "147 h"]


def test_a_slow_stage_is_told_of_every_five_minutes(monkeypatch, capsys):
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    bar = Progress(make_world(), 1000, "step", "propagate")
    for _ in range(20):
        clock.now += 60
        bar.advance()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 and "5:00 min passed" in lines[0] and "16:35:00 h left" in lines[0]


def test_only_root_reports_and_says_that_it_is_its_share(capsys):
    for rank in (0, 1):
        with Progress(make_world(rank, 2), 3, "sample", "label") as bar:
            bar.advance(3)
        say(make_world(rank, 2), "done")
    out = capsys.readouterr().out
    assert out.count("share of rank 0 of 2") == 1 and out.count("done") == 1


def test_a_terminal_gets_a_bar(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with Progress(make_world(), 4, "step", "label") as bar:
        bar.advance(4)
        say(make_world(), "a line")
    out, err = capsys.readouterr()
    assert out == "a line\n" and "100%" in err and "label" in err


def test_work_that_cannot_tell_how_far_it_is_says_that_it_goes_on(capsys):
    spoken = Event()
    for rank in (0, 1):
        with Patience(make_world(rank), "compiles", every=0.001):
            spoken.wait(0.05)
        lines = capsys.readouterr().out.splitlines()
        assert bool(lines) == (rank == 0) and all(line.startswith("compiles: 0 s passed") for line in lines)
