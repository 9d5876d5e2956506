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
from datetime import timedelta
from typing import Final, assert_never

from chalicelib import calls
from chalicelib.core.commands import (
    Command,
    FindJob,
    MakeCall,
    ReadOutcome,
    StartJob,
    StopJob,
    SubmitJob,
    WakeAt,
    WatchJob,
)
from chalicelib.core.errors import (
    FalseworkError,
    InvalidRequest,
    NotFound,
    Refused,
    StaleRun,
    TurnedAway,
    Unavailable,
)
from chalicelib.core.events import (
    CallEnded,
    Event,
    JobNotFound,
    RunRequested,
    SubmissionDeferred,
    SubmissionRefused,
    SubmissionStarted,
    SubmissionUnclear,
    TimerFired,
)
from chalicelib.core.lifecycle import Decision, decide
from chalicelib.core.limits import BATCH_DESCRIBE_IDS
from chalicelib.core.run import Run
from chalicelib.ports import Ports

MAX_SAVES: Final = 10
"""A fan-out's jobs are reported within the same second, and each save may lose to the others."""
PAUSE_SECONDS: Final = 0.02
"""Longest pause before the second try; it doubles up to half a second, and is drawn by lot."""

log = logging.getLogger(__name__)


def handle(event: Event, ports: Ports) -> Run:
    """Apply the event, perform what it makes due, and return the run as it was last saved.

    Handling an event again is harmless. Raises Conflict and NotFound for events that do not fit,
    StaleRun after ``MAX_SAVES`` lost saves, Unavailable when something stays owed.
    """
    decision = _settle(event, ports)
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
    run_ids = ports.runs.due(horizon, limit)
    for run_id in run_ids:
        with _left_owed(run_id):
            decision = _settle(TimerFired(run_id=run_id, at=ports.clock()), ports)
            watched += [(run_id, c) for c in decision.commands if isinstance(c, WatchJob)]
            others = [c for c in decision.commands if not isinstance(c, WatchJob)]
            _perform_all(decision.run, others, ports)
    for start in range(0, len(watched), BATCH_DESCRIBE_IDS):
        some = watched[start : start + BATCH_DESCRIBE_IDS]
        with _left_owed(f"{some[0][0]} and {len(some) - 1} more"):
            for event in _watch(some, ports):
                with _left_owed(event.run_id):
                    handle(event, ports)
    return len(run_ids)


@contextmanager
def _left_owed(run_id: str) -> Iterator[None]:
    try:
        yield
    except FalseworkError:
        log.warning("run %s stays owed what this sweep could not do", run_id, exc_info=True)
    except Exception:  # a fault of ours in one run must not cost the others their sweep
        log.exception("run %s cannot be swept", run_id)


def _settle(event: Event, ports: Ports) -> Decision:
    """Load, decide and save, again and again while somebody else is faster."""
    for lost in range(MAX_SAVES):
        run = _load(event, ports)
        decision = decide(run, event)
        if decision.run is run:
            return decision
        try:
            return Decision(ports.runs.save(decision.run), decision.commands)
        except StaleRun:
            ports.pause(random.uniform(0, min(0.5, PAUSE_SECONDS * 2**lost)))  # noqa: S311
    raise StaleRun(f"run {event.run_id} was saved by others {MAX_SAVES} times in a row")


def _load(event: Event, ports: Ports) -> Run | None:
    try:
        return ports.runs.load(event.run_id)
    except NotFound:
        if isinstance(event, RunRequested):
            return None
        raise


def _perform_all(run: Run, commands: Iterable[Command], ports: Ports) -> Run:
    """Perform in order, follow-up events included; one that is unavailable stops no other."""
    waiting = deque((run, command) for command in commands)
    trouble: Unavailable | None = None
    while waiting:
        saved, command = waiting.popleft()
        try:
            for event in _perform(command, saved, ports):
                decision = _settle(event, ports)
                run = decision.run
                waiting.extend((run, order) for order in decision.commands)
        except Unavailable as exc:
            trouble = exc
    if trouble is not None:
        raise trouble
    return run


def _perform(command: Command, run: Run, ports: Ports) -> Iterable[Event]:  # noqa: PLR0911
    match command:
        case MakeCall():
            return _make_call(command, run, ports)
        case StartJob():
            return _start(command, run, ports)
        case SubmitJob():
            return _submit(command, run, ports)
        case FindJob():
            return _find(command, run, ports)
        case WatchJob():
            return _watch([(run.id, command)], ports)
        case StopJob():
            _stop(command, run, ports)
            return []
        case ReadOutcome(stage=stage):
            job = run.job(stage)
            return [calls.read_outcome(run, job, ports, ports.clock())] if job else []
        case WakeAt(at=at):
            ports.timers.wake(run.id, at)
            return []
        case _:
            assert_never(command)


def _make_call(command: MakeCall, run: Run, ports: Ports) -> list[Event]:
    result, error = None, None
    try:
        result = calls.make_call(run.plan.stage(command.stage).action, ports)
    except (Refused, NotFound, InvalidRequest) as exc:
        error = str(exc)
    return [
        CallEnded(
            run_id=run.id,
            at=ports.clock(),
            stage=command.stage,
            attempt=command.attempt,
            generation=command.generation,
            result=result,
            error=error,
        )
    ]


def _start(command: StartJob, run: Run, ports: Ports) -> list[Event]:
    """Before the intent comes the pace: refused, the start stays owed, and a timer reminds us."""
    if not _is_admitted(run, ports):
        return []
    return [
        SubmissionStarted(
            run_id=run.id, at=ports.clock(), stage=command.stage, serial=command.serial
        )
    ]


def _stop(command: StopJob, run: Run, ports: Ports) -> None:
    """A cancelled crowd must not use up what the account may ask of Batch in a second."""
    if _is_admitted(run, ports):
        ports.jobs.stop(command.job_id, command.reason)


def _is_admitted(run: Run, ports: Ports) -> bool:
    now = ports.clock()
    if ports.pace.admit(now):
        return True
    ports.timers.wake(run.id, now + timedelta(seconds=random.uniform(1, 5)))  # noqa: S311
    return False


def _submit(command: SubmitJob, run: Run, ports: Ports) -> list[Event]:
    """Only the writer of the intent gets here, once, and only while the intent is young.

    A process that slept through half of the grace must not wake up and submit: others will soon
    conclude that it never did.
    """
    job = run.job(command.stage)
    if job is None or job.serial != command.serial:
        return []
    half = timedelta(seconds=run.plan.submit_grace_seconds / 2)
    about = {"run_id": run.id, "stage": job.stage, "serial": job.serial}
    if ports.clock() > job.submit_started_at + half:
        return [SubmissionUnclear.model_validate({**about, "at": ports.clock()})]
    try:
        job_id = ports.jobs.submit(calls.job_request(run, job))
    except (Refused, InvalidRequest) as exc:
        told = {**about, "at": ports.clock(), "message": str(exc)}
        return [SubmissionRefused.model_validate(told)]
    except TurnedAway as exc:
        log.info("job %s was turned away: %s", job.name, exc)
        return [SubmissionDeferred.model_validate({**about, "at": ports.clock()})]
    except Unavailable:
        log.warning("nobody knows whether job %s was accepted", job.name, exc_info=True)
        return [SubmissionUnclear.model_validate({**about, "at": ports.clock()})]
    return [calls.submitted(run, job, job_id, ports.clock())]


def _find(command: FindJob, run: Run, ports: Ports) -> list[Event]:
    """Adopt what bears the name, the oldest first; whatever else bears it is an extra copy."""
    jobs = [job for job in run.jobs if job.serial == command.serial and job.job_id is None]
    events: list[Event] = []
    for job in jobs:
        found = ports.jobs.find(job.queue, job.name)
        changed = (calls.job_changed(seen, run.id, ports.clock()) for seen in reversed(found))
        events += [event for event in changed if event is not None]
    if events or not command.is_overdue:
        return events
    return [
        JobNotFound(run_id=run.id, at=ports.clock(), stage=command.stage, serial=command.serial)
    ]


def _watch(watched: list[tuple[str, WatchJob]], ports: Ports) -> Iterator[Event]:
    """Ask how up to a hundred jobs are; one that is not known any more is reported so."""
    seen = {job.job_id: job for job in ports.jobs.describe([c.job_id for _, c in watched])}
    for run_id, command in watched:
        job = seen.get(command.job_id)
        event = calls.job_changed(job, run_id, ports.clock()) if job else None
        yield event or calls.forgotten(run_id, command, ports.clock())
