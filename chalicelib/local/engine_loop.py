"""What EventBridge, the wake queue and the scheduled sweep are in AWS, in one loop on one machine.

::

    start jobs, find lost ones → job changes → wake-ups → the sweep
          → request files → works → configs and their schedules → again
                                                                     notices, in a thread beside it

and once a day, at 9 o'clock UTC or when it begins later, the file systems' clean-ups.

Only the holder of ROOT's lock does this; the others try for the lock each second, so that a
survivor takes over. Nothing is lost between two holders: job changes are numbered, and the number
up to which they were handled is stored after they were. A new holder first looks at every run
that is not settled.

The loop is an entry point: one run's trouble is logged and does not stop the others'.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import Final, Protocol

from chalicelib import calls, file_intake
from chalicelib import engine as real_engine
from chalicelib.configs.tending import tend_all
from chalicelib.configs.ticking import spawn_due
from chalicelib.core.errors import Conflict, NotFound, StaleRun, Unavailable
from chalicelib.core.events import Event, TimerFired
from chalicelib.core.run import Run
from chalicelib.job_ports import JobSeen
from chalicelib.local.home import Home
from chalicelib.local.request_files import RequestFiles
from chalicelib.ports import Ports
from chalicelib.works.pushing import push

POLL_SECONDS: Final = 0.05
"""Four small queries each time: well under a hundredth of a core."""
STANDBY_SECONDS: Final = 1.0
SWEEP_SECONDS: Final = 1.0
REQUESTS_SECONDS: Final = 0.5
CONFIGS_SECONDS: Final = 3.0
"""All live works of configs are read each time: a third of a second for two thousand."""
CLEANUP_SECONDS: Final = 60.0
CLEANUP_HOUR: Final = 9
"""When AWS's schedule says so, too (``settings.EventSources``)."""
LAST_NOTICES_SECONDS: Final = 6.0
"""What a process that ends still gives its notices: one webhook that hangs, and a bit."""
AGAIN_SECONDS: Final = 1.0
"""How long after a failure the same is tried again."""
_ALL: Final = 1_000_000

log = logging.getLogger(__name__)


class Engine(Protocol):
    """What the loop drives: the module ``chalicelib.engine``."""

    def handle(self, event: Event, ports: Ports) -> Run:
        """Apply an event to its run."""
        ...

    def sweep(self, ports: Ports, *, limit: int = 100, everything: bool = False) -> int:
        """Look at the runs that are due, or at all that are not settled."""
        ...


class Loop:
    """Drives the runs of one home while it holds the lock of it."""

    def __init__(
        self, home: Home, requests: RequestFiles | None = None, engine: Engine = real_engine
    ) -> None:
        self._home = home
        self._ports = home.ports
        self._engine = engine
        self._requests = requests or RequestFiles(home.root, home.ports)
        self._seen_seq = 0
        self._undelivered: dict[str, JobSeen] = {}
        self._has_swept_all = False
        self._has_trouble = False
        self._next: dict[str, float] = {}
        self._cleaned_on: date | None = None

    def run_forever(self, stop: threading.Event) -> None:
        """Drive, or stand by, until ``stop`` is set. Whoever held the lock before keeps it."""
        self._drive(stop.is_set, stop.wait)

    def run_until(self, is_done: Callable[[], bool]) -> None:
        """Drive, or stand by, until ``is_done`` says so; it is asked in each round."""
        self._drive(is_done, time.sleep)

    def turn(self) -> bool:
        """Do once what there is to do; return whether there was anything. Needs the lock."""
        parts = (
            self._home.jobs.pump,
            self._deliver_changes,
            self._deliver_again,
            self._fire_timers,
            self._sweep,
            self._watch_requests,
            self._push_works,
            self._tend_configs,
            self._clean_up,
            self._home.courier.turn,
        )
        self._has_trouble = False
        done = [self._guarded(part) for part in parts]
        return any(done)

    def _drive(self, is_over: Callable[[], bool], wait: Callable[[float], object]) -> None:
        lock = self._home.lock
        was_held, is_driving = lock.is_held, False
        try:
            while not is_over():
                if not is_driving:
                    is_driving = (lock.is_held or lock.acquire()) and self._take_over()
                    if not is_driving:
                        wait(STANDBY_SECONDS)
                    continue
                has_done = self.turn()
                if self._has_trouble:
                    wait(AGAIN_SECONDS)
                elif not has_done:
                    wait(POLL_SECONDS)
        finally:
            if is_driving:
                self._home.courier.finish(LAST_NOTICES_SECONDS)
            if not was_held:
                lock.release()

    def _take_over(self) -> bool:
        """Begin where the last holder stopped; every run is looked at once."""
        self._has_swept_all = False
        try:
            self._seen_seq = self._home.jobs.acknowledged()
        except Exception:
            log.exception("the engine cannot begin yet")
            return False
        return True

    def _guarded(self, part: Callable[[], bool]) -> bool:
        try:
            return part()
        except Exception:
            log.exception("the engine goes on")
            self._has_trouble = True
            return False

    def _deliver_changes(self) -> bool:
        changed, last = self._home.jobs.changes(self._seen_seq)
        for seen in changed:
            self._undelivered.pop(seen.job_id, None)
            self._deliver(seen)
        if changed:
            self._home.jobs.acknowledge(last)
            self._seen_seq = last
        return bool(changed)

    def _deliver_again(self) -> bool:
        if not self._undelivered or not self._is_time("again", AGAIN_SECONDS):
            return False
        waiting, self._undelivered = self._undelivered, {}
        for seen in waiting.values():
            self._deliver(seen)
        return True

    def _deliver(self, seen: JobSeen) -> None:
        """Hand the change to its run; a job without one, or with a foreign name, is not ours."""
        if seen.run_id is None:
            return
        event = calls.job_changed(seen, seen.run_id, self._ports.clock())
        if event is not None and not self._handle(event):
            self._undelivered[seen.job_id] = seen

    def _handle(self, event: Event) -> bool:
        """Return False if the event must come again; what cannot be handled at all is logged."""
        try:
            self._engine.handle(event, self._ports)
        except (Unavailable, StaleRun):
            log.warning(
                "run %s: %s comes again", event.run_id, type(event).__name__, exc_info=True
            )
            return False
        except (NotFound, Conflict) as exc:
            log.info("run %s: %s does not fit: %s", event.run_id, type(event).__name__, exc)
        except Exception:
            log.exception("run %s: %s failed", event.run_id, type(event).__name__)
        return True

    def _fire_timers(self) -> bool:
        due = self._home.timers.take_due(self._ports.clock())
        for run_id in due:
            event = TimerFired(run_id=run_id, at=self._ports.clock())
            if not self._handle(event):
                later = self._ports.clock() + timedelta(seconds=AGAIN_SECONDS)
                self._home.timers.wake(run_id, later)
        return bool(due)

    def _sweep(self) -> bool:
        if not self._is_time("sweep", SWEEP_SECONDS) and self._has_swept_all:
            return False
        if self._has_swept_all:
            return self._engine.sweep(self._ports) > 0
        self._engine.sweep(self._ports, limit=_ALL, everything=True)
        self._has_swept_all = True
        return True

    def _watch_requests(self) -> bool:
        return self._is_time("requests", REQUESTS_SECONDS) and self._requests.scan() > 0

    def _push_works(self) -> bool:
        is_due = bool(self._ports.site.work_sites) and self._is_time("works", SWEEP_SECONDS)
        return is_due and push(self._home.works, self._ports) > 0

    def _tend_configs(self) -> bool:
        """Schedules spawn, and stages of pipelines follow each other; nobody waits for it here."""
        if self._is_time("configs", CONFIGS_SECONDS):
            spawn_due(self._home.works, self._ports)
            tend_all(self._home.works, self._ports)
        return False

    def _clean_up(self) -> bool:
        """A second time on one day starts nothing, whichever process was the first."""
        now = self._ports.clock()
        is_over = self._cleaned_on == now.date() or now.hour < CLEANUP_HOUR
        if is_over or not self._ports.site.file_system_cleanups:
            return False
        if not self._is_time("clean-up", CLEANUP_SECONDS):
            return False
        file_intake.submit_cleanups(self._ports)
        self._cleaned_on = now.date()
        return True

    def _is_time(self, what: str, every_seconds: float) -> bool:
        now = time.monotonic()
        if now < self._next.get(what, now):
            return False
        self._next[what] = now + every_seconds
        return True
