"""The courier of the embedded home: it delivers notices beside the engine's loop, never in it.

A webhook that hangs keeps the courier waiting, and no run. What fails comes again after a pause
that doubles; after ``MOST_TRIES`` of them, or at once where it is hopeless, the notice is dead.
Who dies after a delivery and before it is noted delivers again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from chalicelib.core.errors import Refused, Unavailable
from chalicelib.core.notice import Notice
from chalicelib.local.notices import LocalNotices, Waiting

MOST_TRIES: Final = 8
PAUSE_SECONDS: Final = 5.0
"""After the first failure. It doubles: the eighth try is some ten minutes after the first."""

log = logging.getLogger(__name__)


class Courier:
    """Delivers what is due, one notice after the other, in a thread of its own."""

    def __init__(
        self,
        notices: LocalNotices,
        deliver: Callable[[Notice], None],
        clock: Callable[[], datetime],
    ) -> None:
        self._notices = notices
        self._deliver = deliver
        self._clock = clock
        self._thread: threading.Thread | None = None

    def turn(self) -> bool:
        """See to it that what is due is being delivered; return whether anything is."""
        if self._thread is not None and self._thread.is_alive():
            return False
        if not self._notices.due(limit=1):
            return False
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)
        self._thread.start()
        return True

    def finish(self, seconds: float) -> None:
        """Deliver what is due before the process ends, but wait no longer for it than that."""
        self.turn()
        if self._thread is not None:
            self._thread.join(seconds)

    def deliver_due(self) -> None:
        """Try each notice once whose turn it is."""
        for waiting in self._notices.due():
            self._try(waiting)

    def _run(self) -> None:
        """An entry point: it is begun again at the loop's next turn."""
        try:
            self.deliver_due()
        except Exception:
            log.exception("the courier goes on")

    def _try(self, waiting: Waiting) -> None:
        notice = waiting.notice
        try:
            self._deliver(notice)
        except Refused as exc:
            self._fail(notice, str(exc), None)
        except Unavailable as exc:
            pause = PAUSE_SECONDS * 2**waiting.tries
            is_dead = waiting.tries + 1 >= MOST_TRIES
            again_at = None if is_dead else self._clock() + timedelta(seconds=pause)
            self._fail(notice, str(exc), again_at)
        else:
            self._notices.delivered(notice)

    def _fail(self, notice: Notice, reason: str, again_at: datetime | None) -> None:
        what = "is dead; falsework redrive sends it again" if again_at is None else "comes again"
        log.warning("notice %s %s: %s", notice.told.id, what, reason)
        self._notices.failed(notice, reason, again_at)
