"""A job of a stage: one submission to Batch, or one local process, as a run remembers it."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from pydantic import AwareDatetime, Field

from chalicelib.core.commands import StopReason
from chalicelib.core.noun import Noun, is_empty


class JobStatus(StrEnum):
    """Batch's own words, in the order in which a job passes through them."""

    SUBMITTED = "SUBMITTED"
    PENDING = "PENDING"
    RUNNABLE = "RUNNABLE"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


ENDED_JOBS: Final = frozenset({JobStatus.SUCCEEDED, JobStatus.FAILED})
SUCCEEDED: Final = "succeeded"
"""How a child ended that did not fail, in ``ChildTimes.seconds``."""


class ChildTimes(Noun):
    """How long the children of an array ran, as far as somebody has looked."""

    next: int = 0
    """The first that nobody has looked at; the array's size: all were looked at."""
    known: int = 0
    """Of how many the backend still knew anything."""
    seconds: dict[str, float] = {}
    """By how they ended: ``SUCCEEDED``, or a word of ``core/failures.py``."""
    first_started_at: AwareDatetime | None = None


class JobState(Noun):
    """One submission of one job. A stage's current one is its last that ``is_own``."""

    stage: str
    serial: int = Field(ge=1)
    """Grows over the whole life of the run; no name is ever used twice."""
    attempt: int
    """Which of the stage's attempts it works for."""
    name: str
    queue: str
    submit_started_at: AwareDatetime
    """When the one writer who may submit it set out to. Nobody else ever may."""
    job_id: str | None = None
    """None until somebody has seen the job."""
    status: JobStatus | None = None
    ended_attempts: int = 0
    exit_code: int | None = None
    reason: str | None = None
    log_stream: str | None = None
    started_at: AwareDatetime | None = None
    stopped_at: AwareDatetime | None = None
    stop: StopReason | None = None
    """Why it was ordered to end, where that does not follow from the run's state."""
    generation: int = 1
    """Of the run, when it was submitted; one of an earlier generation must only end."""
    is_preparation: bool = False
    """Our worker's job that clears the ground before the stage's own job runs again."""
    children: int | None = None
    """How many batches it does; two and more are a Batch array."""
    follows: str | None = None
    """Name of the job before it, which left behind a list of the batches that are not done."""
    leads_on: bool = False
    """It has done its part, and another job of its stage follows."""
    is_own: bool = True
    """False: an extra copy or a superseded submission; it must end and never moves the run."""
    is_absent: bool = False
    """Looked for after its grace and not there: it never was accepted."""
    is_read: bool = False
    """A worker's job whose claim and result document have been read."""
    child_times: ChildTimes | None = Field(default=None, exclude_if=is_empty)
    """Of an array that has ended; None until somebody has looked."""

    @property
    def has_ended(self) -> bool:
        """Whether nothing of it can still be running."""
        return self.is_absent or self.status in ENDED_JOBS

    @property
    def order(self) -> tuple[int, int]:
        """What a report must exceed to be news: (ended attempts, rank of the status)."""
        return (self.ended_attempts, rank(self.status))


def rank(status: JobStatus | None) -> int:
    """Return how far a job has come; -1 while nothing was seen of it. Both ends rank the same."""
    if status is None:
        return -1
    return min(list(JobStatus).index(status), list(JobStatus).index(JobStatus.SUCCEEDED))
