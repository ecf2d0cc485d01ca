"""The watch over hosts, without hosts: settings, one host alone, and who may connect (`tests/services`: the rest)."""

from __future__ import annotations

import socket
import threading

import pytest

from runkit.errors import UserError
from runkit.watch import SECONDS, _Place, _Watch, watch_hosts


def watchers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "watch hosts"]


def test_ranks_of_one_host_are_not_watched(monkeypatch):
    monkeypatch.delenv(SECONDS, raising=False)
    assert not watch_hosts(0, lambda value: [value] * 3)
    assert watchers() == []


@pytest.mark.parametrize("value", ["3", "-1", "soon", "1e3", "100001"])
def test_a_wrong_setting_is_one_line_on_all_ranks(value, monkeypatch):
    monkeypatch.setenv(SECONDS, value)
    with pytest.raises(UserError, match=f"{SECONDS} = '{value}' is not allowed; allowed: 4 to 100000"):
        watch_hosts(0, lambda own: [own] * 2)


@pytest.mark.parametrize("value", ["0", "4", "100000"])
def test_the_ends_of_the_range_are_allowed(value, monkeypatch):
    monkeypatch.setenv(SECONDS, value)
    assert not watch_hosts(0, lambda own: [own] * 2)


def test_a_connection_without_the_password_is_closed_and_one_with_it_is_kept():
    watch = _Watch(60)
    place = watch.listen("here", False, 2)
    watch.start()
    with socket.create_connection(("127.0.0.1", place.port), 10) as stranger:
        stranger.sendall(b"who is there?")
        assert stranger.recv(1) == b""
    with socket.create_connection(("127.0.0.1", place.port), 10) as rank:
        rank.sendall(f"{place.password}node2".encode())
        rank.settimeout(1.0)
        with pytest.raises(TimeoutError):
            rank.recv(1)


def test_a_host_out_of_reach_is_named_and_the_run_goes_on(capfd):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    _Watch(60).connect(_Place("node1 start network", ("127.0.0.1",), port, "password"), is_here=False)
    assert "rank 0 is out of reach at 127.0.0.1" in capfd.readouterr().err
