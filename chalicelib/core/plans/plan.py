"""A plan: the stages of a run and what each comes after. Made once, purely; never changed.

Each stage has one action, and the action says everything that performing it needs, so that an
engine that has only the saved run can perform it, tomorrow, on another machine::

    NoAction     nothing to do: the stage completes at once and costs nothing
    a call       one short step inside the Lambda: PutDocuments, DefineJobs, WriteFile, WorkCall,
                 those of ``function_actions.py`` and ``run_actions.py``
    JobAction    one Batch job (or local subprocess)
    RunsAction   other runs, which this one starts and waits for

A stage that ``is_closing`` takes down what the others put up. It does not decide how the run
ends; it runs after that is decided, if the clean-up policy says so.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue

from chalicelib.core.noun import Noun, is_empty
from chalicelib.core.plans.announcements import Announcement
from chalicelib.core.plans.function_actions import (
    DeregisterJobs,
    InvokeFunction,
    ReadObject,
    TellJob,
)
from chalicelib.core.plans.run_actions import Choose, Chosen, MakeValue, RunsAction
from chalicelib.core.states.retries import RetryRow
from chalicelib.core.work.leases import Lease


class NoAction(Noun):
    """Nothing to do; ``message`` tells the history why."""

    action: Literal["none"] = "none"
    message: str = "nothing to do"


class PutDocuments(Noun):
    """Store small text documents where the workers will read them. Result: their locations."""

    action: Literal["put-documents"] = "put-documents"
    documents: dict[str, str]
    """``s3://`` location → text."""
    result: JsonValue = None
    """What the stage's result will be; the documents are known when the plan is made."""


class JobDefinition(Noun):
    """What Batch must know before a job can be submitted; the lists are in Batch's own form."""

    name: str
    image: str
    command: tuple[str, ...] = ()
    mount_points: tuple[dict[str, Any], ...] = ()
    volumes: tuple[dict[str, Any], ...] = ()
    job_role_arn: str | None = None
    privileged: bool = False
    secrets: dict[str, str] = {}
    """Environment name → ARN; the value never passes through us."""
    resource_requirements: tuple[dict[str, str], ...] = ()
    retry_strategy: dict[str, Any] | None = None
    """For jobs that others submit. None: one attempt, for the retries of our own jobs are ours."""
    tags: dict[str, str] = {}


class DefineJobs(Noun):
    """Find or register job definitions. Result: key → ARN with its revision."""

    action: Literal["define-jobs"] = "define-jobs"
    definitions: dict[str, JobDefinition]


class WriteFile(Noun):
    """Write one small file onto a mounted file system. Result: its path."""

    action: Literal["write-file"] = "write-file"
    path: str
    """``fs-…:/path``."""
    text: str


class WorkCall(Noun):
    """Take a work out of the queue for this run, or report to the queue how it ended."""

    action: Literal["work"] = "work"
    step: Literal["take", "report"]
    lease: Lease


class JobAction(Noun):
    """Run one job of a definition that the run's ``define-jobs`` stage has named."""

    action: Literal["job"] = "job"
    definition: str
    """Key in the result of ``define-jobs``, or the ARN of one that is nobody's here."""
    queue: str
    command: tuple[str, ...] | None = None
    """Replaces the definition's command; None keeps it."""
    environment: dict[str, str] = {}
    parameters: dict[str, str] = {}
    """Name → what stands for ``Ref::name`` in the definition's command."""
    resource_requirements: tuple[dict[str, str], ...] = ()
    """``{"type": "VCPU", "value": "2"}``, as Batch has them."""
    is_worker: bool = False
    """Our own worker: it claims its job and its result document, not its exit code, counts."""
    tags: dict[str, str] = {}
    fallback_queue: str | None = None
    """Where it is submitted after the infrastructure failed under it twice."""
    preparation: JobAction | None = None
    """A worker's job that clears the ground before every attempt but the stage's very first."""
    fan_out: JobAction | None = None
    """Where the work proves too much for one job the worker writes a plan of batches instead; an
    array of this action does them, and the stage's own job runs once more to finish."""
    unsaved_argument: str | None = None
    """Added to the command while the plan's ``outputs_from`` stage is not COMPLETE."""


Call = (
    PutDocuments
    | DefineJobs
    | WriteFile
    | WorkCall
    | ReadObject
    | InvokeFunction
    | DeregisterJobs
    | TellJob
    | Choose
    | MakeValue
)
Action = Annotated[NoAction | Call | JobAction | RunsAction, Field(discriminator="action")]


class CleanUpPolicy(StrEnum):
    """When the closing stages run."""

    ALWAYS = "always"
    ON_SUCCESS = "on_success"
    NEVER = "never"


class RetryPolicy(StrEnum):
    """How many times a failing stage may run: once, per stage, or out of one budget."""

    NONE = "NONE"
    STAGE = "STAGE"
    GLOBAL = "GLOBAL"


class StagePlan(Noun):
    """One named step."""

    name: str = Field(pattern=r"^[A-Za-z0-9._-]{1,150}$")
    after: tuple[str, ...] = ()
    """Names of the stages that must be COMPLETE first."""
    action: Action
    is_closing: bool = False
    closes_on: Literal["success", "error"] | None = None
    """Of a closing stage that the clean-up policy has no say in: after which end it runs."""
    closes_for: str | None = None
    """And only if the stage of that name ended in ERROR."""
    when: Chosen | None = None
    """Else it is COMPLETE at once, without a result."""
    timeout_seconds: int | None = Field(default=None, ge=1)
    """How long one attempt may work, from the start of its job; None: as long as the run may."""
    has_files: bool = False
    """What it makes lies in the working directory: after clean-up it must be made again."""
    retry: RetryRow | None = None
    """How often, and when, a call is made again that was not answered. None: whenever the run is
    looked at, for an hour."""


class Plan(Noun):
    """The stages in their order, and the numbers that the lifecycle needs to decide purely."""

    stages: tuple[StagePlan, ...]
    request: dict[str, JsonValue] = {}
    """The parsed request and its options, as they were digested."""
    request_digest: str = ""
    """Same content, same digest: a repeated submission is told from a different one by it."""
    retry_policy: RetryPolicy = RetryPolicy.NONE
    max_attempts: int = Field(default=1, ge=1)
    """Executions that the policy allows, the first one included: of each stage under STAGE, of
    all stages that are not closing together under GLOBAL. NONE allows one of each."""
    timeout_seconds: int = Field(default=30 * 24 * 3600, ge=1)
    """How long after its creation, or after it was resumed, the run must have ended."""
    queue_wait_timeout_seconds: int | None = Field(default=None, ge=1)
    """How long a job may wait for a host; None: as long as the run may last."""
    clean_up: CleanUpPolicy = CleanUpPolicy.ON_SUCCESS
    parent: str | None = None
    """The run that started this one and waits for its end."""
    root: str | None = Field(default=None, exclude_if=is_empty)
    """The uid of the first of the runs that started one another down to this one; None: itself."""
    notices: tuple[Announcement, ...] = ()
    """Which of its changes are told, and to whom."""
    outputs_from: str | None = None
    """The stage whose result's ``outputs`` become the run's."""
    result_from: str | None = None
    """The stage whose result the run comes to; None: its last one's."""
    results_prefix: str = ""
    """``s3://…/`` below which workers write their result documents."""
    job_name_prefix: str = "falsework"
    submit_grace_seconds: int = 960
    check_seconds: int = 900

    @cached_property
    def places(self) -> dict[str, int]:
        """Name of a stage → its place, here and in the run.

        A copy with other stages (``model_copy``) would keep it: such a plan is made anew.
        """
        return {stage.name: place for place, stage in enumerate(self.stages)}

    @cached_property
    def definitions(self) -> dict[str, JobDefinition]:
        """Key that the plan's jobs name → what it defines for itself; a copy keeps it, too."""
        return {
            key: definition
            for stage in self.stages
            if isinstance(stage.action, DefineJobs)
            for key, definition in stage.action.definitions.items()
        }

    def stage(self, name: str) -> StagePlan:
        """Return the stage of that name; KeyError if the plan has none."""
        return self.stages[self.places[name]]
