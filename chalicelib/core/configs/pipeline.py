"""A pipeline as it is kept: its steps with their works, and what is under way. Nouns only.

Works are deposited in three movements, so that a crash anywhere deposits nothing twice:

::

    idle ──planned: ids, under the version──▶ planned ──stored as "created"──▶ placed ──▶ idle
                                                  nobody can withdraw them yet    all are "queued"

While they are ``created`` in the queue no worker can take them, end them or have them removed; so
whoever comes after a crash sees which are there. Only who saved ``planned`` stores them; another
one does it after a grace, when that one must have died.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final, Literal, Self

from pydantic import AwareDatetime

from chalicelib.core.configs.matrices import Values, size_of
from chalicelib.core.configs.model import ConfigPlan
from chalicelib.core.noun import Noun


class Status(StrEnum):
    """Where a config, a pipeline, a step or a work of one stands."""

    CREATED = "created"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCESS = "success"
    FAILURE = "failure"
    CANCELLED = "cancelled"


OVER: Final = frozenset({Status.SUCCESS, Status.FAILURE, Status.CANCELLED})
LIVE: Final = frozenset({Status.QUEUED, Status.RUNNING})


class Header(Noun):
    """A config as lists show it; its document lies apart."""

    id: str
    name: str
    version: str
    user: str | None
    creation: AwareDatetime
    count: int
    """How many pipelines it has."""
    tally: dict[Status, int]
    """How many of them stand where, when somebody looked last."""
    stop: AwareDatetime | None = None
    """When all of them had settled."""
    generation: int = 1
    """How many wishes it was told, and one."""
    wish: Literal["cancel", "retry"] | None = None
    """The last of them; each pipeline carries it out, and so reaches the generation."""

    @property
    def status(self) -> Status:
        """What its pipelines make of it."""
        return joint({status for status, count in self.tally.items() if count})


class StepWork(Noun):
    """One work of a step."""

    id: str | None = None
    """None: it is not deposited yet."""
    status: Status = Status.CREATED


class Step(Noun):
    """One step of a pipeline."""

    name: str
    stage: int
    bucket: str
    """The pipeline of its works."""
    works: tuple[StepWork, ...]
    replaced: tuple[str, ...] = ()
    """Ids of works in whose place others were deposited."""

    @property
    def status(self) -> Status:
        """What its works make of it."""
        return joint({each.status for each in self.works})


class Pipeline(Noun):
    """One pipeline of a config."""

    id: str
    steps: tuple[Step, ...]
    matrix: dict[str, Any] = {}
    """Its values of the config's matrix."""
    creation: AwareDatetime
    start: AwareDatetime | None = None
    stop: AwareDatetime | None = None
    phase: Literal["idle", "planned", "placed"] = "idle"
    planned_at: AwareDatetime | None = None
    is_cancelled: bool = False
    generation: int = 1
    """Of the config, when its last wish was carried out here."""

    @classmethod
    def of(cls, config: ConfigPlan, pipeline_id: str, values: Values, at: AwareDatetime) -> Self:
        """Return a new one."""
        steps = tuple(
            Step(
                name=step.name,
                stage=step.stage,
                bucket=step.bucket(values),
                works=(StepWork(),) * size_of(step.matrix),
            )
            for step in config.pipeline.steps
        )
        return cls(id=pipeline_id, steps=steps, matrix=dict(values), creation=at)

    @property
    def works(self) -> tuple[StepWork, ...]:
        """All works of all steps."""
        return tuple(work for step in self.steps for work in step.works)

    @property
    def current_stage(self) -> int:
        """The first stage that has not succeeded, or the last one."""
        left = [step.stage for step in self.steps if step.status is not Status.SUCCESS]
        return min(left) if left else max(step.stage for step in self.steps)

    @property
    def status(self) -> Status:
        """Where it stands; what comes after a failure never begins."""
        if self.is_cancelled and not all(each.status is Status.SUCCESS for each in self.works):
            return Status.CANCELLED
        now = self.current_stage
        stage = joint({s.status for s in self.steps if s.stage == now})
        is_waiting = stage in {Status.CREATED, Status.QUEUED}
        return Status.RUNNING if is_waiting and self.has_begun else stage

    @property
    def has_begun(self) -> bool:
        """Whether any of its works was ever withdrawn."""
        waiting = {Status.CREATED, Status.QUEUED, Status.CANCELLED}
        return any(each.status not in waiting for each in self.works)

    @property
    def is_settled(self) -> bool:
        """Whether nothing of it will ever change again by itself."""
        live = any(each.status in LIVE for each in self.works)
        return self.status in OVER and self.phase == "idle" and not live


def joint(found: set[Status]) -> Status:
    """Return the status of several things that are side by side."""
    if found <= OVER:
        worst = (Status.FAILURE, Status.CANCELLED)
        return next((each for each in worst if each in found), Status.SUCCESS)
    if found == {Status.CREATED}:
        return Status.CREATED
    return Status.QUEUED if found <= {Status.CREATED, Status.QUEUED} else Status.RUNNING
