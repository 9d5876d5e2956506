"""What a worker left behind: the claim says which job counts, its result document how it ended.

Two jobs may bear one name. The first to claim it does the work; where that is not the job that
the stage took for its own, the holder takes its place, and the loser moves nothing.
"""

from __future__ import annotations

from chalicelib.core.events import OutcomeRead
from chalicelib.core.lifecycle import stages
from chalicelib.core.lifecycle.attempts import fail_stage
from chalicelib.core.lifecycle.endings import cause_of, how_it_ended, is_spoilt
from chalicelib.core.lifecycle.jobs import by_serial, is_current, replace_job
from chalicelib.core.run import JobState, Run


def read(run: Run, event: OutcomeRead) -> Run:
    """Take in what the worker left behind; the holder of the claim is the job that counts."""
    job = by_serial(run, event.stage, event.serial, None)
    if job is None or not job.has_ended or job.is_read:
        return run
    is_holder_another = event.holder_job_id not in (None, job.job_id)
    if is_holder_another and not event.is_written:
        return _adopt_holder(run, job, event)
    run = replace_job(run, job, is_read=True)
    if is_holder_another:
        run = _remember_holder(run, job, event)
    job = by_serial(run, event.stage, event.serial, None) or job
    return _end_stage_of(run, job, event) if is_current(run, job) else run


def _end_stage_of(run: Run, job: JobState, event: OutcomeRead) -> Run:
    if event.error is not None:
        return fail_stage(run, job.stage, event.at, "worker", event.error)
    if not event.is_written:
        cause, message = cause_of(job, is_worker=True), how_it_ended(job)
        return fail_stage(run, job.stage, event.at, cause, message, is_spoilt=is_spoilt(cause))
    if job.is_preparation:
        return run
    return stages.complete(run, job.stage, event.at, event.result)


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
