"""Performing a command: an order goes out to the ports, and what comes back are facts.

Nothing here decides or saves. What is unavailable raises, and the command stays owed.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any, Final, assert_never

from chalicelib import announcing, calls, child_runs, child_times
from chalicelib.core.commands import (
    Announce,
    Command,
    FindJob,
    MakeCall,
    ReadOutcome,
    StartJob,
    StopJob,
    SubmitJob,
    TendRuns,
    TimeChildren,
    WakeAt,
    WakeParent,
    WatchJob,
)
from chalicelib.core.errors import (
    InvalidRequest,
    NotFound,
    Refused,
    StepFailed,
    TurnedAway,
    Unavailable,
)
from chalicelib.core.events import (
    CallEnded,
    Event,
    JobNotFound,
    SubmissionDeferred,
    SubmissionRefused,
    SubmissionStarted,
    SubmissionUnclear,
)
from chalicelib.core.measures import Measure, Metric
from chalicelib.core.run import Run
from chalicelib.ports import Ports

log = logging.getLogger(__name__)


PACED: Final = (StartJob, StopJob)
"""What has to take a turn first: all that is asked of Batch counts, and a cancelled crowd must not
use up what the account may ask in a second."""


class Turns:
    """The turns that the orders of one look at a run take.

    The first one that gets none sends for a wake-up, which is for all that need one: they stay
    owed till then, and ask no more.
    """

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._are_left = True

    def has_one_for(self, command: Command, run: Run) -> bool:
        """Take a turn where the command needs one. Raises Unavailable."""
        if isinstance(command, PACED):
            self._are_left = self._are_left and _takes_turn(run, self._ports)
            return self._are_left
        return True


def _takes_turn(run: Run, ports: Ports) -> bool:
    now = ports.clock()
    if ports.pace.admit(now):
        return True
    ports.measure([Measure(Metric.PACED)])
    ports.timers.wake(run.id, now + timedelta(seconds=random.uniform(1, 5)))  # noqa: S311
    return False


def perform(command: Command, run: Run, ports: Ports) -> Iterable[Event]:  # noqa: C901, PLR0911, PLR0912
    """Perform the command for the saved run; return what came of it. Raises Unavailable.

    What is ``PACED`` needs a turn first, which the caller takes (``Turns``).
    """
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
            return watch([(run.id, command)], ports)
        case StopJob(job_id=job_id, reason=reason):
            ports.jobs.stop(job_id, reason)
            return []
        case ReadOutcome(stage=stage):
            job = run.job(stage)
            return [calls.read_outcome(run, job, ports, ports.clock())] if job else []
        case TimeChildren():
            return child_times.look(command, run, ports)
        case TendRuns():
            return child_runs.tend(command, run, ports)
        case WakeParent(run_id=parent, at=at):
            ports.timers.wake(parent, at)
            return []
        case WakeAt(at=at):
            ports.timers.wake(run.id, at)
            return []
        case Announce(key=key):
            return announcing.announce(key, run, ports)
        case _:
            assert_never(command)


def _make_call(command: MakeCall, run: Run, ports: Ports) -> list[Event]:
    """One that nobody answers stays owed, unless its stage says how often it is to be made."""
    told: dict[str, Any] = {}
    try:
        told["result"] = calls.make_call(run, command.stage, ports)
    except StepFailed as exc:
        told.update(error=str(exc), cause=exc.cause)
    except (Refused, NotFound, InvalidRequest) as exc:
        told["error"] = str(exc)
    except Unavailable as exc:
        if run.plan.stage(command.stage).retry is None:
            raise
        told.update(error=str(exc), is_passing=True)
    about = command.model_dump(include={"stage", "attempt", "generation"})
    return [CallEnded(run_id=run.id, at=ports.clock(), **about, **told)]


def _start(command: StartJob, run: Run, ports: Ports) -> list[Event]:
    return [
        SubmissionStarted(
            run_id=run.id, at=ports.clock(), stage=command.stage, serial=command.serial
        )
    ]


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
        changed = (
            calls.job_changed(seen, run.id, ports.clock(), is_fresh=True)
            for seen in reversed(found)
        )
        events += [event for event in changed if event is not None]
    if events or not command.is_overdue:
        return events
    return [
        JobNotFound(run_id=run.id, at=ports.clock(), stage=command.stage, serial=command.serial)
    ]


def watch(watched: list[tuple[str, WatchJob]], ports: Ports) -> Iterator[Event]:
    """Ask how up to a hundred jobs are; one that is not known any more is reported so."""
    seen = {job.job_id: job for job in ports.jobs.describe([c.job_id for _, c in watched])}
    for run_id, command in watched:
        job = seen.get(command.job_id)
        event = calls.job_changed(job, run_id, ports.clock(), is_fresh=True) if job else None
        yield event or calls.forgotten(run_id, command, ports.clock())
