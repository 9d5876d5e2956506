"""Every state that is not final has a deadline.

::

    a run           timeout_seconds after it was created, or resumed
    an attempt      its stage's timeout_seconds after its job, or its call, started
    a waiting job   queue_wait_timeout_seconds after it was submitted: no host has taken it
    a closing stage as long as a whole run, from its beginning

A job whose time is over is ordered to end; that order is owed until it has. ``CALL_LIFE`` and
the lives of submissions (``lost.py``) are the deadlines of what we do ourselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from chalicelib.core.commands import StopReason
from chalicelib.core.events import JobChanged
from chalicelib.core.job_state import JobState, JobStatus, rank
from chalicelib.core.lifecycle import attempts, jobs, stages
from chalicelib.core.plans.plan import JobAction, StagePlan
from chalicelib.core.plans.run_actions import RunsAction
from chalicelib.core.run import Run, RunError, StageStatus

CALL_LIFE: Final = timedelta(hours=1)
"""A call takes seconds. One that could not be performed for an hour ends its stage in ERROR."""


def expire(run: Run, at: datetime) -> Run:
    """End what has had its time, whatever its jobs do: a call, a closing stage, the run."""
    for plan in run.plan.stages:
        over = attempt_ends_at(run, plan)
        is_certain = not isinstance(plan.action, JobAction) or plan.is_closing
        if over is not None and at >= over and is_certain:
            run = _end_attempt(run, plan, at)
    has_failed = any(stage.status is StageStatus.ERROR for stage in run.stages)
    if not run.is_terminal and not has_failed and at >= run_ends_at(run):
        run = _end_run(run, at)
    return run


def expire_job(run: Run, event: JobChanged) -> Run:
    """End the attempt of a job that was asked about just now, if its time is over."""
    job = next((each for each in run.jobs if each.job_id == event.job_id), None)
    is_known = job is not None and job.status is event.status and event.is_fresh
    if job is None or not is_known or not jobs.is_current(run, job):
        return run
    over = attempt_ends_at(run, run.plan.stage(job.stage))
    if over is not None and event.at >= over:
        return _end_attempt(run, run.plan.stage(job.stage), event.at)
    ends_at = wait_ends_at(run, job) if waiting_job(run, job.stage) is job else None
    return _end_wait(run, job, event.at) if ends_at and event.at >= ends_at else run


def give_calls_up(run: Run, at: datetime) -> Run:
    """Only a sweep that comes when it was due may: after a long sleep the call is tried first."""
    late = timedelta(seconds=2 * run.plan.check_seconds)
    if run.next_check_at is None or at > run.next_check_at + late:
        return run
    for plan in run.plan.stages:
        stage = run.stage(plan.name)
        is_call = stage.status is StageStatus.RUNNING and not isinstance(
            plan.action, JobAction | RunsAction
        )
        if is_call and stage.begun_at and at >= stage.begun_at + CALL_LIFE:
            message = f"it could not be performed for {CALL_LIFE}"
            run = attempts.fail_stage(run, plan.name, at, "call", message)
    return run


def deadlines(run: Run) -> Iterator[datetime]:
    """Yield the times at which something will have had its time."""
    if not run.is_terminal:
        yield run_ends_at(run)
    for plan in run.running():
        over = attempt_ends_at(run, plan)
        if over is not None:
            yield over
        job = waiting_job(run, plan.name)
        ends_at = job and wait_ends_at(run, job)
        if ends_at:
            yield ends_at


def run_ends_at(run: Run) -> datetime:
    """Return when the run must have ended."""
    return (run.resumed_at or run.created_at) + timedelta(seconds=run.plan.timeout_seconds)


def attempt_ends_at(run: Run, plan: StagePlan) -> datetime | None:
    """Return when the stage's attempt must have ended; None: whenever the run must."""
    stage = run.stage(plan.name)
    if stage.status is not StageStatus.RUNNING or stage.begun_at is None:
        return None
    if plan.timeout_seconds is None:
        whole = timedelta(seconds=run.plan.timeout_seconds)
        return stage.begun_at + whole if plan.is_closing else None
    started_at: datetime | None = stage.begun_at
    if isinstance(plan.action, JobAction):
        job = run.job(plan.name)
        is_main = job is not None and not job.is_preparation and not job.has_ended
        started_at = job.started_at if job and is_main else None
        if job is not None and job.children and is_main:
            started_at = stage.begun_at  # the parent of an array is never seen to start
    return started_at and started_at + timedelta(seconds=plan.timeout_seconds)


def waiting_job(run: Run, stage: str) -> JobState | None:
    """Return the stage's job if it waits for a host."""
    job = run.job(stage)
    is_waiting = (
        job is not None
        and job.job_id is not None
        and not job.has_ended
        and rank(job.status) < rank(JobStatus.STARTING)
        and jobs.is_current(run, job)
    )
    return job if is_waiting else None


def wait_ends_at(run: Run, job: JobState) -> datetime | None:
    """Return when a host must have taken the waiting job; None: whenever the run must end."""
    seconds = run.plan.queue_wait_timeout_seconds
    return None if seconds is None else job.submit_started_at + timedelta(seconds=seconds)


def _end_attempt(run: Run, plan: StagePlan, at: datetime) -> Run:
    seconds = plan.timeout_seconds or run.plan.timeout_seconds
    job = run.job(plan.name)
    if job is not None and not job.has_ended:
        run = jobs.replace_job(run, job, stop=StopReason.TIMED_OUT)
    message = f"attempt {run.stage(plan.name).attempts} took longer than {seconds} seconds"
    return attempts.fail_stage(run, plan.name, at, "timeout", message)


def _end_wait(run: Run, job: JobState, at: datetime) -> Run:
    """Where there is a fallback queue the wait costs nothing: the stage tries its luck there."""
    seconds = run.plan.queue_wait_timeout_seconds
    said = f"; its queue said: {job.reason}" if job.reason else ""
    message = f"job {job.name} waited {seconds} seconds in queue {job.queue} for a host{said}"
    run = jobs.replace_job(run, job, stop=StopReason.WAITED_TOO_LONG)
    if not attempts.has_fallback(run, job.stage):
        return attempts.fail_stage(run, job.stage, at, "queue_wait", message)
    run = stages.change(run, job.stage, uses_fallback=True)
    return attempts.fail_stage(run, job.stage, at, "queue_wait", message, is_spoilt=True)


def _end_run(run: Run, at: datetime) -> Run:
    """Whatever was under way, or was to come next, failed: so the run ends in ERROR."""
    message = f"the run has not ended within {run.plan.timeout_seconds} seconds"
    going_on = [
        plan.name
        for plan in run.plan.stages
        if not plan.is_closing
        and run.stage(plan.name).status in (StageStatus.RUNNING, StageStatus.RETRY)
    ]
    next_one = next(
        plan.name
        for plan in run.plan.stages
        if not plan.is_closing and run.stage(plan.name).status is not StageStatus.COMPLETE
    )
    names = going_on or [next_one]
    error = RunError(stage=names[0], cause="timeout", message=message)
    run = run.model_copy(update={"error": error})
    for name in names:
        job = run.job(name)
        if job is not None and not job.has_ended:
            run = jobs.replace_job(run, job, stop=StopReason.TIMED_OUT)
        run = stages.fail(run, name, at, message)
    return run
