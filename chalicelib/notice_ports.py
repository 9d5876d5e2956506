"""The port to those who are told what becomes of runs.

What is handed over is delivered by somebody else, later and as often as it takes: a run never
waits for a mail server.
"""

from __future__ import annotations

from typing import Protocol

from chalicelib.core.errors import Misconfigured
from chalicelib.core.notice import Notice


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
