"""EventBridge and SQS on the way to our code: at least once, in any order, and not always."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Final

from chalicelib import calls, engine
from chalicelib.core.events import TimerFired
from chalicelib.core.limits import SQS_DELAY_SECONDS
from chalicelib.job_ports import JobSeen
from chalicelib.ports import Ports
from chalicelib.simulation.dice import Dice, Fault
from chalicelib.simulation.lambdas import Lambdas, asynchronously, from_a_queue
from chalicelib.simulation.schedule import Schedule

DAY: Final = 24 * 3600.0


class Bus:
    """Brings the changes of jobs, and wake-ups, to the engine."""

    def __init__(self, schedule: Schedule, dice: Dice, lambdas: Lambdas) -> None:
        self._schedule = schedule
        self._dice = dice
        self._lambdas = lambdas
        self._how = dice.stream("bus")
        self.ports: Callable[[], Ports]
        self.has_told: set[str] = set()
        """Ids of jobs of which at least one event was not dropped."""

    def tell(self, seen: JobSeen) -> None:
        """Send a job's change."""
        times = 1 + self._dice.strikes(Fault.EVENT_DUPLICATED)
        for _ in range(times):
            if self._dice.strikes(Fault.EVENT_DROPPED):
                self._schedule.say(f"dropped: {seen.name} {seen.job_id} is {seen.status}")
                continue
            self.has_told.add(seen.job_id)
            is_late = self._dice.strikes(Fault.EVENT_LATE)
            delay = self._how.uniform(60, DAY) if is_late else self._how.expovariate(1)
            words = f"event: {seen.name} ({seen.job_id}) is {seen.status}"
            self._schedule.after(delay, words, partial(self._deliver, seen, words))

    def wake(self, run_id: str, at: datetime) -> None:
        """Send a wake-up; later than SQS can delay it is left to the due index (Timers)."""
        delay = max(0.0, self._schedule.seconds_of(at) - self._schedule.seconds)
        if delay > SQS_DELAY_SECONDS:
            return
        times = 1 + self._dice.strikes(Fault.WAKE_DUPLICATED)
        for _ in range(times):
            if self._dice.strikes(Fault.WAKE_LOST):
                continue
            late = self._how.expovariate(1)
            self._schedule.after(delay + late, f"wake {run_id}", lambda: self._fire(run_id))

    def _deliver(self, seen: JobSeen, words: str) -> None:
        def deed() -> None:
            ports = self.ports()
            changed = calls.job_changed(seen, seen.run_id or "", ports.clock())
            if changed is not None:
                engine.handle(changed, ports)

        self._lambdas.invoke(words, deed, asynchronously)

    def _fire(self, run_id: str) -> None:
        def deed() -> None:
            ports = self.ports()
            engine.handle(TimerFired(run_id=run_id, at=ports.clock()), ports)

        self._lambdas.invoke(f"wake {run_id}", deed, from_a_queue)
