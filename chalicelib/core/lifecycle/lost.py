"""A job that is not there: it never was accepted, or the backend has forgotten it.

Only after the grace may anybody conclude the first, and then the stage is owed a submission with
a new serial. What may have run, and of which nobody can tell any more, is never submitted again.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from chalicelib.core.events import JobNotFound
from chalicelib.core.job_state import JobState
from chalicelib.core.lifecycle.attempts import fail_stage
from chalicelib.core.lifecycle.jobs import (
    by_serial,
    grace_ends_at,
    is_current,
    is_wanted,
    is_worker,
    replace_job,
)
from chalicelib.core.limits import BATCH_REMEMBERS_ENDED_JOBS_SECONDS
from chalicelib.core.run import Run

INTENT_LIFE_SECONDS: Final = BATCH_REMEMBERS_ENDED_JOBS_SECONDS - 24 * 3600
"""After it nobody can tell any more whether the job ran: Batch may have forgotten it."""
MAX_LOST_SUBMISSIONS: Final = 50
"""Submissions of one attempt that nobody ever saw: more is a fault that trying again will not
mend. On AWS, with a grace of 16 minutes each, this is half a day without an answer from Batch."""


def lose(run: Run, event: JobNotFound) -> Run:
    """Take in that a job is not there: it never was accepted, or it is forgotten."""
    job = by_serial(run, event.stage, event.serial, event.job_id)
    if job is None or job.has_ended:
        return run
    if event.at < grace_ends_at(run, job):
        return run
    if event.job_id is not None:
        return _forget(run, job, event.at)
    run = replace_job(run, job, is_absent=True, is_own=False)
    message = _why_given_up(run, job, event.at) if is_wanted(run, job.stage) else None
    return fail_stage(run, job.stage, event.at, "lost", message) if message else run


def _why_given_up(run: Run, job: JobState, at: datetime) -> str | None:
    if at >= job.submit_started_at + timedelta(seconds=INTENT_LIFE_SECONDS):
        return (
            f"it is unknown whether job {job.name} ran: its submission at "
            f"{job.submit_started_at.isoformat()} was never confirmed, and Batch forgets ended "
            "jobs after about a week; it is not submitted again"
        )
    lost = [other for other in run.jobs if other.is_absent and _is_of_attempt(other, job)]
    if len(lost) >= MAX_LOST_SUBMISSIONS:
        return f"{len(lost)} submissions in a row were never confirmed; it is given up"
    if run.is_terminal and not run.plan.stage(job.stage).is_closing:
        return f"job {job.name} was never confirmed, and the run had ended meanwhile"
    return None


def _is_of_attempt(job: JobState, other: JobState) -> bool:
    return (job.stage, job.generation, job.attempt) == (
        other.stage,
        other.generation,
        other.attempt,
    )


def _forget(run: Run, job: JobState, at: datetime) -> Run:
    reason = "the backend no longer knows the job"
    run = replace_job(run, job, is_absent=True, reason=reason, stopped_at=at)
    gone = next(new for new in run.jobs if new.job_id == job.job_id)
    if not is_current(run, gone) or is_worker(run, gone):
        return run
    return fail_stage(run, job.stage, at, "lost", f"job {job.name}: {reason}")
