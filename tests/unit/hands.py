"""Runs of several stages side by side, played by hand: who begins, ends and is lost when."""

from __future__ import annotations

from typing import Any

from chalicelib.core.commands import (
    StopJob,
    StopReason,
)
from chalicelib.core.events import (
    CancelRequested,
    ResumeRequested,
    SubmissionStarted,
)
from chalicelib.core.job_state import JobStatus
from chalicelib.core.lifecycle import owed
from chalicelib.core.plans.plan import (
    JobAction,
    Plan,
    PutDocuments,
    StagePlan,
)
from tests.unit.runs import GRACE, at, worker
from tests.unit.test_lifecycle_attempts import Player

JOB = JobAction(definition="user", queue="spot")
CALL = PutDocuments(documents={})
PREP = worker("stage-in")


def side_by_side(*actions: Any, **told: Any) -> Plan:
    """Stages A, B, … that wait for nothing."""
    stages = tuple(
        StagePlan(name=name, action=action) for name, action in zip("ABCD", actions, strict=False)
    )
    told = {"stages": stages, "submit_grace_seconds": GRACE, "check_seconds": 30, **told}
    return Plan.model_validate(told)


def closing(plan: Plan, *names: str, action: Any = JOB, after: tuple[str, ...] = ()) -> Plan:
    """The plan with these stages to take down what the others put up."""
    more = tuple(StagePlan(name=n, action=action, is_closing=True, after=after) for n in names)
    return plan.model_copy(update={"stages": (*plan.stages, *more)})


def with_timeout(plan: Plan, seconds: int) -> Plan:
    stages = tuple(s.model_copy(update={"timeout_seconds": seconds}) for s in plan.stages)
    return plan.model_copy(update={"stages": stages})


class Hand(Player):
    """A player for whom several stages may be under way."""

    def intend(self, stage: str) -> int:
        serial = self.run.serial + 1
        about = {"run_id": "r1", "at": at(self.now), "stage": stage}
        self.apply(SubmissionStarted(**about, serial=serial))
        return serial

    def begin(self, stage: str) -> int:
        serial = self.intend(stage)
        self.see(serial, JobStatus.SUBMITTED)
        return serial

    def tell(self, kind: type, stage: str, **told: Any) -> None:
        about = {"run_id": "r1", "at": at(self.now), "stage": stage}
        self.apply(kind.model_validate({**about, **told}))

    def cancel(self) -> None:
        self.apply(CancelRequested(run_id="r1", at=at(self.now)))

    def resume(self) -> None:
        self.apply(ResumeRequested(run_id="r1", at=at(self.now)))

    def owed(self, kind: Any) -> list[Any]:
        return [c for c in owed(self.run, at(self.now)) if isinstance(c, kind)]

    def stops(self) -> list[tuple[str, StopReason]]:
        return [(c.job_id, c.reason) for c in self.owed(StopJob)]
