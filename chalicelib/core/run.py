"""A run: one tracked execution, its stages and its jobs. Values only; ``lifecycle/`` decides.

The wire form of a stage's state, its enumerations and its history are those of the stage model
(specs: stages 1, 2 and 6). What the engine must remember besides stands in ``Stage`` and in
``JobState``, and is not shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

from chalicelib.core.job_state import JobState
from chalicelib.core.noun import Noun, is_empty
from chalicelib.core.plans.plan import Plan, StagePlan


class RunState(StrEnum):
    """Where a run is; the last three are terminal within a generation."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    ERROR = "ERROR"
    CANCELED = "CANCELED"


class StageStatus(StrEnum):
    """Where a stage is. UNBOUND: not part of a run yet. CREATED: waiting for its turn."""

    UNBOUND = "UNBOUND"
    CREATED = "CREATED"
    RUNNING = "RUNNING"
    RETRY = "RETRY"
    ERROR = "ERROR"
    COMPLETE = "COMPLETE"
    CANCELED = "CANCELED"


TERMINAL_RUNS: Final = frozenset({RunState.SUCCESS, RunState.ERROR, RunState.CANCELED})
ACTIVE: Final = frozenset({StageStatus.CREATED, StageStatus.RUNNING, StageStatus.RETRY})
CANCELABLE: Final = ACTIVE | {StageStatus.UNBOUND}
MESSAGE_CHARACTERS: Final = 1000


class HistoryEntry(BaseModel):
    """One execution of a stage, written when it ended."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    attempt: int = Field(ge=0)
    """1 for the first execution; 0 for a cancel before it."""
    begin_status: StageStatus
    end_status: StageStatus
    begin_ts: str
    end_ts: str
    """ISO 8601, UTC."""
    message: str
    run_time_seconds: float


class StageState(BaseModel):
    """The state of a stage on the wire: BaseStageState of the stage model; its task is the run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task_id: str = ""
    stage_name: str = Field(default="", max_length=150)
    status: StageStatus = StageStatus.UNBOUND
    attempts: int = Field(default=0, ge=0)
    history: tuple[HistoryEntry, ...] = ()
    result: JsonValue = None
    """Set together with COMPLETE, and only then."""


class Children(Noun):
    """Runs that a stage has started, or is about to: those of one attempt."""

    generation: int
    attempt: int


class Stage(StageState):
    """A stage's state and what its next history entry will need."""

    begin_status: StageStatus | None = None
    begun_at: AwareDatetime | None = None
    free_attempts: int = 0
    """How many of the attempts the infrastructure spoilt: they do not count as the user's."""
    uses_fallback: bool = False
    """Its next submissions go to the fallback queue, if the plan has one."""
    batches: int | None = None
    """How many its worker has divided the work into; None: it has not."""
    batches_left: int | None = None
    """How many of them are not done; 0: only the finish is."""
    children: Children | None = None
    """Whose runs may be under way; None once all have ended and settled, or none were started."""
    former: Children | None = Field(default=None, exclude_if=is_empty)
    """Whose runs ended last, if those that succeeded may stand for runs of the next attempt."""
    faults: int = Field(default=0, exclude_if=is_empty)
    """How often in a row a step of it raised what nobody foresaw."""
    faulted_at: AwareDatetime | None = Field(default=None, exclude_if=is_empty)
    """When it did so last."""
    attempts_before: int | None = None
    """How many of the attempts are of earlier generations; None: nobody wants to know."""
    retry_at: AwareDatetime | None = None
    """When an attempt, or a submission that was turned away, is made again; None once it may."""

    def on_the_wire(self) -> StageState:
        """Return the state without what is ours."""
        return StageState.model_validate({n: getattr(self, n) for n in StageState.model_fields})


class RunError(Noun):
    """Why a run ended in ERROR or CANCELED."""

    stage: str | None
    cause: str
    """One word: of a failed job that of ``core/failures.py``; else ``refused`` (the backend does
    not take the job), ``lost`` (nobody knows what became of it), ``worker`` (our own failed),
    ``call`` (a step of the engine did), ``fault`` (such a step raised what nobody foresaw),
    ``child`` (a run that it started failed), ``pipeline`` (its document did), ``no_response`` and
    ``bad_response`` (of a function's job), ``function`` (one that was called raised),
    ``queue_wait`` (no host took the job in time), ``attempts_exhausted`` (others used them up)
    and, without a stage, ``canceled``."""
    message: str


class Change(Noun):
    """What became of a run, or of a stage of it, for those who want to be told."""

    key: str
    """No other change of the run has the same: see ``lifecycle/notices.py``."""
    generation: int
    stage: str | None = None
    attempt: int | None = None
    """Of the stage."""
    status: str
    """The run's state, or the stage's status."""
    at: AwareDatetime
    why: str = ""


class RunRecord(Noun):
    """A run as it is kept and listed: everything but the plan, which never changes."""

    id: str
    uid: str = Field(pattern=r"^[a-z2-7]{20}$")
    """Minted when the run is created; first part of the names of its jobs."""
    kind: str
    group: str = "default"
    state: RunState = RunState.PENDING
    generation: int = 1
    version: int = 0
    """Number of times it was saved; 0 = not yet."""
    serial: int = 0
    """The last one that was given to a submission."""
    created_at: AwareDatetime
    resumed_at: AwareDatetime | None = None
    """When the generation began, if it is not the first."""
    begun_by: str | None = Field(default=None, exclude_if=is_empty)
    """What was asked then, in words; None of runs that an earlier version let go on."""
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    settled_at: AwareDatetime | None = None
    next_check_at: AwareDatetime | None = None
    """When the sweep must look at it; None once settled."""
    stages: tuple[Stage, ...]
    jobs: tuple[JobState, ...] = ()
    outputs: dict[str, JsonValue] = {}
    error: RunError | None = None
    announced: tuple[str, ...] = ()
    """Keys of this generation's changes that were handed on to those who want to be told."""
    left_over: tuple[Change, ...] = ()
    """What earlier generations have left to be told."""

    @property
    def is_terminal(self) -> bool:
        """Whether it is decided how the run ends; its clean-up may still be going on."""
        return self.state in TERMINAL_RUNS

    def stage(self, name: str) -> Stage:
        """Return the stage of that name; KeyError if there is none."""
        for stage in self.stages:
            if stage.stage_name == name:
                return stage
        raise KeyError(name)

    def job(self, stage: str) -> JobState | None:
        """Return the stage's current submission, if there is one in this generation."""
        for job in reversed(self.jobs):
            if job.stage == stage and job.is_own and job.generation == self.generation:
                return job
        return None


class Run(RunRecord):
    """The only truth about one execution; it changes under its version and nowhere else."""

    plan: Plan

    def stage(self, name: str) -> Stage:
        """Return the stage of that name, which stands where the plan has it."""
        return self.stages[self.plan.places[name]]

    def running(self) -> Iterator[StagePlan]:
        """Yield the plans of the stages that are RUNNING."""
        for stage in self.stages:
            if stage.status is StageStatus.RUNNING:
                yield self.plan.stage(stage.stage_name)


def timestamp(at: datetime) -> str:
    """Return ``at`` as ISO 8601 with its offset, as histories have it."""
    return at.isoformat()
