"""What the /flowserv paths answer (specs: flowserv, section 7)."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, Field, JsonValue

from chalicelib.core.run import RunState
from chalicelib.web.shapes.shape import Shape


class ListedRun(Shape):
    """What a list shows of a run."""

    id: str
    state: RunState
    createdAt: AwareDatetime  # noqa: N815 -- the wire's name


class ListedRuns(Shape):
    """A page of a group's runs."""

    runs: tuple[ListedRun, ...]
    next_cursor: str = ""
    """Only there if there are more."""


class Argument(Shape):
    """A parameter of the request, as it was given."""

    name: str
    value: JsonValue


class ListedFile(Shape):
    """A file of a run."""

    id: str
    name: str
    """Its key, unless the workflow's declaration of the output has another."""
    title: str = ""
    caption: str = ""
    widget: str = ""
    format: JsonValue = None
    """These four only where the workflow declares them."""


class _Run(ListedRun):
    workflowId: str  # noqa: N815 -- the wire's name
    """The workflow that it was created from, or else the run's kind."""
    groupId: str = ""  # noqa: N815 -- the wire's name
    """Not there for a post-processing run."""
    arguments: tuple[Argument, ...]
    parameters: tuple[dict[str, JsonValue], ...] = ()
    """The workflow's declarations; only there for a run that was created from it."""


class PendingRun(_Run):
    """A run that has not begun."""

    state: Literal[RunState.PENDING]


class ActiveRun(_Run):
    """A run that has begun."""

    state: Literal[RunState.RUNNING]
    startedAt: AwareDatetime  # noqa: N815 -- the wire's name


class SuccessfulRun(_Run):
    """A run that did what it was for."""

    state: Literal[RunState.SUCCESS]
    startedAt: AwareDatetime  # noqa: N815 -- the wire's name
    finishedAt: AwareDatetime  # noqa: N815 -- the wire's name
    files: tuple[ListedFile, ...]


class UnsuccessfulRun(_Run):
    """A run that failed or was canceled."""

    state: Literal[RunState.ERROR, RunState.CANCELED]
    startedAt: AwareDatetime  # noqa: N815 -- the wire's name
    finishedAt: AwareDatetime  # noqa: N815 -- the wire's name
    messages: tuple[str, ...]


FlowservRun = PendingRun | ActiveRun | SuccessfulRun | UnsuccessfulRun


class LeaderboardColumn(Shape):
    """One value that runs are compared by."""

    name: str
    label: str
    dtype: Literal["float", "int", "string"]


class RankedRun(Shape):
    """The best run of a group."""

    run: dict[str, JsonValue]
    """``id`` and ``createdAt``."""
    group: dict[str, str]
    """``id``."""
    results: tuple[Argument, ...]


class Leaderboard(Shape):
    """A workflow's ranking, best first."""

    schema_: tuple[LeaderboardColumn, ...] = Field(alias="schema")
    ranking: tuple[RankedRun, ...]
    postproc: FlowservRun | None = None
    """The current post-processing run; only there if there is one."""


class FlowservError(Shape):
    """A refusal in flowserv's form."""

    message: str
