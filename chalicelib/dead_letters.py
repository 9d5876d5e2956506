"""The port to what could not be taken in and was put aside, until it is sent back.

It is one of those of ``ports.py``, where the engine's own stand; the engine knows nothing of this
one. What is put aside, and how, is the home's affair: see ``aws/dead_letters.py``.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Redriven(NamedTuple):
    """What became of the dead letters."""

    sent_back: dict[str, int]
    """By the name of the queue, how many messages; empty where there are no queues."""
    left: int
    """How many could not be sent back and are dead letters still; the log says why of each."""
    has_more: bool
    """Whether there may be others: one call takes only so many."""


class DeadLetter(NamedTuple):
    """One of them, as it is listed."""

    id: str
    origin: str
    """The queue that it would be sent back to."""
    about: str
    """Who or what it was for."""
    reason: str
    tries: int
    since: str
    """When it was first sent, ISO 8601."""


class DeadLetters(Protocol):
    """Messages that nobody could take in, to be taken in again once the cause is mended."""

    def redrive(self) -> Redriven:
        """Send each dead letter back to where it came from, as it came.

        A letter may go back twice, and none is lost; what fails again is a dead letter again.
        Raises Refused where nothing is ever put aside, and Unavailable, with a part done.
        """
        ...

    def listed(self, limit: int) -> tuple[DeadLetter, ...]:
        """Return some of them, the oldest first. Raises Refused where they cannot be looked at
        without being taken."""
        ...
