"""A work: what somebody deposits, a worker withdraws, runs and updates. Nouns only.

This is the wire model of CHIME/FRB's ``workflow`` client (specs: work, section 2), and as strict
as the client's own: whatever passes here the client takes back. Foreign keys are ignored, except
in ``notify.slack``, where they would make the client fail; ``site`` alone cannot be checked, for
it is the worker's workspace that lists the sites.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    model_validator,
)

from chalicelib.core.errors import InvalidRequest
from chalicelib.core.limits import (
    WORK_PIPELINE_CHARACTERS,
    WORK_PRIORITIES,
    WORK_RETRIES,
    WORK_TIMEOUT_SECONDS,
)

ID_PATTERN: Final = r"^[0-9a-f]{24}$"


class WorkStatus(StrEnum):
    """Where a work stands."""

    CREATED = "created"
    """It was never deposited; or its owner wrote that into it, and nobody will withdraw it."""
    QUEUED = "queued"
    RUNNING = "running"
    SUCCESS = "success"
    FAILURE = "failure"


def _not_a_constant(value: object) -> object:
    if isinstance(value, bool | str):
        raise InvalidRequest("this is not a number", value=value, mend="give a number")
    return value


def _hyphenated(pipeline: str) -> str:
    if not all(character.isalnum() or character == "-" for character in pipeline):
        raise InvalidRequest(
            f"the pipeline {pipeline!r} has a character that no pipeline may have",
            value=pipeline,
            mend="use letters, digits and '-'",
        )
    return pipeline


def _current_name(strategy: object) -> object:
    return "bypass" if strategy == "pass" else strategy


Whole = Annotated[int, BeforeValidator(_not_a_constant)]
"""An integer; ``3.0`` is one, ``true`` and ``"3"`` are not."""
Seconds = Annotated[FiniteFloat, BeforeValidator(_not_a_constant)]
"""Seconds since 1970, UTC."""
Pipeline = Annotated[
    str,
    Field(min_length=1, max_length=WORK_PIPELINE_CHARACTERS),
    AfterValidator(_hyphenated),
]
Strategy = Annotated[Literal["bypass", "copy", "delete", "move"], BeforeValidator(_current_name)]
"""What becomes of files when a work ends; old documents say ``pass`` for ``bypass``."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class Archive(_Part):
    """What becomes of what the work made."""

    results: bool = True
    """Whether they go to Results when the work leaves Buckets."""
    products: Strategy = "copy"
    plots: Strategy = "copy"
    logs: Strategy = "move"


class Config(_Part):
    """How the work is looked after."""

    archive: Archive = Archive()
    metrics: bool = False
    parent: str | None = None
    """Id of the pipeline that this work is a step of."""
    orgs: tuple[str, ...] = ("chimefrb",)
    teams: tuple[str, ...] | None = None


class Slack(_Part):
    """Whom to tell in Slack, and what."""

    model_config = ConfigDict(extra="forbid")

    channel_id: str | None = None
    member_ids: tuple[str, ...] | None = None
    message: str | None = None
    results: bool | None = None
    products: bool | None = None
    plots: bool | None = None
    blocks: dict[str, Any] | None = None
    reply: dict[str, Any] | None = None


class Notify(_Part):
    """Whom to tell."""

    slack: Slack = Slack()


class Work(_Part):
    """One item of the work queue."""

    pipeline: Pipeline
    site: str = Field(min_length=1)
    user: str
    function: str | None = None
    """A Python function's dotted name; not together with ``command``."""
    parameters: dict[str, Any] | None = None
    command: tuple[str, ...] | None = None
    results: dict[str, Any] | None = None
    products: tuple[str, ...] | None = None
    plots: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None
    event: tuple[Whole, ...] | None = None
    id: str | None = Field(default=None, pattern=ID_PATTERN)
    """Minted at the deposit; see ``ids``."""
    creation: Seconds | None = None
    start: Seconds | None = None
    """When it was withdrawn last."""
    stop: Seconds | None = None
    attempt: Annotated[Whole, Field(ge=0)] = 0
    """How often it was withdrawn."""
    status: WorkStatus = WorkStatus.CREATED
    timeout: Annotated[Whole, Field(ge=WORK_TIMEOUT_SECONDS[0], le=WORK_TIMEOUT_SECONDS[1])] = 3600
    """Seconds that an attempt may take."""
    retries: Annotated[Whole, Field(le=WORK_RETRIES)] = 2
    """How often it may be withdrawn in all; once, whatever this says."""
    priority: Annotated[Whole, Field(ge=WORK_PRIORITIES[0], le=WORK_PRIORITIES[1])] = 3
    """5 is the most urgent."""
    config: Config = Config()
    notify: Notify = Notify()

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        if self.function and self.command:
            raise InvalidRequest(
                "a work has a function or a command, not both",
                field="command",
                value=list(self.command),
                mend="leave one of them out",
            )
        return self

    @property
    def is_retryable(self) -> bool:
        """Whether it failed and may be tried again."""
        return self.status is WorkStatus.FAILURE and self.attempt < self.retries

    @property
    def deadline(self) -> float | None:
        """When its attempt is over; None for what does not run.

        A running work without a start counts from its creation: it must not run for ever.
        """
        if self.status is not WorkStatus.RUNNING:
            return None
        began = self.start if self.start is not None else self.creation or 0.0
        return began + self.timeout

    def document(self) -> dict[str, Any]:
        """Return its JSON form: every field, and nothing else."""
        return self.model_dump(mode="json")
