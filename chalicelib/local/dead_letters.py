"""Dead letters on one machine: notices that could not be delivered, and nothing else.

Without queues no request is put aside: it is answered while its sender waits; a request file
that was refused has its receipt, and is taken in again when it is put again; one without a receipt
is found by every look into the bucket.
"""

from __future__ import annotations

from chalicelib.dead_letters import DeadLetter, Redriven
from chalicelib.local.notices import LocalNotices


class LocalDeadLetters:
    """The DeadLetters of the embedded home."""

    def __init__(self, notices: LocalNotices) -> None:
        self._notices = notices

    def redrive(self) -> Redriven:
        """Have every dead notice delivered again by whoever drives the runs."""
        count = self._notices.revive()
        return Redriven({"notices": count} if count else {}, 0, has_more=False)

    def listed(self, limit: int) -> tuple[DeadLetter, ...]:
        """Return them, the oldest first."""
        return self._notices.dead(limit)
