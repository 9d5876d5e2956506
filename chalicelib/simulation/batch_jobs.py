"""One job of the simulated Batch, and how long each of its steps takes."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Final

from chalicelib.core.job_state import ENDED_JOBS, JobState, JobStatus
from chalicelib.job_ports import JobRequest, JobSeen

Program = Generator[float, None, "Exit"]
"""What runs in a container: it yields how many seconds its next step takes."""

HOUR: Final = 3600.0
DAY: Final = 24 * HOUR


@dataclass(frozen=True)
class Exit:
    """How a container ended."""

    code: int | None
    reason: str | None = None


@dataclass
class SimulatedJob:
    """A job that was accepted."""

    job_id: str
    request: JobRequest
    intent: JobState
    """The submission that it was accepted for, as it was saved then."""
    seen: JobSeen
    """As Batch shows it now."""
    shown_from: float
    """Until then neither a listing nor a description shows it."""
    is_copy: bool = False
    """Batch ran it besides; no SubmitJob asked for it."""
    ended: float | None = None
    is_stopping: bool = False
    program: Program | None = None

    @property
    def run_id(self) -> str:
        """Of whichever run it says it is."""
        return self.request.environment.get("FALSEWORK_RUN_ID", "")

    @property
    def is_live(self) -> bool:
        """Whether it has not ended."""
        return self.seen.status not in ENDED_JOBS

    @property
    def is_worker(self) -> bool:
        """Whether our own worker runs in it."""
        return "FALSEWORK_OUTCOME_URI" in self.request.environment

    @property
    def attempt(self) -> tuple[str, str, int, int]:
        """Which attempt of which stage it works for."""
        intent = self.intent
        return (self.run_id, intent.stage, intent.generation, intent.attempt)

    def move(self, status: JobStatus, **changes: object) -> None:
        """Show another status."""
        self.seen = self.seen.model_copy(update={"status": status, **changes})


def wait_for_host(throws: Random, *, is_long: bool) -> float:
    """Return how long a job is RUNNABLE."""
    if not is_long:
        return throws.uniform(1, 240)
    return throws.uniform(HOUR, 8 * DAY if throws.random() < 0.05 else DAY)


def time_to_start(throws: Random) -> float:
    """Return how long a job is STARTING."""
    return throws.uniform(1, 90)


def stopped(at: datetime, code: int | None, reason: str | None) -> dict[str, object]:
    """Return what an ended job shows besides its status."""
    return {"ended_attempts": 1, "exit_code": code, "reason": reason, "stopped_at": at}
