"""What every `World` promises, as one function that each of them runs: `python -m tests.worlds` under MPI, for one."""

from __future__ import annotations

import os
import time

import numpy as np
import pytest

from runkit.errors import UserError
from runkit.mpi import World, launch


def check(world: World) -> None:
    """Raise AssertionError where a method does not do what its docstring says; collective."""
    _check_values(world)
    _check_work(world)
    _check_errors(world)
    _check_groups(world)
    _check_shared_counter(world)
    world.barrier()


def _check_values(world: World) -> None:
    r, n = world.rank, world.size
    last = n - 1
    assert world.is_root == (r == 0) and 0 <= r < n
    assert world.bcast(("hello", r)) == ("hello", 0) and world.bcast(r, root=last) == last
    assert world.all_gather(r * r) == [i * i for i in range(n)]
    assert world.gather(r) == (list(range(n)) if r == 0 else None)
    assert world.gather(r, root=last) == (list(range(n)) if r == last else None)
    assert world.sum(r + 1) == n * (n + 1) // 2 and world.max(-r) == 0
    tenths = world.sum(0.1 * (r + 1))
    assert tenths == sum((0.1 * (i + 2) for i in range(last)), start=0.1), "not added in the order of ranks"
    assert np.array_equal(world.sum(np.full(3, r)), np.full(3, n * last // 2))
    time.sleep(0.05 * (r == last))
    came = time.monotonic()
    world.barrier()
    left = time.monotonic()
    assert max(world.all_gather(came)) <= min(world.all_gather(left)), "a rank did not wait for another"


def _check_work(world: World) -> None:
    shares = world.all_gather(world.share(7))
    assert [i for part in shares for i in part] == list(range(7))
    assert world.each(lambda i: i * i, 7) == [i * i for i in range(7)] and world.each(str, 0) == []
    called: list[int] = []

    def note(number: int, *, twice: bool) -> int:
        called.append(number)
        return world.rank + number * (2 if twice else 1)

    assert world.on_root(note, 4, twice=True) == 8 and called == [4] * world.is_root


def _check_errors(world: World) -> None:
    def fail(i: int) -> None:
        if i in (0, 4, 6):
            raise UserError(f"number {i} cannot be")

    with pytest.raises(UserError, match="number 0 cannot be"):
        world.on_root(fail, 0)
    with pytest.raises(UserError, match="number 4 cannot be"):
        world.each(lambda i: fail(i + 1), 7)
    assert world.all_gather("goes on") == ["goes on"] * world.size


def _check_groups(world: World) -> None:
    r, n = world.rank, world.size
    for _ in range(2):  # the same groups can be made again
        group = world.split(r % 2)
        assert group.all_gather(r) == list(range(r % 2, n, 2)) and group.all_gather(group.rank) == [*range(group.size)]
    alone = world.split(r)
    assert (alone.rank, alone.size, alone.all_gather(r)) == (0, 1, [r])
    inner = group.split(-group.rank)  # colors need not be counted, and a group can be split again
    assert (inner.size, inner.bcast(r)) == (1, r)
    node = world.node()
    assert node.all_gather(r) == list(range(n)), "the tests run on one node"
    ended: list[float] = []

    def work(seconds: float) -> None:
        time.sleep(seconds)
        ended.append(time.monotonic())

    world.first_on_each_node(work, 0.1 * world.is_root)
    all_ended = world.all_gather(ended)
    assert all(len(one) == 1 and one[0] >= all_ended[0][0] for one in all_ended)


def _check_shared_counter(world: World) -> None:
    for n_each in (3, 2):  # a counter begins at 0, also after another one
        counter, other = world.shared_counter(), world.shared_counter()
        mine = [counter.next() for _ in range(n_each)]
        world.progress()
        assert mine == sorted(mine), "an older number came later"
        taken = sorted(number for part in world.all_gather(mine) for number in part)
        assert taken == list(range(n_each * world.size)), "a number was given twice, or never"
        assert sorted(world.all_gather(other.next())) == list(range(world.size))
        counter.free()
        other.free()
    group = world.split(world.rank % 2)  # each group has a counter of its own
    own = group.shared_counter()
    assert sorted(group.all_gather(own.next())) == list(range(group.size))
    own.free()


def main(world: World) -> None:
    """Check the ranks that were started together."""
    check(world)
    os.write(1, f"{type(world).__name__} of {world.size}: as promised\n".encode())


if __name__ == "__main__":
    launch(main)
