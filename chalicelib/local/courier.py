"""The courier of the embedded home: it delivers notices beside the engine's loop, never in it.

A webhook that hangs keeps the courier waiting, and no run. What fails comes again after a pause
that doubles; after ``MOST_TRIES`` of them, or at once where it is hopeless, the notice is dead.
A target that failed rests for the first pause, or as long as it says, so that the notices of one
that hangs do not use up the time of all others. Who dies after a delivery and before it is noted
delivers again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from chalicelib.core.errors import Refused, Unavailable
from chalicelib.core.notice import Notice
from chalicelib.local.notices import LocalNotices, Waiting
from chalicelib.notice_ports import pause_after

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
        self._is_broken = False
        self._rests: dict[str, datetime] = {}
        """Targets that failed, and until when nothing is sent to them."""

    def turn(self) -> bool:
        """See to it that what is due is being delivered; return whether anything was begun."""
        if self._is_at_it() or not self._notices.due(limit=1, without=self._resting()):
            return False
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)
        self._thread.start()
        return True

    def finish(self, seconds: float) -> None:
        """Deliver what is due before the process ends, but wait no longer for it than that.

        That is also what was announced while another notice was on its way.
        """
        ends_at = time.monotonic() + seconds
        while (self._is_at_it() or self.turn()) and time.monotonic() < ends_at:
            if self._thread is not None:
                self._thread.join(max(0.0, ends_at - time.monotonic()))
            if self._is_broken:
                return

    def deliver_due(self) -> None:
        """Try each notice once whose turn it is."""
        for waiting in self._notices.due(without=self._resting()):
            if waiting.target not in self._resting():
                self._try(waiting)

    def _is_at_it(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _resting(self) -> set[str]:
        now = self._clock()
        return {target for target, until in self._rests.items() if until > now}

    def _run(self) -> None:
        """An entry point: it is begun again at the loop's next turn."""
        try:
            self._is_broken = False
            self.deliver_due()
        except Exception:
            self._is_broken = True
            log.exception("the courier goes on")

    def _try(self, waiting: Waiting) -> None:
        """A bug of ours counts as a failure, too: the notices behind it have their turn."""
        notice = waiting.notice
        try:
            self._deliver(notice)
        except Refused as exc:
            self._fail(notice, str(exc), None)
        except Unavailable as exc:
            self._put_off(waiting, exc, str(exc))
        except Exception as exc:
            log.exception("notice %s cannot be delivered", notice.told.id)
            self._put_off(waiting, exc, f"something went wrong here: {type(exc).__name__}")
        else:
            self._notices.delivered(notice)

    def _put_off(self, waiting: Waiting, error: Exception, reason: str) -> None:
        now = self._clock()
        pause = pause_after(error, PAUSE_SECONDS * 2**waiting.tries)
        self._rests[waiting.target] = now + timedelta(seconds=pause_after(error, PAUSE_SECONDS))
        is_dead = waiting.tries + 1 >= MOST_TRIES
        self._fail(waiting.notice, reason, None if is_dead else now + timedelta(seconds=pause))

    def _fail(self, notice: Notice, reason: str, again_at: datetime | None) -> None:
        what = "is dead; falsework redrive sends it again" if again_at is None else "comes again"
        log.warning("notice %s %s: %s", notice.told.id, what, reason)
        self._notices.failed(notice, reason, again_at)
