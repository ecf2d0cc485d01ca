"""What is needed next is prepared by a thread of its own while the present is at work."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def one_ahead(batches: Iterator[Sequence[Item]], prepare: Callable[[Item], Result]) -> Generator[list[Result]]:
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
