"""The submission protocol: who may submit a job, what a report of one means (DESIGN, section 3).

The job's name is unique for ever, an intent is saved before the one call that may submit, and
afterwards everybody may only look the name up. What bears a name of ours and is not the job that
the stage adopted is an extra copy: it is remembered, stopped, and never moves the run.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from chalicelib.core.events import JobChanged, JobNotFound, OutcomeRead, SubmissionStarted
from chalicelib.core.job_names import job_name
from chalicelib.core.lifecycle import stages
from chalicelib.core.lifecycle.endings import cause_of, how_it_ended, shortened
from chalicelib.core.limits import BATCH_REMEMBERS_ENDED_JOBS_SECONDS
from chalicelib.core.plans.plan import JobAction
from chalicelib.core.run import (
    MESSAGE_CHARACTERS,
    JobState,
    JobStatus,
    Run,
    RunError,
    StageStatus,
    rank,
)

INTENT_LIFE_SECONDS: Final = BATCH_REMEMBERS_ENDED_JOBS_SECONDS - 24 * 3600
"""After it nobody can tell any more whether the job ran: Batch may have forgotten it."""


MAX_LOST_SUBMISSIONS: Final = 50
"""Submissions of one attempt that nobody ever saw: more is a fault that trying again will not
mend. On AWS, with a grace of 16 minutes each, this is half a day without an answer from Batch."""


def is_wanted(run: Run, name: str) -> bool:
    """Whether the stage needs a (new) submission now; readiness is ``advance``'s business."""
    status = run.stage(name).status
    if status is StageStatus.RUNNING:
        return isinstance(run.plan.stage(name).action, JobAction) and run.job(name) is None
    return status in (StageStatus.CREATED, StageStatus.RETRY)


def grace_ends_at(run: Run, job: JobState) -> datetime:
    """Return until when nobody may conclude that an unseen job does not exist."""
    return job.submit_started_at + timedelta(seconds=run.plan.submit_grace_seconds)


def intend(run: Run, event: SubmissionStarted) -> Run:
    """Record the intent; the writer who saves it, and nobody else, submits."""
    action = run.plan.stage(event.stage).action
    assert isinstance(action, JobAction)  # noqa: S101 -- only job stages are owed StartJob
    if run.stage(event.stage).status is not StageStatus.RUNNING:
        run = stages.begin(run, event.stage, event.at)
    job = JobState(
        stage=event.stage,
        serial=event.serial,
        attempt=run.stage(event.stage).attempts,
        name=job_name(run.plan.job_name_prefix, run.uid, event.stage, event.serial),
        queue=action.queue,
        submit_started_at=event.at,
    )
    return run.model_copy(update={"serial": event.serial, "jobs": (*run.jobs, job)})


def report(run: Run, event: JobChanged) -> Run:
    """Take in what was seen of a job: adopt it, move it on, or remember it as an extra copy."""
    job = _known(run, event)
    if job is None:
        job = _extra(run, event)
        run = run.model_copy(update={"jobs": (*run.jobs, job)})
    return _end_stage_of(*_move(run, job, event), event.at)


def lose(run: Run, event: JobNotFound) -> Run:
    """Take in that a job is not there: it never was accepted, or it is forgotten."""
    job = _by_serial(run, event.stage, event.serial, event.job_id)
    if job is None or job.has_ended:
        return run
    if event.at < grace_ends_at(run, job):
        return run
    if event.job_id is not None:
        return _forget(run, job, event.at)
    run = replace_job(run, job, is_absent=True, is_own=False)
    too_late = job.submit_started_at + timedelta(seconds=INTENT_LIFE_SECONDS)
    if event.at >= too_late and is_wanted(run, job.stage):
        message = (
            f"it is unknown whether job {job.name} ran: its submission at "
            f"{job.submit_started_at.isoformat()} was never confirmed, and Batch forgets ended "
            "jobs after about a week; it is not submitted again"
        )
        return fail_stage(run, job.stage, event.at, "lost", message)
    lost = [each for each in run.jobs if each.stage == job.stage and each.is_absent]
    if len(lost) >= MAX_LOST_SUBMISSIONS and is_wanted(run, job.stage):
        message = f"{len(lost)} submissions in a row were never confirmed; it is given up"
        return fail_stage(run, job.stage, event.at, "lost", message)
    return run


def read(run: Run, event: OutcomeRead) -> Run:
    """Take in what the worker left behind; the holder of the claim is the job that counts."""
    job = _by_serial(run, event.stage, event.serial, None)
    if job is None or not job.has_ended or job.is_read:
        return run
    is_holder_another = event.holder_job_id not in (None, job.job_id)
    if is_holder_another and not event.is_written:
        return _adopt_holder(run, job, event)
    run = replace_job(run, job, is_read=True)
    if is_holder_another:
        run = _remember_holder(run, job, event)
    if run.stage(job.stage).status is not StageStatus.RUNNING:
        return run
    if event.is_written and event.error is None:
        return stages.complete(run, job.stage, event.at, event.result)
    if event.error is not None:
        return fail_stage(run, job.stage, event.at, "worker", event.error)
    return fail_stage(run, job.stage, event.at, cause_of(job, is_worker=True), how_it_ended(job))


def replace_job(run: Run, job: JobState, **changes: Any) -> Run:
    """Return the run with the fields of one of its jobs changed."""
    new = job.model_copy(update=changes)
    return run.model_copy(update={"jobs": tuple(new if old is job else old for old in run.jobs)})


def fail_stage(run: Run, name: str, at: datetime, cause: str, message: str) -> Run:
    """End the stage in ERROR; the first failure of a run that is not closing is the run's."""
    message = message[:MESSAGE_CHARACTERS]
    run = stages.fail(run, name, at, message)
    if run.error is not None or run.is_terminal:
        return run
    return run.model_copy(update={"error": RunError(stage=name, cause=cause, message=message)})


def _known(run: Run, event: JobChanged) -> JobState | None:
    """The job of that id, or the submission of that serial of which nobody knows the id."""
    for job in run.jobs:
        if job.job_id == event.job_id:
            return job
    for job in run.jobs:
        if job.serial == event.serial and job.job_id is None:
            return job
    return None


def _by_serial(run: Run, stage: str, serial: int, job_id: str | None) -> JobState | None:
    for job in run.jobs:
        if job_id is not None and job.job_id == job_id:
            return job
        if job_id is None and job.stage == stage and job.serial == serial and job.is_own:
            return job
    return None


def _extra(run: Run, event: JobChanged) -> JobState:
    """A second job of a name: what it is called and where it runs is known from the first."""
    first = next(job for job in run.jobs if job.serial == event.serial)
    return JobState(
        stage=first.stage,
        serial=first.serial,
        attempt=first.attempt,
        name=first.name,
        queue=event.queue,
        submit_started_at=first.submit_started_at,
        is_own=False,
    )


def _move(run: Run, job: JobState, event: JobChanged) -> tuple[Run, JobState]:
    """A job's state never goes back: a report that is not ahead of it changes nothing."""
    changes: dict[str, Any] = {}
    if job.job_id is None:
        changes = {"job_id": event.job_id, "is_absent": False}
    if (event.ended_attempts, rank(event.status)) > job.order:
        told = event.model_dump(
            include={"ended_attempts", "exit_code", "reason", "log_stream", "started_at"}
        )
        kept = {name: value for name, value in told.items() if value is not None}
        # A job that was believed to be gone and shows itself is there, and must end.
        now = {"status": event.status, "stopped_at": event.stopped_at, "is_absent": False}
        changes |= {**now, **kept, "reason": shortened(kept.get("reason", job.reason))}
    if not changes:
        return run, job
    run = replace_job(run, job, **changes)
    return run, next(new for new in run.jobs if new.job_id == event.job_id)


def _end_stage_of(run: Run, job: JobState, at: datetime) -> Run:
    """The user's own container is believed by its exit code; a worker by its document only."""
    action = run.plan.stage(job.stage).action if job.is_own else None
    is_current = run.job(job.stage) is job and run.stage(job.stage).status is StageStatus.RUNNING
    if not isinstance(action, JobAction) or action.is_worker or not is_current:
        return run
    if job.status is JobStatus.SUCCEEDED:
        return stages.complete(run, job.stage, at, {"exit_code": job.exit_code or 0})
    if job.status is JobStatus.FAILED:
        return fail_stage(run, job.stage, at, cause_of(job), how_it_ended(job))
    return run


def _forget(run: Run, job: JobState, at: datetime) -> Run:
    reason = "the backend no longer knows the job"
    run = replace_job(run, job, is_absent=True, reason=reason, stopped_at=at)
    gone = next(new for new in run.jobs if new.job_id == job.job_id)
    action = run.plan.stage(job.stage).action
    is_current = run.job(job.stage) is gone and run.stage(job.stage).status is StageStatus.RUNNING
    if not is_current or (isinstance(action, JobAction) and action.is_worker):
        return run
    return fail_stage(run, job.stage, at, "lost", f"job {job.name}: {reason}")


def _adopt_holder(run: Run, job: JobState, event: OutcomeRead) -> Run:
    """The job that we took for ours lost the claim: the other one is the stage's job."""
    loser = job.model_copy(update={"is_own": False, "is_read": True})
    others = tuple(old for old in run.jobs if old is not job and old.job_id != event.holder_job_id)
    holder = job.model_copy(
        update={
            "job_id": event.holder_job_id,
            "status": None,
            "ended_attempts": 0,
            "exit_code": None,
            "reason": None,
            "log_stream": None,
            "started_at": None,
            "stopped_at": None,
        }
    )
    return run.model_copy(update={"jobs": (*others, loser, holder)})


def _remember_holder(run: Run, job: JobState, event: OutcomeRead) -> Run:
    """The holder did the work and may still be about to exit: the run settles after it."""
    if any(old.job_id == event.holder_job_id for old in run.jobs):
        return run
    extra = job.model_copy(
        update={
            "job_id": event.holder_job_id,
            "status": None,
            "ended_attempts": 0,
            "is_own": False,
        }
    )
    return run.model_copy(update={"jobs": (*run.jobs, extra)})
