"""Ranks that one process forks when all is imported: as many interpreters would need minutes to import the same.

`forked.py serve SOCKET MODULE…` imports and waits. `mpiexec -n 64 python -S forked.py SOCKET MODULE WORD…` starts
ranks, each of which hands its streams, its environment and its connection to mpiexec over, and waits for the exit code.
"""

from __future__ import annotations

import os
import sys

CONNECTION = "PMI_FD"  # a rank's connection to mpiexec


def hand_over(path: str, words: list[str]) -> int:
    """Have this rank run by the server; its exit code."""
    import json
    import socket

    with socket.socket(socket.AF_UNIX) as server:
        server.connect(path)
        about = json.dumps([words, os.getcwd(), dict(os.environ)]).encode()
        socket.send_fds(server, [len(about).to_bytes(4, "big")], [0, 1, 2, int(os.environ[CONNECTION])])
        server.sendall(about)
        code = server.recv(1)
    return code[0] if code else 1


def serve(path: str, modules: list[str]) -> None:
    """Fork a process for each rank that comes."""
    import importlib
    import signal
    import socket

    for module in modules:
        importlib.import_module(module)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(256)
        while True:
            rank, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                be(rank)
            rank.close()


def be(rank) -> None:
    """Run a program as that rank, in this process; does not return."""
    import json
    import runpy
    import socket
    import threading

    size, streams, _, _ = socket.recv_fds(rank, 4, 4)
    about = bytearray()
    while len(about) < int.from_bytes(size, "big"):
        about += rank.recv(65536)
    (module, *words), folder, environment = json.loads(about)
    # Who handed it over says no more: that one has been killed if this comes back.
    threading.Thread(target=lambda: (rank.recv(1), os._exit(1)), daemon=True).start()
    for descriptor, place in zip(streams, (0, 1, 2, int(environment[CONNECTION])), strict=True):
        os.dup2(descriptor, place)
    sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = [module, *words]
    code = 0
    try:
        runpy.run_module(module, run_name="__main__")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(bool(end.code))
    from mpi4py import MPI

    MPI.Finalize()
    sys.stdout.flush()
    sys.stderr.flush()
    rank.send(bytes([code]))
    os._exit(code)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2], sys.argv[3:])
    else:
        sys.exit(hand_over(sys.argv[1], sys.argv[2:]))
