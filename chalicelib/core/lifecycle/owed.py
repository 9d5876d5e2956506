"""What a saved run still has to see done: recomputed from its state, whoever died in between.

``prompt`` commands follow from the state at once; a decision returns those that its event made
due, a redelivered event performs all of them again. ``owed`` adds the look-ups that only time
makes necessary: of a submission that nobody has confirmed, of a job of which nothing was heard.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from chalicelib.core.commands import (
    Command,
    FindJob,
    MakeCall,
    ReadOutcome,
    StartJob,
    StopJob,
    StopReason,
    WakeAt,
    WatchJob,
)
from chalicelib.core.job_state import JobState
from chalicelib.core.lifecycle.advance import ready
from chalicelib.core.lifecycle.child_times import timing
from chalicelib.core.lifecycle.children import tending
from chalicelib.core.lifecycle.jobs import grace_ends_at, is_current, is_worker
from chalicelib.core.lifecycle.notices import announcing
from chalicelib.core.plans.plan import JobAction, NoAction
from chalicelib.core.plans.run_actions import RunsAction
from chalicelib.core.run import Run, RunState


def owed(run: Run, at: datetime) -> tuple[Command, ...]:
    """Return everything that the run is owed at that time; each is harmless when repeated."""
    return (*prompt(run), *_lookups(run, at))


def prompt(run: Run) -> tuple[Command, ...]:
    """Return what follows from the state alone, in the order of the plan."""
    return (
        *_stops(run),
        *_calls(run),
        *_starts(run),
        *_outcomes(run),
        *tending(run),
        *_wakes(run),
        *announcing(run),
        *timing(run),
    )


def _stops(run: Run) -> Iterator[Command]:
    for job in run.jobs:
        if job.job_id is not None and not job.has_ended and (why := _why_stop(run, job)):
            yield StopJob(job_id=job.job_id, queue=job.queue, reason=why)


def _why_stop(run: Run, job: JobState) -> StopReason | None:
    if not job.is_own:
        return StopReason.EXTRA_COPY
    if is_current(run, job):
        return None
    if job.stop is not None:
        return job.stop
    is_canceled = run.state is RunState.CANCELED
    return StopReason.CANCELED if is_canceled else StopReason.STAGE_ENDED


def _calls(run: Run) -> Iterator[Command]:
    for plan in run.running():
        if not isinstance(plan.action, JobAction | NoAction | RunsAction):
            attempt = run.stage(plan.name).attempts
            yield MakeCall(stage=plan.name, attempt=attempt, generation=run.generation)


def _starts(run: Run) -> Iterator[Command]:
    for plan in ready(run):
        if isinstance(plan.action, JobAction):
            yield StartJob(stage=plan.name, serial=run.serial + 1)


def _outcomes(run: Run) -> Iterator[Command]:
    for plan in run.running():
        job = run.job(plan.name)
        if job is None or not job.has_ended or job.is_read:
            continue
        if is_worker(run, job) and is_current(run, job):
            yield ReadOutcome(stage=plan.name, serial=job.serial)


def _wakes(run: Run) -> Iterator[Command]:
    for stage in run.stages:
        if stage.retry_at is not None:
            yield WakeAt(at=stage.retry_at)


def _lookups(run: Run, at: datetime) -> Iterator[Command]:
    for job in run.jobs:
        if job.has_ended:
            continue
        if job.job_id is None:
            is_overdue = at >= grace_ends_at(run, job)
            yield FindJob(stage=job.stage, serial=job.serial, is_overdue=is_overdue)
        else:
            yield WatchJob(stage=job.stage, serial=job.serial, job_id=job.job_id)
