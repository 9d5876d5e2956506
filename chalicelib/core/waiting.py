"""What a stage that is under way waits for, in plain sentences: a call, a job, its next attempt.

A stage's job passes through these, and each has its sentence::

    (jobs before it end) ─▶ about to be submitted ─▶ unconfirmed ─▶ its status ─▶ ended, unread

Batch's status has no time of its own in a run: "since" is when the job was submitted, or started.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from chalicelib.core.advice import waiting_for_room
from chalicelib.core.job_state import JobState, JobStatus
from chalicelib.core.lifecycle.deadlines import (
    CALL_LIFE,
    attempt_ends_at,
    wait_ends_at,
    waiting_job,
)
from chalicelib.core.lifecycle.faults import MOST_FAULTS
from chalicelib.core.lifecycle.jobs import grace_ends_at, is_current
from chalicelib.core.plans.plan import JobAction, StagePlan
from chalicelib.core.plans.run_actions import RunsAction
from chalicelib.core.run import Run, Stage, StageStatus

LONG_WAIT: Final = timedelta(minutes=15)
"""A managed compute environment starts a host within minutes; our own queues at once."""
SHOWN_JOBS: Final = 3

_DOING: Final = {
    JobStatus.SUBMITTED: "has been accepted and is being looked at",
    JobStatus.PENDING: "waits for other jobs",
    JobStatus.RUNNABLE: "waits for a host with room for it",
    JobStatus.STARTING: "has a host, which fetches the image and starts the container",
    JobStatus.RUNNING: "is at work",
}
"""AWS Batch user guide, Job states (job_states)."""


def what_it_waits_for(
    run: Run, plan: StagePlan, at: datetime, children: Sequence[str] = ()
) -> Iterator[str]:
    """Yield the sentences for a stage that has begun, waits to begin again, or has its turn.

    ``children``: the runs that it has started and that are not known to have ended.
    """
    stage = run.stage(plan.name)
    job = run.job(plan.name)
    if stage.faults:
        yield (
            f"Stage {plan.name}: a step of it has raised what nobody foresaw {stage.faults} times "
            f"in a row; it is tried again each minute, and after {MOST_FAULTS} times the stage "
            "fails. The log of the engine has the rest."
        )
    if stage.status is StageStatus.RETRY:
        yield _next_attempt(run, plan, stage)
    elif isinstance(plan.action, RunsAction):
        yield _runs(stage.stage_name, children)
        yield from _time_limit(run, plan)
    elif not isinstance(plan.action, JobAction):
        yield _call(stage, at)
        yield from _time_limit(run, plan)
    elif job is None or not is_current(run, job) or job.leads_on:
        yield _no_job_yet(run, stage)
    else:
        yield from _job(run, job, at)
        yield from _time_limit(run, plan)


def runs_text(children: Sequence[str]) -> str:
    """Return some of the runs by their ids, and how many more there are."""
    named = ", ".join(children[:SHOWN_JOBS])
    more = len(children) - SHOWN_JOBS
    return f"{named} and {more} more" if more > 0 else named


def in_the_way(run: Run, stage: str) -> list[JobState]:
    """Return the jobs that must have ended before the stage's next one may be submitted."""
    return [
        job
        for job in run.jobs
        if not job.has_ended and (job.generation != run.generation or job.stage == stage)
    ]


def ago_text(then: datetime, at: datetime) -> str:
    """Return a time and how long ago it is; clocks differ, so that it is never in the future."""
    seconds = int(max(0.0, (at - then).total_seconds()))
    return f"{time_text(then)} ({timedelta(seconds=seconds)} ago)"


def time_text(at: datetime) -> str:
    """Return a time as these sentences have it, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _next_attempt(run: Run, plan: StagePlan, stage: Stage) -> str:
    """Whatever a RETRY waits for: its backoff, or the jobs of the attempts before."""
    failed = (
        f"Stage {stage.stage_name}: attempt {stage.attempts} failed because "
        f"{stage.history[-1].message.rstrip('.')}; attempt {stage.attempts + 1} begins "
    )
    action = plan.action
    fallback = action.fallback_queue if isinstance(action, JobAction) else None
    where = f", in queue {fallback}" if stage.uses_fallback and fallback else ""
    if stage.retry_at is not None:
        return f"{failed}at {time_text(stage.retry_at)}{where}."
    older = in_the_way(run, stage.stage_name)
    return f"{failed}{_after(older) if older else 'now'}{where}."


def _call(stage: Stage, at: datetime) -> str:
    begun = stage.begun_at or at
    return (
        f"Stage {stage.stage_name} waits for a short step that Falsework performs itself, owed "
        f"since {ago_text(begun, at)}; it is tried again with every look, and given up after "
        f"{time_text(begun + CALL_LIFE)}."
    )


def _runs(name: str, children: Sequence[str]) -> str:
    if not children:
        return f"Stage {name} is about to start the runs that it stands for, or to see their end."
    which = "run" if len(children) == 1 else f"{len(children)} runs:"
    return (
        f"Stage {name} waits for {which} {runs_text(children)}. What one of them waits for: "
        f"falsework why {shlex.quote(children[0])}"
    )


def _no_job_yet(run: Run, stage: Stage) -> str:
    name = stage.stage_name
    job = run.job(name)
    if stage.retry_at is not None:
        return (
            f"Stage {name}: its job was turned away for now, for many are submitted at once; it "
            f"is submitted again at {time_text(stage.retry_at)}."
        )
    if older := in_the_way(run, name):
        return f"Stage {name} has its turn, and goes on {_after(older)}."
    is_prepared = job is not None and job.is_preparation and job.leads_on
    if is_prepared and stage.status is StageStatus.RUNNING:
        return (
            f"Stage {name}: the ground is cleared for attempt {stage.attempts}, and its own job "
            "is about to be submitted."
        )
    now = (run.generation, max(stage.attempts, 1))
    lost = sum(job.is_absent for job in run.jobs if job.stage == name and _attempt_of(job) == now)
    before = f"; {lost} submitted before never showed up" if lost else ""
    return f"Stage {name} has its turn, and its job is about to be submitted{before}."


def _attempt_of(job: JobState) -> tuple[int, int]:
    return (job.generation, job.attempt)


def _after(older: list[JobState]) -> str:
    named = [f"{job.name} ({job.status or 'unconfirmed'})" for job in older[:SHOWN_JOBS]]
    more = [f"{len(older) - SHOWN_JOBS} more"] if len(older) > SHOWN_JOBS else []
    return "when the jobs before it have ended: " + ", ".join((*named, *more))


def _job(run: Run, job: JobState, at: datetime) -> Iterator[str]:
    name = f"Stage {job.stage}: job {job.name}"
    if job.is_preparation:
        name += f", which clears the ground for attempt {job.attempt},"
    if job.job_id is None:
        yield _unconfirmed(run, job, at)
    elif job.has_ended:
        how = job.status if not job.is_absent else "forgotten by its queue"
        yield f"{name} has ended ({how}); what it left behind has yet to be read."
    elif job.status is None:
        yield f"{name} is there, but nobody has told yet how it is; its queue is asked."
    else:
        yield f"{name} {_DOING[job.status]} ({job.status}), {_doing_since(job, at)}."
        yield from _hints(run, job, at)


def _unconfirmed(run: Run, job: JobState, at: datetime) -> str:
    until = grace_ends_at(run, job)
    handed = (
        f"Stage {job.stage}: job {job.name} was handed to queue {job.queue} at "
        f"{ago_text(job.submit_started_at, at)}, and nobody has confirmed that it arrived. "
    )
    if at < until:
        return (
            f"{handed}Nobody submits it again before {time_text(until)}; if it shows up it counts."
        )
    return (
        f"{handed}Its time was over at {time_text(until)}: if its name is not found now, it is "
        "submitted once more, under a new name."
    )


def _doing_since(job: JobState, at: datetime) -> str:
    if job.started_at is not None:
        return f"since {ago_text(job.started_at, at)}"
    return f"submitted to queue {job.queue} at {ago_text(job.submit_started_at, at)}"


def _hints(run: Run, job: JobState, at: datetime) -> Iterator[str]:
    if job.reason:
        yield f"Its queue says: {job.reason}"
    if job.status is JobStatus.RUNNABLE and at - job.submit_started_at >= LONG_WAIT:
        yield waiting_for_room(job)
    ends_at = wait_ends_at(run, job) if waiting_job(run, job.stage) is job else None
    if ends_at is not None:
        yield (
            f"If no host has taken it by {time_text(ends_at)} it is stopped "
            "(options.queue_wait_timeout_seconds)."
        )


def _time_limit(run: Run, plan: StagePlan) -> Iterator[str]:
    over = attempt_ends_at(run, plan)
    if over is not None and plan.timeout_seconds is not None:
        yield (
            f"The attempt must have ended by {time_text(over)} "
            f"(options.timeout_seconds.{plan.name})."
        )
