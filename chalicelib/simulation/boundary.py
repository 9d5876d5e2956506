"""What may happen at every call of a port, whoever makes it.

::

    outage ─▶ Unavailable                      crash, throttling, error ─▶ before the effect
    time passes, others act ─▶ the effect ─▶   crash, error, timeout    ─▶ after it
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final

from chalicelib.core.errors import TurnedAway, Unavailable
from chalicelib.simulation.dice import Dice, Fault
from chalicelib.simulation.schedule import Schedule
from chalicelib.simulation.violations import Bug, Killed

LAMBDA_SECONDS: Final = 900
"""AWS Lambda developer guide, quotas: the longest timeout. The grace is 60 s longer."""
_USUAL_SECONDS: Final = 0.004


class Service(StrEnum):
    """What has its outages by itself."""

    DYNAMODB = "DynamoDB"
    BATCH = "Batch"
    S3 = "S3"
    SQS = "SQS"


class Boundary:
    """Where our code meets the outside."""

    def __init__(self, schedule: Schedule, dice: Dice) -> None:
        self.calls = 0
        self._schedule = schedule
        self._dice = dice
        self._how = dice.stream("boundary")
        self._outages: list[tuple[Service, float, float]] = []
        self._deadlines: list[float] = []

    def plan_outage(self, service: Service, start: float, end: float) -> None:
        """Have the service down from ``start`` to ``end``."""
        self._outages.append((service, start, end))

    def enter(self) -> None:
        """An invocation begins, with a timeout of its own."""
        self._deadlines.append(self._schedule.seconds + LAMBDA_SECONDS)

    def leave(self) -> None:
        """The innermost invocation is over."""
        self._deadlines.pop()

    def meet(self, service: Service, words: str, effect: Callable[[], Any]) -> Any:
        """Return what ``effect`` does. Raises Unavailable, Killed, Bug."""
        self.calls += 1
        schedule = self._schedule
        if self._outages and self._is_down(service):
            raise Unavailable(f"{service} is down")
        fault = self._dice.at_call()
        if fault is None:
            schedule.seconds += _USUAL_SECONDS
            result = effect()
            self._watch_the_clock(words)
            return result
        schedule.say(f"{words}: {fault}")
        return self._trouble(fault, words, effect)

    def _trouble(self, fault: Fault, words: str, effect: Callable[[], Any]) -> Any:
        match fault:
            case Fault.CRASH_BEFORE:
                raise Killed(words)
            case Fault.ERROR_BEFORE:
                raise Unavailable(f"{words}: {fault}")
            case Fault.THROTTLED:
                raise TurnedAway(f"{words}: {fault}")
            case Fault.BUG:
                raise Bug(words)
            case Fault.SLOW:
                self._schedule.pass_time(self._how.uniform(1, 60))
            case Fault.HANGING:
                self._schedule.pass_time(self._how.uniform(0, LAMBDA_SECONDS))
            case Fault.OVERTAKEN:
                self._schedule.pass_time(self._how.choice((0.1, 1, 10, 60)))
        self._watch_the_clock(words)
        result = effect()
        if fault is Fault.CRASH_AFTER:
            raise Killed(words)
        if fault is Fault.ERROR_AFTER:
            raise Unavailable(f"{words}: {fault}")
        return result

    def _watch_the_clock(self, words: str) -> None:
        if self._deadlines and self._schedule.seconds > self._deadlines[-1]:
            self._schedule.say(f"{words}: the invocation's time is over")
            raise Killed(words)

    def _is_down(self, service: Service) -> bool:
        now = self._schedule.seconds
        return any(each is service and start <= now < end for each, start, end in self._outages)


class WorkerBoundary(Boundary):
    """Where a worker in its container meets the outside: it has no timeout, and time passes
    between its steps, where it can also be killed; not within them."""

    def _trouble(self, fault: Fault, words: str, effect: Callable[[], Any]) -> Any:
        if fault in {Fault.SLOW, Fault.HANGING, Fault.OVERTAKEN, Fault.BUG}:
            return effect()
        return super()._trouble(fault, words, effect)


class Troubled:
    """A port, each of whose calls goes through the boundary."""

    def __init__(self, port: object, service: Service, boundary: Boundary) -> None:
        self._port = port
        self._service = service
        self._boundary = boundary

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        meet, service = self._boundary.meet, self._service
        words = f"{service}.{name}"

        def call(*args: Any, **named: Any) -> Any:
            return meet(service, words, lambda: method(*args, **named))

        setattr(self, name, call)
        return call
