"""What runs jobs, as a protocol: AWS Batch, or subprocesses of this machine.

The law of ``ports`` holds here too, but for ``submit``, which only the writer of an intent may
call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pydantic import AwareDatetime, Field

from chalicelib.core.job_state import JobStatus
from chalicelib.core.noun import Noun
from chalicelib.core.plans.plan import JobDefinition


class JobRequest(Noun):
    """One job to submit. One attempt: retries are the engine's."""

    name: str
    queue: str
    definition_arn: str
    command: tuple[str, ...] | None = None
    environment: dict[str, str] = {}
    parameters: dict[str, str] = {}
    """Name → what stands for ``Ref::name`` in the definition's command."""
    resource_requirements: tuple[dict[str, str], ...] = ()
    array_size: int | None = Field(default=None, ge=2)
    """Run that many children, each with its AWS_BATCH_JOB_ARRAY_INDEX; the job is their parent."""
    tags: dict[str, str] = {}
    group: str = "default"
    """Whose job it is: its share, in a queue that shares fairly."""


class JobSeen(Noun):
    """A job as the backend shows it."""

    job_id: str
    name: str
    queue: str
    status: JobStatus
    run_id: str | None = None
    """From the job's own environment; None where the listing does not show it."""
    ended_attempts: int = 0
    exit_code: int | None = None
    reason: str | None = None
    log_stream: str | None = None
    started_at: AwareDatetime | None = None
    stopped_at: AwareDatetime | None = None
    all_attempts_seconds: float | None = None
    """How long its attempts ran together, where the backend itself has made more than one."""

    @property
    def seconds(self) -> float:
        """How long it ran, as far as its times tell."""
        if self.all_attempts_seconds is not None:
            return self.all_attempts_seconds
        if self.started_at is None or self.stopped_at is None:
            return 0.0
        return max(0.0, (self.stopped_at - self.started_at).total_seconds())


class JobRunner(Protocol):
    """AWS Batch, or subprocesses. It may accept two jobs of one name, as Batch does."""

    def define(self, definition: JobDefinition) -> str:
        """Return the ARN of an active definition with this content, registered if absent."""
        ...

    def submit(self, job: JobRequest) -> str:
        """Submit once, without retries; return the job id.

        Raises Refused for a definite no, and TurnedAway for a definite "not now".
        """
        ...

    def find(self, queue: str, name: str) -> tuple[JobSeen, ...]:
        """Return every job of exactly that name in the queue, in any status, newest first."""
        ...

    def describe(self, job_ids: Sequence[str]) -> tuple[JobSeen, ...]:
        """Return the jobs that are still known, in any order; at most 100 ids.

        ``<id>:<index>`` is a child of an array; nothing else ever shows one.
        """
        ...

    def stop(self, job_id: str, reason: str) -> None:
        """Order the job to end; unknown and ended jobs are left alone."""
        ...

    def log(self, log_stream: str, limit_bytes: int) -> bytes:
        """Return the last bytes that the job wrote; empty if it wrote nothing."""
        ...
