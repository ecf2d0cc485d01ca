"""Whether the hosts of a run still answer: a message to one that has vanished waits for ever, in most of MPI and gloo.

One process of each host holds a connection to rank 0, and the others of the host one to it. Nothing is ever sent on
them; the kernel probes whether the other host is there (TCP keep-alive), so it costs no time of the run. A process that
ends is the business of its launcher; a host that is silent for GLASSFLOW_HOST_SECONDS ends all processes, on both
sides, with one line and exit code 75: run again, the program goes on from its checkpoints.

Source: the manual page tcp(7).
"""

from __future__ import annotations

import errno
import os
import resource
import secrets
import selectors
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

from runkit.errors import UNFINISHED, UserError
from runkit.launcher import abort_launch

SECONDS = "GLASSFLOW_HOST_SECONDS"  # after which a silent host counts as lost; 0: hosts are not watched
DEFAULT_SECONDS = 120
_CONNECT_SECONDS = 10
_LOST = b"!"  # passed on when a host is lost
_SILENT = {errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN}


class _Place(NamedTuple):
    """A process that listens: its host, and the addresses, port and password of its listener."""

    host: str
    addresses: Sequence[str]
    port: int
    password: str


def watch_hosts(rank: int, all_gather: Callable[[Any], Sequence[Any]]) -> bool:
    """Watch the hosts until this process ends, unless there is only one; whether they are watched. Collective.

    `all_gather` gives the values of all ranks in their order, tuples perhaps as lists. Raises UserError if
    GLASSFLOW_HOST_SECONDS is no such number, the same on all ranks.
    """
    seconds, problem = _seconds()
    everyone = all_gather((_this_host(), seconds, problem))
    problems = [problem for _, _, problem in everyone if problem]
    if problems:
        raise UserError(problems[0])
    hosts, seconds = [host for host, _, _ in everyone], everyone[0][1]
    if seconds == 0 or len(set(hosts)) == 1:
        return False
    leader = hosts.index(hosts[rank])
    watch = _Watch(seconds)
    place = watch.listen(hosts[rank], rank == 0, len(set(hosts)) + hosts.count(hosts[rank])) if leader == rank else None
    places = all_gather(place)
    watch.start()
    if rank > 0:
        watch.connect(_Place(*places[0 if leader == rank else leader]), is_here=leader != rank)
    return True


class _Watch:
    """The connections of this process, and the thread that waits for messages on them."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._password = secrets.token_hex(16)
        self._open = selectors.EpollSelector()  # also takes what is added while the thread waits

    def start(self) -> None:
        """Start to wait; the thread ends with the process."""
        Thread(target=self._wait, name="watch hosts", daemon=True).start()

    def listen(self, host: str, is_root: bool, n_connections: int) -> _Place:
        """Take connections of this host, and on rank 0 those of others."""
        _make_room(n_connections)
        listener = socket.create_server(("" if is_root else "127.0.0.1", 0), backlog=n_connections)
        self._open.register(listener, selectors.EVENT_READ, None)
        return _Place(host, _addresses() if is_root else (), listener.getsockname()[1], self._password)

    def connect(self, place: _Place, is_here: bool) -> None:
        """Hold a connection to a process; a note on standard error if it is out of reach."""
        problem: OSError | None = None
        for address in ("127.0.0.1",) if is_here else place.addresses:
            try:
                connection = socket.create_connection((address, place.port), _CONNECT_SECONDS)
                connection.sendall((place.password + socket.gethostname()).encode())
            except OSError as error:
                problem = error
                continue
            self._keep(connection, place.host.split()[0])
            return
        said = f"{socket.gethostname()}: rank 0 is out of reach at {', '.join(place.addresses)} ({problem})"
        print(f"note: {said}: this host is not watched", file=sys.stderr, flush=True)

    def _keep(self, connection: socket.socket, host: str) -> None:
        """Watch a connection: after three probes without an answer, in all `seconds`, its host counts as lost."""
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        pause = max(1, self._seconds // 4)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, pause)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, pause)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
        connection.setblocking(False)
        self._open.register(connection, selectors.EVENT_READ, host)

    def _wait(self) -> None:
        while True:
            for key, _ in self._open.select():
                connection: Any = key.fileobj
                if key.data is None:
                    self._accept(connection)
                else:
                    self._receive(connection, key.data)

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            connection, _ = listener.accept()
            connection.settimeout(_CONNECT_SECONDS)
            said = connection.recv(512).decode(errors="replace")
            if said.startswith(self._password):
                self._keep(connection, said.removeprefix(self._password) or "?")
            else:
                connection.close()

    def _receive(self, connection: socket.socket, host: str) -> None:
        try:
            said = connection.recv(64)
        except BlockingIOError:
            return
        except OSError as error:
            self._open.unregister(connection)
            if error.errno in _SILENT:
                self._lose(host)
            return
        if not said:  # the process has ended, which is its launcher's business
            self._open.unregister(connection)
        elif said.startswith(_LOST):
            self._leave()

    def _lose(self, host: str) -> None:
        print(
            f"error: {socket.gethostname()}: host {host} has not answered for {self._seconds} s, so the run ends here; "
            "the same command goes on from the last checkpoints",
            file=sys.stderr,
            flush=True,
        )
        self._leave()

    def _leave(self) -> None:
        """Pass on that a host is lost, and end without MPI, whose end would wait for the lost one too."""
        for key in list(self._open.get_map().values()):
            if key.data:
                with suppress(OSError):
                    connection: Any = key.fileobj
                    connection.send(_LOST)
        time.sleep(0.5)  # the launcher forwards the last words
        abort_launch(UNFINISHED)
        os._exit(UNFINISHED)


def _make_room(n_connections: int) -> None:
    """Let this process have as many more files open, where it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = n_connections + 1024
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


def _seconds() -> tuple[int, str]:
    """The setting, and what is wrong with it."""
    text = os.environ.get(SECONDS, "")
    if not text:
        return DEFAULT_SECONDS, ""
    if text.isdecimal() and (text == "0" or 4 <= int(text) <= 100_000):
        return int(text), ""
    return 0, f"{SECONDS} = {text!r} is not allowed; allowed: 4 to 100000 seconds, or 0: hosts are not watched"


def _this_host() -> str:
    """Name of this host, and what no other one has: its start and its network."""
    start, network = "", ""
    with suppress(OSError):
        start = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        network = os.readlink("/proc/self/ns/net")
    return f"{socket.gethostname()} {start} {network}"


def _addresses() -> tuple[str, ...]:
    """By which this host may be reached, the likeliest first: its name, what that stands for, its way to others."""
    found = [os.environ.get("MASTER_ADDR", ""), socket.gethostname()]
    with suppress(OSError):
        found += [str(entry[4][0]) for entry in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)]
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # nothing is sent
        found.append(probe.getsockname()[0])
    return tuple(dict.fromkeys(name for name in found if name and name != "localhost" and not name.startswith("127.")))
