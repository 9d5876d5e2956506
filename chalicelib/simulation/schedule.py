"""The virtual clock and the deeds that wait for their time. The only order of things there is."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
Deed = Callable[[], None]


class Entry(NamedTuple):
    """A line of the log."""

    seconds: float
    depth: int
    """How many deeds it happened in the midst of."""
    words: str
    during: str
    """The deed in whose midst something was noted."""


class Schedule:
    """Deeds by their time; equal times in the order in which they were planned."""

    def __init__(self) -> None:
        self.seconds = 0.0
        """Since ``START``; it only grows."""
        self.steps = 0
        self.log: list[Entry] = []
        self._doing = ""
        self.depth = 0
        self._numbers = itertools.count()
        self._waiting: list[tuple[float, int, str, Deed]] = []

    def now(self) -> datetime:
        """Return the virtual time."""
        return START + timedelta(seconds=self.seconds)

    def seconds_of(self, at: datetime) -> float:
        """Return when that is, on this clock."""
        return (at - START).total_seconds()

    def at(self, seconds: float, words: str, deed: Deed) -> None:
        """Plan a deed; a time gone by means at once."""
        heapq.heappush(self._waiting, (seconds, next(self._numbers), words, deed))

    def after(self, seconds: float, words: str, deed: Deed) -> None:
        """Plan a deed that many seconds from now."""
        self.at(self.seconds + seconds, words, deed)

    def say(self, words: str) -> None:
        """Note something for whoever reads the log of a failure."""
        self.log.append(Entry(self.seconds, self.depth, words, self._doing))

    def step(self) -> bool:
        """Do the next deed; False when none is left."""
        if not self._waiting:
            return False
        seconds, _, words, deed = heapq.heappop(self._waiting)
        self.seconds = max(self.seconds, seconds)
        self.steps += 1
        self.log.append(Entry(self.seconds, self.depth, words, words))
        before, self._doing = self._doing, words
        deed()
        self._doing = before
        return True

    def pass_time(self, seconds: float, most_depth: int = 2) -> None:
        """Let time pass in the midst of a deed; the others that are due meanwhile happen first."""
        until = self.seconds + seconds
        if self.depth < most_depth:
            self.depth += 1
            while self._waiting and self._waiting[0][0] <= until:
                self.step()
            self.depth -= 1
        self.seconds = max(self.seconds, until)
