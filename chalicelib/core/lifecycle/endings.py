"""How a job ended, in a word for programs and in a sentence for people. Decides nothing."""

from __future__ import annotations

from typing import Final

from chalicelib.core.failures import Failure, classify
from chalicelib.core.job_state import JobState, JobStatus
from chalicelib.core.run import MESSAGE_CHARACTERS

WITHOUT_REASON: Final = "canceled by request"
"""RunError.message of a cancel for which nobody gave a reason."""


def cause_of(job: JobState, *, is_worker: bool = False) -> str:
    """Return the word for RunError.cause.

    A worker is our own: what it did wrong is not the user's to mend, so that only the fault of
    the infrastructure is told apart.
    """
    if job.is_absent:
        return "lost"
    if job.status is JobStatus.SUCCEEDED:
        return "worker"
    failure = classify(job.exit_code, job.reason)
    if is_worker and failure is not Failure.INFRASTRUCTURE:
        return "worker"
    return failure.value


def is_spoilt(cause: str) -> bool:
    """Whether a job that ended so was spoilt by others than the user, and is tried again freely.

    A worker that ended without its result document was killed, or met a fault that may pass; what
    the user must mend it writes into the document.
    """
    return cause in (Failure.INFRASTRUCTURE.value, "worker")


def how_it_ended(job: JobState) -> str:
    """Return the sentence for RunError.message and for the stage's history."""
    if job.status is JobStatus.SUCCEEDED:
        return f"job {job.name} ended without its result document"
    code = "" if job.exit_code is None else f" with exit code {job.exit_code}"
    return f"job {job.name} failed{code}" + (f": {job.reason}" if job.reason else "")


def shortened(reason: str | None) -> str | None:
    """Return what the backend said, cut to what a run has room for."""
    return None if reason is None else reason[:MESSAGE_CHARACTERS]
