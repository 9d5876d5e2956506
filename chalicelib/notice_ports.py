"""The port to those who are told what becomes of runs.

What is handed over is delivered by somebody else, later and as often as it takes: a run never
waits for a mail server.
"""

from __future__ import annotations

from typing import Final, Protocol

from chalicelib.core.errors import Misconfigured, Unavailable
from chalicelib.core.notice import Notice

LONGEST_REST_SECONDS: Final = 6 * 3600
"""However long a receiver asks to be left alone; SQS hides a message for 12 hours at most."""


class NotYet(Unavailable):
    """The receiver has said for how long it is not to be asked again."""

    def __init__(self, message: str, *, after_seconds: float) -> None:
        super().__init__(message)
        self.after_seconds = after_seconds


def pause_after(error: Exception, seconds: float) -> float:
    """Return how long to wait after the error: ``seconds``, or what the receiver asked for."""
    asked = error.after_seconds if isinstance(error, NotYet) else 0.0
    return max(seconds, min(asked, LONGEST_REST_SECONDS))


class Announcer(Protocol):
    """What takes notices on their way."""

    def announce(self, notice: Notice) -> None:
        """Keep the notice until it is delivered; the same one again may be delivered again.

        Raises Unavailable, and then it is not kept.
        """
        ...


class NoAnnouncer:
    """The Announcer of those who have none; no plan of theirs announces anything."""

    def announce(self, notice: Notice) -> None:
        """Refuse."""
        raise Misconfigured(f"notice {notice.told.id} cannot be sent: nothing sends any here")
