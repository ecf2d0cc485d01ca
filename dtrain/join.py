"""How processes that were started together find one another, and check that they belong together.

Under an MPI launcher rank 0 opens a store at a port that is free, and MPI carries the address to the
others. `deepspeed`, `torchrun` and others who set MASTER_ADDR and MASTER_PORT name the place themselves; another
training may sit there, so a token is compared before anybody takes part.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import time
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from itertools import count
from typing import Any, NamedTuple

import torch.distributed as dist
from torch.distributed.rendezvous import rendezvous

from runkit.config import Config, dump_toml
from runkit.errors import UserError
from runkit.launcher import LOCAL_RANK, LOCAL_SIZE, job_token, local, torch_launch
from runkit.mpi import MpiWorld
from runkit.mpi import connect as connect_mpi

JOIN_SECONDS = 120  # until all processes must have found each other
_ADDRESS, _PORT = "MASTER_ADDR", "MASTER_PORT"


class Party(NamedTuple):
    """This process among all, and among those of its node; `mpi` is the group of all where MPI has brought them."""

    rank: int
    size: int
    local_rank: int
    local_size: int
    mpi: MpiWorld | None


def find() -> Party:
    """The processes that were started together, by MPI or the launcher; raises UserError if these contradict."""
    launched = torch_launch()
    if launched.size == 1 or (os.environ.get(_ADDRESS) and os.environ.get(_PORT)):
        return Party(launched.rank, launched.size, local(LOCAL_RANK, 0), local(LOCAL_SIZE, 1), None)
    try:
        world = connect_mpi()
    except UserError as error:
        raise UserError(f"{error}; or set {_ADDRESS} to the node of rank 0 and {_PORT} to a free port of it") from error
    node = world.node()
    mpi = world if isinstance(world, MpiWorld) and world.size > 1 else None
    return Party(world.rank, world.size, node.rank, node.size, mpi)


def join(party: Party, purpose: Config | None) -> dist.Store:
    """The key-value store that all processes share; `purpose` is what they were started for.

    Raises UserError if they cannot be found, or if others are found in their place.
    """
    if party.size == 1:
        return dist.HashStore()
    if party.mpi is None:
        token = sha256((dump_toml(purpose) if purpose else "").encode()).hexdigest()
        store = _at_given_place()
        _meet(store, party, f"{party.size} processes, {token}, {job_token()}")
        return store
    problem, found = "", None
    try:
        found, token = _at_free_port(party.mpi)
        _meet(found, party, token)
    except UserError as error:
        problem = str(error)
    problems = [text for text in party.mpi.all_gather(problem) if text]
    if problems:
        raise UserError(problems[0])
    assert found is not None
    return found


def all_gather(store: dist.Store, party: Party, name: str) -> Callable[[Any], list[Any]]:
    """A collective function that gives the values of all processes, in their order; values are types of JSON."""
    turns = count()

    def gather(value: Any) -> list[Any]:
        key = f"{name} {next(turns)}"
        try:
            store.set(f"{key} of {party.rank}", json.dumps(value))
            if party.rank == 0:
                store.set(key, json.dumps([json.loads(store.get(f"{key} of {rank}")) for rank in range(party.size)]))
            values: list[Any] = json.loads(store.get(key))
        except (dist.DistError, RuntimeError) as error:
            raise _out_of_reach(error) from error
        return values

    return gather


def _at_given_place() -> dist.Store:
    try:
        store: dist.Store = next(rendezvous("env://", timeout=timedelta(seconds=JOIN_SECONDS)))[0]
    except (dist.DistError, RuntimeError, ValueError) as error:
        raise _out_of_reach(error) from error
    return store


def _at_free_port(mpi: MpiWorld) -> tuple[dist.Store, str]:
    """The store, and a token that no other launch has; collective."""
    is_one_node = all(mpi.all_gather(mpi.node().size == mpi.size))
    address = os.environ.get(_ADDRESS) or ("127.0.0.1" if is_one_node else socket.gethostname())
    store: dist.TCPStore | None = None

    def host() -> tuple[str, int, str]:
        nonlocal store
        store = _store(address, int(local((_PORT,), 0)), is_master=True)
        return address, store.port, secrets.token_hex(16)

    address, port, token = mpi.on_root(host)
    os.environ.update({_ADDRESS: address, _PORT: str(port)})  # DeepSpeed reads them
    return store or _store(address, port, is_master=False), token


def _store(address: str, port: int, is_master: bool) -> dist.TCPStore:
    seconds = timedelta(seconds=JOIN_SECONDS)
    try:
        return dist.TCPStore(address, port, is_master=is_master, timeout=seconds, wait_for_workers=False)
    except (dist.DistError, RuntimeError, ValueError) as error:
        os.environ.update({_ADDRESS: address, _PORT: str(port)})
        raise _out_of_reach(error) from error


def _meet(store: dist.Store, party: Party, token: str) -> None:
    """Wait until all processes of this launch are here; raises UserError if others are, or some are not."""
    if party.rank == 0:
        store.set("launch", token)
    try:
        found = store.get("launch").decode()
    except (dist.DistError, RuntimeError) as error:
        raise _out_of_reach(error) from error
    if found != token:
        raise UserError(f"another training is at {_place()}: set {_PORT} (deepspeed: --master_port) to a free port")
    if store.add(f"rank {party.rank} is here", 1) > 1:
        store.set("clash", str(party.rank))
    arrived, deadline = store.add("here", 1), time.monotonic() + JOIN_SECONDS
    while arrived < party.size and time.monotonic() < deadline and not store.check(["clash"]):
        time.sleep(0.05)
        arrived = store.add("here", 0)
    if store.check(["clash"]):
        rank = store.get("clash").decode()
        raise UserError(f"two processes say that they are rank {rank} of the training at {_place()}: set {_PORT}")
    if arrived < party.size:
        raise UserError(f"{arrived} of {party.size} processes came to {_place()} within {JOIN_SECONDS} s")


def _place() -> str:
    return f"{os.environ.get(_ADDRESS)}:{os.environ.get(_PORT)}"


def _out_of_reach(error: Exception) -> UserError:
    return UserError(
        f"{socket.gethostname()}: rank 0 is not to be had at {_place()} ({str(error).splitlines()[0]}); set {_ADDRESS} "
        f"to the node of rank 0 and {_PORT} (deepspeed: --master_port) to a free port of it"
    )
