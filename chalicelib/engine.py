"""The one path that every event takes: load, decide, save, perform.

Saving comes first. A process that dies between saving and performing leaves commands owed; the
event's redelivery, a timer or the sweep performs them. What performing brings to light is an
event again, and takes the same path.
"""

from __future__ import annotations

import logging
import random
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

from chalicelib import faults
from chalicelib.audits import note_event
from chalicelib.core.commands import Command, WatchJob
from chalicelib.core.errors import FalseworkError, NotFound, StaleRun, Unavailable
from chalicelib.core.events import Event, RunRequested, TimerFired
from chalicelib.core.lifecycle import Decision, decide
from chalicelib.core.limits import BATCH_DESCRIBE_IDS
from chalicelib.core.measures import Measure, Metric, changes, looked_at
from chalicelib.core.run import Run
from chalicelib.log_ids import about
from chalicelib.perform import Turns, perform, watch
from chalicelib.ports import Ports
from chalicelib.tracing import Note

MAX_SAVES: Final = 10
"""A fan-out's jobs are reported within the same second, and each save may lose to the others."""
PAUSE_SECONDS: Final = 0.02
"""Longest pause before the second try; it doubles up to half a second, and is drawn by lot."""

PASSES: Final = 4
"""How many times its limit of runs a sweep tries, to come past those that nobody can load."""

log = logging.getLogger(__name__)


def handle(event: Event, ports: Ports) -> Run:
    """Apply the event, perform what it makes due, and return the run as it was last saved.

    Handling an event again is harmless. Raises Conflict and NotFound for events that do not fit,
    StaleRun after ``MAX_SAVES`` lost saves, Unavailable when something stays owed.
    """
    with _in_hand(event, ports) as note:
        decision = _settle(event, ports)
        note("kind", decision.run.kind)
        return _perform_all(decision.run, decision.commands, ports)


def sweep(ports: Ports, *, limit: int = 100, everything: bool = False) -> int:
    """Look at the runs that are due, perform what they are owed; return how many were looked at.

    It catches what events cannot: a crash, a rule that was switched off, a job that died before
    it could report. ``everything`` takes the unsettled runs whose time has not come as well.
    One run's trouble does not keep the others from being looked at.
    """
    now = ports.clock()
    horizon = now + timedelta(days=36_500) if everything else now
    watched: list[tuple[str, WatchJob]] = []
    tried = found = 0
    for run_id in _due(horizon, limit, ports):
        tried += 1
        found += _look(run_id, watched, ports)
        if found == limit:
            break
    for start in range(0, len(watched), BATCH_DESCRIBE_IDS):
        some = watched[start : start + BATCH_DESCRIBE_IDS]
        with _left_owed(f"{some[0][0]} and {len(some) - 1} more", ports):
            for event in watch(some, ports):
                with about(run_id=event.run_id), _left_owed(event.run_id, ports):
                    handle(event, ports)
    ports.measure([Measure(Metric.SWEPT_RUNS, tried)])
    return tried


def _due(horizon: datetime, limit: int, ports: Ports) -> Iterator[str]:
    """Yield what is due, each run once, and more than ``limit``: those that nobody can load.

    They stay due for ever, ahead of all others.
    """
    passed: set[str] = set()
    while len(passed) < PASSES * limit:
        run_ids = ports.runs.due(horizon, limit, skip=passed)
        yield from run_ids
        passed.update(run_ids)
        if len(run_ids) < limit:
            return


def _look(run_id: str, watched: list[tuple[str, WatchJob]], ports: Ports) -> bool:
    """Perform what the run is owed, but leave jobs to be watched; False where it is not there."""
    event = TimerFired(run_id=run_id, at=ports.clock())
    with _in_hand(event, ports) as note, _left_owed(run_id, ports):
        try:
            decision = _settle(event, ports)
            note("kind", decision.run.kind)
        except NotFound:
            ports.measure([Measure(Metric.SWEEP_TROUBLES)])
            log.warning("run %s is due and cannot be loaded", run_id, exc_info=True)
            return False
        watched += [(run_id, c) for c in decision.commands if isinstance(c, WatchJob)]
        others = [c for c in decision.commands if not isinstance(c, WatchJob)]
        _perform_all(decision.run, others, ports)
    return True


@contextmanager
def _in_hand(event: Event, ports: Ports) -> Iterator[Note]:
    """Let all that is logged and traced meanwhile tell which run it is about."""
    with about(run_id=event.run_id), ports.trace(type(event).__name__, event.run_id) as note:
        yield note


@contextmanager
def _left_owed(run_id: str, ports: Ports) -> Iterator[None]:
    try:
        yield
    except FalseworkError:
        ports.measure([Measure(Metric.SWEEP_TROUBLES)])
        log.warning("run %s stays owed what this sweep could not do", run_id, exc_info=True)
    except Exception:  # a fault of ours in one run must not cost the others their sweep
        ports.measure([Measure(Metric.SWEEP_TROUBLES)])
        log.exception("run %s cannot be swept", run_id)


def _settle(event: Event, ports: Ports) -> Decision:
    """Load, decide and save, again and again while somebody else is faster."""
    for lost in range(MAX_SAVES):
        run = _load(event, ports)
        decision = decide(run, event)
        if isinstance(event, TimerFired) and run is not None and not lost:
            ports.measure(looked_at(decision.run, run.next_check_at, event.at))
        if decision.run is run:
            return decision
        note_event(event, ports)
        try:
            saved = ports.runs.save(decision.run)
        except StaleRun:
            ports.pause(random.uniform(0, min(0.5, PAUSE_SECONDS * 2**lost)))  # noqa: S311
        else:
            ports.measure(changes(run, saved))
            return Decision(saved, decision.commands)
    raise StaleRun(f"run {event.run_id} was saved by others {MAX_SAVES} times in a row")


def _load(event: Event, ports: Ports) -> Run | None:
    try:
        return ports.runs.load(event.run_id)
    except NotFound:
        if isinstance(event, RunRequested):
            return None
        raise


def _came_of(command: Command, run: Run, turns: Turns, ports: Ports) -> Iterator[Event]:
    """Yield what comes of performing the command; of what nobody foresaw, that it came.

    A stage's own is counted in the run, for it may never pass; till then, and all others, stay
    owed as what is Unavailable does.
    """
    try:
        if not turns.has_one_for(command, run):
            return
        yield from perform(command, run, ports)
    except faults.PASSING:
        raise
    except faults.OF_THE_HOST as exc:
        raise Unavailable(f"run {run.id}: {faults.told(exc)}") from exc
    except Exception as exc:
        log.exception("run %s, %s: nobody foresaw this", run.id, type(command).__name__)
        tried = faults.tried(command, run, ports.clock(), exc)
        if tried is not None:
            yield tried
        raise Unavailable(f"run {run.id}: {faults.told(exc)}") from exc
    went_well = faults.tried(command, run, ports.clock())
    if went_well is not None:
        yield went_well


def _perform_all(run: Run, commands: Iterable[Command], ports: Ports) -> Run:
    """Perform in order, follow-up events included; what may pass by itself stops no other.

    Among the others may be a submission, for which nobody has the right a second time.
    """
    waiting = deque((run, command) for command in commands)
    trouble: FalseworkError | None = None
    turns = Turns(ports)
    while waiting:
        saved, command = waiting.popleft()
        try:
            for event in _came_of(command, saved, turns, ports):
                decision = _settle(event, ports)
                run = decision.run
                waiting.extend((run, order) for order in decision.commands)
        except faults.PASSING as exc:
            trouble = exc
    if trouble is not None:
        raise trouble
    return run
