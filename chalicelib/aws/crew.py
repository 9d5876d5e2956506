"""Threads that work through one iterator, each taking the next item when it is free.

So memory does not grow with the number of items. Measured against asyncio with as many transfers
at a time, 10,000 files of 4 KiB through obstore on two cores: as fast upwards, a sixth faster
downwards, with half of the CPU time. And a file system that answers slowly holds up one transfer
instead of the loop that all of them share.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Stopped(Exception):
    """Another item has failed: what can be given up in the middle is to be."""


class Crew(Generic[Item]):
    """One pass through ``items``; ``done`` is told of each that is finished, one at a time."""

    def __init__(self, items: Iterable[Item], done: Callable[[Item], None]) -> None:
        self._items = iter(items)
        self._done = done
        self._taking = threading.Lock()
        self._telling = threading.Lock()
        self._failure: BaseException | None = None

    def work(self, work: Callable[[Item], None], hands: int) -> None:
        """Do ``work`` for every item. The first failure ends it and is raised."""
        threads = [threading.Thread(target=self._take_turns, args=(work,)) for _ in range(hands)]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        except BaseException as exc:
            self._fail(exc)
            for thread in threads:
                if thread.ident is not None:
                    thread.join()
            raise
        if self._failure is not None:
            raise self._failure

    def check(self) -> None:
        """Raise Stopped if something has failed; long work asks now and then."""
        if self._failure is not None:
            raise Stopped

    def tell(self, listener: Callable[[int], None], size_bytes: int) -> None:
        """Tell a listener something, while nobody else is told anything."""
        with self._telling:
            listener(size_bytes)

    def _take_turns(self, work: Callable[[Item], None]) -> None:
        try:
            while self._failure is None:
                with self._taking:
                    item = next(self._items, None)
                if item is None:
                    return
                work(item)
                with self._telling:
                    self._done(item)
        except BaseException as exc:  # noqa: BLE001 -- it is raised where the threads were begun
            self._fail(exc)

    def _fail(self, exc: BaseException) -> None:
        if self._failure is None and not isinstance(exc, Stopped):
            self._failure = exc
