"""A thread prepares the next batch while the present one is in use."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def prefetched(batches: Iterator[Sequence[Item]], prepare: Callable[[Item], Result]) -> Generator[list[Result]]:
    """Batches of prepared items; while one is in use the next one is taken and prepared, and no other.

    What `prepare` raises is raised where its batch would come; what is not begun by then is not prepared.
    """
    pool = ThreadPoolExecutor(1)

    def begin() -> list[Future[Result]]:
        return [pool.submit(prepare, item) for item in next(batches, ())]

    try:
        following = begin()
        while following:
            ready = [future.result() for future in following]
            following = begin()
            yield ready
    finally:
        pool.shutdown(cancel_futures=True)
