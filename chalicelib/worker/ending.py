"""How a worker job ends: its exit code, and the outcome of work that was done or cannot be.

Only what somebody has to mend becomes an outcome. Everything else that is raised passes through:
then there is no outcome, and the job may be tried again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pydantic import JsonValue

from chalicelib.core.errors import InvalidRequest, NotFound, Refused
from chalicelib.core.worker_documents import Outcome
from chalicelib.worker.problems import sentence
from chalicelib.worker.transfers import say
from chalicelib.worker_settings import WorkerSettings

DONE: Final = 0
CANNOT_BE_DONE: Final = 1
CLAIMED_BY_ANOTHER: Final = 75
"""EX_TEMPFAIL of sysexits.h; the engine looks for the job that holds the claim."""


def outcome_of(job: WorkerSettings, work: Callable[[], JsonValue]) -> Outcome:
    """Do the work; return its result, or why it cannot be done, as the job's outcome."""
    outcome = Outcome(job_name=job.job_name, job_id=job.job_id, attempt=job.attempt)
    try:
        return outcome.model_copy(update={"result": work()})
    except (InvalidRequest, Refused, NotFound) as exc:
        error = sentence(exc)
        say(f"error: {error}")
        return outcome.model_copy(update={"error": error})
