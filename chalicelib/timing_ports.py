"""When something is to happen, as protocols: a wake-up later, and a turn now.

The law of ``ports`` holds here too.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Timers(Protocol):
    """A wake-up call. It may be lost; the due index of the run store is the one that counts."""

    def wake(self, run_id: str, at: datetime) -> None:
        """See to it that TimerFired reaches the run soon after ``at``."""
        ...


class Pace(Protocol):
    """How often all processes together may submit jobs."""

    def admit(self, now: datetime) -> bool:
        """Take one of this second's turns; False when they are all taken."""
        ...
