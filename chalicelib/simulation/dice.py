"""What may strike, how often, and the dice: one seed decides everything.

Every kind of fault has a stream of its own, so that switching one off leaves the others' throws
as they were: that is what makes a failure shrink.
"""

from __future__ import annotations

from enum import StrEnum
from random import Random
from typing import Final, NamedTuple


class Fault(StrEnum):
    """Everything that can be switched on and off."""

    ERROR_BEFORE = "error before the effect"
    ERROR_AFTER = "effect, then an error"
    THROTTLED = "throttled"
    SLOW = "a slow call"
    HANGING = "latency past the timeout"
    CRASH_BEFORE = "crash before a call"
    CRASH_AFTER = "crash after a call"
    OVERTAKEN = "others act during a call"
    OUTAGE = "outage of a service"
    ENGINE_OFF = "nothing of ours runs for a while"
    STALE_DUE = "stale due index"
    LISTING_LAGS = "a job is not listed for up to 60 s"
    EVENT_DUPLICATED = "event duplicated"
    EVENT_LATE = "event late by up to a day"
    EVENT_DROPPED = "event dropped"
    WAKE_DUPLICATED = "wake-up duplicated"
    WAKE_LOST = "wake-up lost"
    SPOT = "Spot reclaim"
    IMAGE_PULL = "image pull error"
    DOCKER_TIMEOUT = "Docker timeout"
    OUT_OF_MEMORY = "out of memory"
    USER_FAILS = "the user's command fails"
    NO_HOST = "no host for a long time"
    WORKER_FAILS = "our worker fails"
    WORKER_REFUSES = "our worker cannot carry its order out"
    EXTRA_COPY = "Batch runs a second job of the name"
    SUBMIT_TWICE = "the user submits again"
    CANCEL = "the user cancels"
    RESUME = "the user resumes"
    ROLL_BACK = "the user rolls back"
    BUG = "a call raises what nobody foresaw"


RATES: Final[dict[Fault, float]] = {
    Fault.ERROR_BEFORE: 0.015,
    Fault.ERROR_AFTER: 0.015,
    Fault.THROTTLED: 0.01,
    Fault.SLOW: 0.02,
    Fault.HANGING: 0.004,
    Fault.CRASH_BEFORE: 0.008,
    Fault.CRASH_AFTER: 0.008,
    Fault.OVERTAKEN: 0.04,
    Fault.OUTAGE: 0.5,
    Fault.ENGINE_OFF: 0.1,
    Fault.STALE_DUE: 0.1,
    Fault.LISTING_LAGS: 0.5,
    Fault.EVENT_DUPLICATED: 0.1,
    Fault.EVENT_LATE: 0.03,
    Fault.EVENT_DROPPED: 0.01,
    Fault.WAKE_DUPLICATED: 0.1,
    Fault.WAKE_LOST: 0.1,
    Fault.SPOT: 0.15,
    Fault.IMAGE_PULL: 0.03,
    Fault.DOCKER_TIMEOUT: 0.03,
    Fault.OUT_OF_MEMORY: 0.04,
    Fault.USER_FAILS: 0.1,
    Fault.NO_HOST: 0.05,
    Fault.WORKER_FAILS: 0.05,
    Fault.WORKER_REFUSES: 0.02,
    Fault.EXTRA_COPY: 0.03,
    Fault.SUBMIT_TWICE: 0.3,
    Fault.CANCEL: 0.25,
    Fault.RESUME: 0.5,
    Fault.ROLL_BACK: 0.25,
    Fault.BUG: 0.001,
}
"""How often each strikes where it can: per call, per event, per job, per run or per seed."""

AT_CALLS: Final = (
    Fault.ERROR_BEFORE,
    Fault.ERROR_AFTER,
    Fault.THROTTLED,
    Fault.SLOW,
    Fault.HANGING,
    Fault.CRASH_BEFORE,
    Fault.CRASH_AFTER,
    Fault.OVERTAKEN,
    Fault.BUG,
)
EVERYTHING: Final = frozenset(Fault)
SHARE_OF_KINDS: Final = 0.6
"""Of the kinds in question how many a seed has at all: alone, a fault meets other states."""


class Strike(NamedTuple):
    """One stroke of fate: the n-th of its kind."""

    fault: Fault
    number: int


class Recipe(NamedTuple):
    """What makes a world exactly: its seed, and what of it is left out."""

    seed: int
    faults: frozenset[Fault] = EVERYTHING
    muted: frozenset[Strike] = frozenset()
    """Strikes that do not happen; the others are as they were."""
    absent: frozenset[int] = frozenset()
    """Numbers of runs that nobody submits."""


class Dice:
    """The throws of one seed. ``is_calm``: the faults are over, and what is left must heal."""

    def __init__(self, recipe: Recipe) -> None:
        seed, faults = recipe.seed, recipe.faults
        self._seed = seed
        self._muted = recipe.muted
        self._counts: dict[Fault, int] = dict.fromkeys(Fault, 0)
        self.strikes_seen: list[Strike] = []
        self._streams: dict[str, Random] = {}
        self.is_calm = False
        profile = self.stream("profile")
        drawn = {fault: (profile.random(), profile.choice((0.3, 1, 1, 3))) for fault in Fault}
        self.rates = {
            fault: min(0.9, RATES[fault] * strength)
            for fault, (chance, strength) in drawn.items()
            if fault in faults and chance < SHARE_OF_KINDS
        }
        self._call = self.stream("call").random
        self._call_rates = _cumulated(drawn)
        self._any_call = self._call_rates[-1][1]

    def stream(self, name: str) -> Random:
        """Return the stream of throws of that name."""
        found = self._streams.get(name)
        if found is None:
            found = self._streams[name] = Random(f"{self._seed} {name}")  # noqa: S311
        return found

    def strikes(self, fault: Fault) -> bool:
        """Whether it strikes here and now."""
        rate = self.rates.get(fault)
        if rate is None or self.stream(fault).random() >= rate or self.is_calm:
            return False
        return self._happens(fault)

    def at_call(self) -> Fault | None:
        """Return what strikes at a call of a port, if anything does: one throw for all kinds."""
        thrown = self._call()
        if thrown >= self._any_call or self.is_calm:
            return None
        fault = next(fault for fault, upto in self._call_rates if thrown < upto)
        return fault if fault in self.rates and self._happens(fault) else None

    def _happens(self, fault: Fault) -> bool:
        self._counts[fault] += 1
        strike = Strike(fault, self._counts[fault])
        if strike in self._muted:
            return False
        self.strikes_seen.append(strike)
        return True


def _cumulated(drawn: dict[Fault, tuple[float, float]]) -> list[tuple[Fault, float]]:
    upto, found = 0.0, []
    for fault in AT_CALLS:
        upto += RATES[fault] * drawn[fault][1]
        found.append((fault, upto))
    return found
