"""Invocations of our code: each may die, and whoever called it calls again in its own way."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import Final

from chalicelib.core.errors import Conflict, NotFound, StaleRun, Unavailable
from chalicelib.simulation.boundary import Boundary
from chalicelib.simulation.schedule import Deed, Schedule
from chalicelib.simulation.violations import Bug, Findings, Killed, StrictnessError

Again = Callable[[int], float | None]
"""After that many attempts: seconds until the next one, or None for giving up."""

WEEK: Final = 7 * 24 * 3600


def asynchronously(attempts: int) -> float | None:
    """Lambda developer guide, asynchronous invocation: two more tries, after 1 and 2 minutes."""
    return None if attempts > 2 else 60.0 * attempts


def from_a_queue(attempts: int) -> float | None:
    """Six times the timeout is the visibility that AWS asks for; ours gives up after five."""
    return None if attempts >= 5 else 300.0


def never(attempts: int) -> float | None:  # noqa: ARG001 -- an Again
    """The next sweep comes by itself."""
    return None


def patient(attempts: int) -> float | None:
    """A user who got no answer asks again, a little later each time."""
    return None if attempts > 60 else min(3600.0, 5.0 * 2**attempts)


class Lambdas:
    """Runs deeds of ours. ``off`` are the times in which nothing of ours runs.

    Only a user may be told that what he wants does not fit.
    """

    def __init__(self, schedule: Schedule, boundary: Boundary, findings: Findings) -> None:
        self._schedule = schedule
        self._boundary = boundary
        self._findings = findings
        self.off: list[tuple[float, float]] = []

    def invoke(self, words: str, deed: Deed, again: Again, attempts: int = 1) -> bool:
        """Return whether it went well; if not, it is planned again as ``again`` says."""
        end = self.off_until()
        if end is not None:
            later = end + 60.0 * attempts
            self._schedule.at(later, words, lambda: self._again(words, deed, again, attempts))
            return False
        if self._run(words, deed, again):
            return True
        wait = again(attempts)
        if wait is not None:
            self._schedule.after(
                wait, f"again: {words}", lambda: self._again(words, deed, again, attempts + 1)
            )
        return False

    def _again(self, words: str, deed: Deed, again: Again, attempts: int) -> None:
        self.invoke(words, deed, again, attempts)

    def off_until(self) -> float | None:
        """Return until when nothing of ours runs, if that is so now."""
        now = self._schedule.seconds
        return next((end for start, end in self.off if start <= now < end), None)

    def _run(self, words: str, deed: Deed, again: Again) -> bool:
        self._boundary.enter()
        try:
            deed()
        except Killed:
            self._schedule.say(f"{words}: died")
            return False
        except (Unavailable, StaleRun, Bug) as exc:
            self._schedule.say(f"{words}: {type(exc).__name__}")
            return False
        except StrictnessError:
            return True
        except Exception as exc:  # noqa: BLE001 -- an entry point, and whatever comes is told
            if not (again is patient and isinstance(exc, Conflict | NotFound)):
                self._findings.violate(f"{_named(exc)}, during {words}")
            self._schedule.say(f"{words}: {type(exc).__name__}: {exc}")
        finally:
            self._boundary.leave()
        return True


class Listening(logging.Handler):
    """Hears what the sweep logs and goes on after; only what may pass is no fault of ours."""

    def __init__(self, findings: Findings) -> None:
        super().__init__(logging.WARNING)
        self._findings = findings

    def emit(self, record: logging.LogRecord) -> None:
        """Note it as a violation."""
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and not isinstance(error, Unavailable | StaleRun | Bug):
            self._findings.violate(f"{_named(error)}, which was logged: {record.getMessage()}")


def _named(error: BaseException) -> str:
    where = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{where.filename.rpartition('chalicelib/')[2]}, line {where.lineno}"
    return f"{type(error).__name__}: {error} ({place})"
