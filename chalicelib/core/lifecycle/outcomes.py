"""What a worker left behind: the claim says which job counts, its result document how it ended.

Two jobs may bear one name. The first to claim it does the work; where that is not the job that
the stage took for its own, the holder takes its place, and the loser moves nothing.

A worker may find too much to do for one job. Then its document says into how many batches it has
divided the work, and the stage goes on::

    worker ── batches: n ──▶ array ── some left ──▶ array of those ──▶ … ──▶ worker, to finish
       └── a result ──▶ COMPLETE                     (RETRY, free)              └──▶ COMPLETE

Every child writes a document of its own. What is left is what has none.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import JsonValue

from chalicelib.core.events import OutcomeRead
from chalicelib.core.job_state import JobState
from chalicelib.core.lifecycle import stages
from chalicelib.core.lifecycle.attempts import fail_stage
from chalicelib.core.lifecycle.endings import cause_of, how_it_ended, is_spoilt
from chalicelib.core.lifecycle.jobs import by_serial, is_current, replace_job, unseen_twin
from chalicelib.core.plans.plan import JobAction
from chalicelib.core.run import Run


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
    if event.batches_left is not None:
        return _end_batches(run, job, event.batches_left, event.at)
    if not event.is_written:
        cause, message = cause_of(job, is_worker=True), how_it_ended(job)
        return fail_stage(run, job.stage, event.at, cause, message, is_spoilt=is_spoilt(cause))
    if job.is_preparation:
        return replace_job(run, job, leads_on=True)
    batches = _batches(run, job, event.result)
    if batches is None:
        return stages.complete(run, job.stage, event.at, event.result)
    run = stages.change(run, job.stage, batches=batches, batches_left=batches)
    return replace_job(run, job, leads_on=True)


def _batches(run: Run, job: JobState, result: JsonValue) -> int | None:
    """How many batches a worker that did not do the work itself has divided it into."""
    action = run.plan.stage(job.stage).action
    may_divide = isinstance(action, JobAction) and action.fan_out is not None
    is_divided = isinstance(result, dict) and "batches" in result
    if not may_divide or not is_divided or run.stage(job.stage).batches_left == 0:
        return None
    assert isinstance(result, dict)  # noqa: S101 -- seen above
    return int(str(result["batches"]))


def _end_batches(run: Run, job: JobState, left: int, at: datetime) -> Run:
    """Those that failed are tried again, without the others, as an attempt that costs nothing."""
    before, asked = run.stage(job.stage).batches_left or 0, job.children or 0
    run = stages.change(run, job.stage, batches_left=left)
    failed = asked - (before - left)
    if failed <= 0:
        return replace_job(run, job, leads_on=True)
    message = f"{failed} of {asked} batches failed: {how_it_ended(job)}"
    return fail_stage(run, job.stage, at, "worker", message, is_spoilt=True)


def _adopt_holder(run: Run, job: JobState, event: OutcomeRead) -> Run:
    """The job that we took for ours lost the claim: the other one is the stage's job.

    It may have ended already, stopped as the copy that it seemed to be.
    """
    loser = job.model_copy(update={"is_own": False, "is_read": True})
    known = next((each for each in run.jobs if each.job_id == event.holder_job_id), None)
    others = tuple(each for each in run.jobs if each is not job and each is not known)
    took = {"job_id": event.holder_job_id, "is_own": True}
    holder = (known or unseen_twin(job)).model_copy(update=took)
    return run.model_copy(update={"jobs": (*others, loser, holder)})


def _remember_holder(run: Run, job: JobState, event: OutcomeRead) -> Run:
    """The holder did the work and may still be about to exit: the run settles after it."""
    if any(old.job_id == event.holder_job_id for old in run.jobs):
        return run
    seen = {"job_id": event.holder_job_id, "is_own": False}
    return run.model_copy(update={"jobs": (*run.jobs, unseen_twin(job).model_copy(update=seen))})
