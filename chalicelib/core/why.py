"""Why a run is where it is, in plain sentences. Pure: the saved run and the time, nothing else.

While a run is going on: each stage that is under way and what it waits for. When it has ended: how
and why, what to do, and what is still going on behind it. What is *owed* is taken from the
lifecycle and not worked out again, so that this never says anything else than what will be done.

Batch's status has no time of its own in a run: "since" is when the job was submitted, or started.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from chalicelib.core.advice import explain, waiting_for_room
from chalicelib.core.commands import StopJob
from chalicelib.core.lifecycle import prompt
from chalicelib.core.lifecycle.advance import ready
from chalicelib.core.lifecycle.decide import CALL_LIFE
from chalicelib.core.lifecycle.jobs import grace_ends_at
from chalicelib.core.plans.plan import CleanUpPolicy, JobAction, StagePlan
from chalicelib.core.run import JobState, JobStatus, Run, RunState, Stage, StageStatus

LONG_WAIT: Final = timedelta(minutes=15)
"""A managed compute environment starts a host within minutes; our own queues at once."""

_DOING: Final = {
    JobStatus.SUBMITTED: "has been accepted and is being looked at",
    JobStatus.PENDING: "waits for other jobs",
    JobStatus.RUNNABLE: "waits for a host with room for it",
    JobStatus.STARTING: "has a host, which fetches the image and starts the container",
    JobStatus.RUNNING: "is at work",
}
"""AWS Batch user guide, Job states (job_states)."""


def why(run: Run, at: datetime) -> list[str]:
    """Return the sentences, the most important first; a settled run's last says that it is."""
    told = [*_end(run), *_under_way(run, at), *_other_jobs(run, at), *_closing(run)]
    if run.settled_at is not None:
        return [*told, f"Nothing is left to do since {_time(run.settled_at)}."]
    if run.next_check_at is not None:
        told.append(f"Whatever happens, it is looked at again at {_time(run.next_check_at)}.")
    return told


def _end(run: Run) -> Iterator[str]:
    if not run.is_terminal:
        return
    if run.error is not None:
        yield from explain(run, run.error)
    elif run.state is RunState.SUCCESS:
        yield "The run succeeded: what it was for is done."
    else:
        yield f"The run ended in {run.state}; the reason was not recorded."


def _under_way(run: Run, at: datetime) -> Iterator[str]:
    due = {plan.name for plan in ready(run)}
    for plan in run.plan.stages:
        stage = run.stage(plan.name)
        if stage.status is StageStatus.RUNNING or plan.name in due:
            yield from _stage(run, plan, stage, at)


def _stage(run: Run, plan: StagePlan, stage: Stage, at: datetime) -> Iterator[str]:
    if not isinstance(plan.action, JobAction):
        yield _call(stage, at)
        return
    job = run.job(plan.name)
    if job is None or stage.status is not StageStatus.RUNNING:
        yield _no_job_yet(run, plan.name)
    else:
        yield from _job(run, job, at)


def _call(stage: Stage, at: datetime) -> str:
    begun = stage.begun_at or at
    return (
        f"Stage {stage.stage_name} waits for a short step that Falsework performs itself, owed "
        f"since {_ago(begun, at)}; it is tried again with every look, and given up after "
        f"{_time(begun + CALL_LIFE)}."
    )


def _no_job_yet(run: Run, stage: str) -> str:
    lost = sum(job.is_absent for job in run.jobs if job.stage == stage)
    before = f"; {lost} submitted before never showed up" if lost else ""
    return f"Stage {stage} has its turn, and its job is about to be submitted{before}."


def _job(run: Run, job: JobState, at: datetime) -> Iterator[str]:
    name = f"Stage {job.stage}: job {job.name}"
    if job.job_id is None:
        yield _unconfirmed(run, job, at)
    elif job.has_ended:
        how = job.status if not job.is_absent else "forgotten by its queue"
        yield f"{name} has ended ({how}); what it left behind has yet to be read."
    elif job.status is None:
        yield f"{name} is there, but nobody has told yet how it is; its queue is asked."
    else:
        yield f"{name} {_DOING[job.status]} ({job.status}), {_doing_since(job, at)}."
        yield from _hints(job, at)


def _unconfirmed(run: Run, job: JobState, at: datetime) -> str:
    until = grace_ends_at(run, job)
    handed = (
        f"Stage {job.stage}: job {job.name} was handed to queue {job.queue} at "
        f"{_ago(job.submit_started_at, at)}, and nobody has confirmed that it arrived. "
    )
    if at < until:
        return handed + f"Nobody submits it again before {_time(until)}; if it shows up it counts."
    return handed + (
        f"Its time was over at {_time(until)}: if its name is not found now, it is submitted once "
        "more, under a new name."
    )


def _doing_since(job: JobState, at: datetime) -> str:
    if job.started_at is not None:
        return f"since {_ago(job.started_at, at)}"
    return f"submitted to queue {job.queue} at {_ago(job.submit_started_at, at)}"


def _hints(job: JobState, at: datetime) -> Iterator[str]:
    if job.reason:
        yield f"Its queue says: {job.reason}"
    if job.status is JobStatus.RUNNABLE and at - job.submit_started_at >= LONG_WAIT:
        yield waiting_for_room(job)


def _other_jobs(run: Run, at: datetime) -> Iterator[str]:
    """Jobs that must come to their end, whatever their stage does."""
    stops = {c.job_id: c.reason for c in prompt(run) if isinstance(c, StopJob)}
    for job in run.jobs:
        is_over = run.stage(job.stage).status is not StageStatus.RUNNING
        if job.job_id in stops:
            yield (
                f"Job {job.name} of stage {job.stage} has to stop: {stops[job.job_id]}. It is "
                f"{job.status or 'in an unknown state'}; the order is repeated until it has ended."
            )
        elif job.job_id is None and not job.has_ended and is_over:
            until = max(at, grace_ends_at(run, job))
            yield (
                f"Nobody has confirmed that job {job.name} of stage {job.stage} arrived in queue "
                f"{job.queue}; it is looked for until {_time(until)}, and stopped if it is there."
            )


def _closing(run: Run) -> Iterator[str]:
    """What became of the stages that take down what the others put up."""
    due = {plan.name for plan in ready(run)}
    for plan in run.plan.stages if run.is_terminal else ():
        stage = run.stage(plan.name)
        match stage.status if plan.is_closing else StageStatus.COMPLETE:
            case StageStatus.ERROR:
                yield (
                    f"Stage {plan.name} failed, and files may be left; how the run ended stays as "
                    f"it is. The message is: {stage.history[-1].message}"
                )
            case StageStatus.CREATED if _is_closing_wanted(run):
                if plan.name not in due:
                    yield f"Stage {plan.name} waits until every job has ended."
            case StageStatus.CREATED | StageStatus.CANCELED:
                yield f"Stage {plan.name} does not run (cleanup: {run.plan.clean_up})."


def _is_closing_wanted(run: Run) -> bool:
    policy = run.plan.clean_up
    is_success = run.state is RunState.SUCCESS
    return policy is CleanUpPolicy.ALWAYS or (policy is CleanUpPolicy.ON_SUCCESS and is_success)


def _ago(then: datetime, at: datetime) -> str:
    """Return a time and how long ago it is; clocks differ, so that it is never in the future."""
    return f"{_time(then)} ({timedelta(seconds=int(max(0.0, (at - then).total_seconds())))} ago)"


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
