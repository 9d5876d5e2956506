"""The submission protocol: who may submit a job, what a report of one means (DESIGN, section 3).

The job's name is unique for ever, an intent is saved before the one call that may submit, and
afterwards everybody may only look the name up. What bears a name of ours and is not the job that
the stage adopted is an extra copy: it is remembered, stopped, and never moves the run.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from chalicelib.core.events import JobChanged, SubmissionDeferred, SubmissionStarted
from chalicelib.core.job_names import job_name
from chalicelib.core.job_state import JobState, JobStatus, rank
from chalicelib.core.lifecycle import stages
from chalicelib.core.lifecycle.attempts import deferral, fail_stage, needs_preparation
from chalicelib.core.lifecycle.endings import cause_of, how_it_ended, is_spoilt, shortened
from chalicelib.core.limits import BATCH_ARRAY_CHILDREN
from chalicelib.core.plans.plan import JobAction
from chalicelib.core.run import Run, Stage, StageStatus

MOST_JOBS: Final = 100
"""How many a run lists, with what was said of each: one item holds 400 KB."""
KEPT_JOBS: Final = 50
"""How many ended ones stay, with their logs, when the list is full or a generation begins."""


def is_wanted(run: Run, name: str) -> bool:
    """Whether the stage needs a (new) submission now; readiness is ``advance``'s business."""
    stage = run.stage(name)
    if stage.retry_at is not None:
        return False
    if stage.status is StageStatus.RUNNING:
        job = run.job(name)
        is_missing = job is None or job.attempt != stage.attempts or job.leads_on
        return isinstance(run.plan.stage(name).action, JobAction) and is_missing
    return stage.status in (StageStatus.CREATED, StageStatus.RETRY)


def is_current(run: Run, job: JobState) -> bool:
    """Whether the job is the one that its stage is waiting for."""
    stage = run.stage(job.stage)
    return (
        stage.status is StageStatus.RUNNING
        and job.attempt == stage.attempts
        and run.job(job.stage) is job
    )


def is_worker(run: Run, job: JobState) -> bool:
    """Whether the job is our own worker: its result document counts, not its exit code."""
    action = run.plan.stage(job.stage).action
    return job.is_preparation or (isinstance(action, JobAction) and action.is_worker)


def grace_ends_at(run: Run, job: JobState) -> datetime:
    """Return until when nobody may conclude that an unseen job does not exist."""
    return job.submit_started_at + timedelta(seconds=run.plan.submit_grace_seconds)


def intend(run: Run, event: SubmissionStarted) -> Run:
    """Record the intent; the writer who saves it, and nobody else, submits."""
    action = run.plan.stage(event.stage).action
    assert isinstance(action, JobAction)  # noqa: S101 -- only job stages are owed StartJob
    if run.stage(event.stage).status is not StageStatus.RUNNING:
        run = stages.begin(run, event.stage, event.at)
    stage = run.stage(event.stage)
    is_preparation = needs_preparation(run, event.stage)
    last = run.job(event.stage)
    job = JobState(
        stage=event.stage,
        serial=event.serial,
        attempt=stage.attempts,
        name=job_name(run.plan.job_name_prefix, run.uid, event.stage, event.serial),
        queue=(action.fallback_queue if stage.uses_fallback else None) or action.queue,
        submit_started_at=event.at,
        generation=run.generation,
        is_preparation=is_preparation,
        children=None if is_preparation else _children(stage),
        follows=last.name if last is not None and last.children else None,
    )
    known = run.jobs if len(run.jobs) < MOST_JOBS else worth_keeping(run.jobs)
    return run.model_copy(update={"serial": event.serial, "jobs": (*known, job)})


def worth_keeping(jobs: tuple[JobState, ...]) -> tuple[JobState, ...]:
    """Forget the oldest that have ended, but of each stage the last that worked.

    What that one left behind must be cleared away before the stage runs again.
    """
    workers = {job.stage: job for job in jobs if job.job_id is not None and not job.is_preparation}
    kept = [id(job) for job in (*jobs[-KEPT_JOBS:], *workers.values())]
    return tuple(job for job in jobs if id(job) in kept or not job.has_ended)


def _children(stage: Stage) -> int | None:
    return min(stage.batches_left, BATCH_ARRAY_CHILDREN) if stage.batches_left else None


def defer(run: Run, event: SubmissionDeferred) -> Run:
    """Take the intent back: it certainly had no effect. The next one comes a little later."""
    job = by_serial(run, event.stage, event.serial, None)
    if job is None or job.job_id is not None or job.has_ended:
        return run
    run = run.model_copy(update={"jobs": tuple(each for each in run.jobs if each is not job)})
    if run.stage(event.stage).status is not StageStatus.RUNNING:
        return run
    later = event.at + deferral(run, event.serial)
    return stages.change(run, event.stage, retry_at=later)


def report(run: Run, event: JobChanged) -> Run:
    """Take in what was seen of a job: adopt it, move it on, or remember it as an extra copy."""
    job = _known(run, event)
    if job is None:
        job = _extra(run, event)
        run = run.model_copy(update={"jobs": (*run.jobs, job)})
    return _end_stage_of(*_move(run, job, event), event.at)


def replace_job(run: Run, job: JobState, **changes: Any) -> Run:
    """Return the run with the fields of one of its jobs changed."""
    new = job.model_copy(update=changes)
    return run.model_copy(update={"jobs": tuple(new if old is job else old for old in run.jobs)})


def by_serial(run: Run, stage: str, serial: int, job_id: str | None) -> JobState | None:
    """Return the job of that id; without an id, the stage's own submission of that serial."""
    for job in run.jobs:
        if job_id is not None and job.job_id == job_id:
            return job
        if job_id is None and job.stage == stage and job.serial == serial and job.is_own:
            return job
    return None


def _known(run: Run, event: JobChanged) -> JobState | None:
    """The job of that id, or the submission of that serial of which nobody knows the id."""
    for job in run.jobs:
        if job.job_id == event.job_id:
            return job
    for job in run.jobs:
        if job.serial == event.serial and job.job_id is None:
            return job
    return None


def _extra(run: Run, event: JobChanged) -> JobState:
    """A second job of a name: what it is called and does is known from the first."""
    first = next(job for job in run.jobs if job.serial == event.serial)
    return unseen_twin(first).model_copy(update={"queue": event.queue, "is_own": False})


def unseen_twin(job: JobState) -> JobState:
    """Return another job of the same submission, of which nothing is known yet."""
    given = {
        "stage", "serial", "attempt", "name", "queue", "submit_started_at", "generation",
        "is_preparation", "children", "follows",
    }  # fmt: skip
    return JobState(**{name: getattr(job, name) for name in given})


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
    elif event.status is job.status and job.reason is None and event.reason is not None:
        # Why a job waits is told while it waits: MISCONFIGURATION and CAPACITY, of a RUNNABLE one.
        changes |= {"reason": shortened(event.reason)}
    if not changes:
        return run, job
    run = replace_job(run, job, **changes)
    return run, next(new for new in run.jobs if new.job_id == event.job_id)


def _end_stage_of(run: Run, job: JobState, at: datetime) -> Run:
    """The user's own container is believed by its exit code; a worker by its document only."""
    if is_worker(run, job) or not is_current(run, job):
        return run
    if job.status is JobStatus.SUCCEEDED:
        return stages.complete(run, job.stage, at, {"exit_code": job.exit_code or 0})
    if job.status is JobStatus.FAILED:
        cause = cause_of(job)
        return fail_stage(run, job.stage, at, cause, how_it_ended(job), is_spoilt=is_spoilt(cause))
    return run
