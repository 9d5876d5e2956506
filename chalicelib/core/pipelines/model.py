"""The document of a pipeline: its stages and what they hand to one another.

::

    {"input": …, "stages": [{"name": "sort", "kind": "batch-lambda", "request": {…}}, …],
     "output": "$.stages.sort.result"}

A text that begins with ``$.``, ``$$.`` or ``States.`` is a reference (``core/states``); any
other, ``${IN}`` of a command for one, is itself.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, JsonValue, field_validator, model_validator

from chalicelib.core.documents import at_field, parse_document, shortened
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.noun import Noun
from chalicelib.core.plans.run_actions import MOST_AT_ONCE, PIPELINE, Case
from chalicelib.core.run_values import is_reference
from chalicelib.core.states.choices import check_rule

KIND: Final = PIPELINE
MOST_STAGES: Final = 100
"""Each is written at every save of the run."""
NAME_PATTERN: Final = r"^[A-Za-z][A-Za-z0-9_-]{0,63}$"


def _request(value: Any) -> Any:
    """A text stands for the whole document."""
    if isinstance(value, str) and not is_reference(value):
        raise InvalidRequest(
            f"{value!r:.100} is no request",
            value=shortened(value),
            mend="give an object, or a reference to one: $.item, $.stages.NAME.result…",
        )
    return value


Request = Annotated[dict[str, JsonValue] | str, BeforeValidator(_request)]
"""An object, references in it, or a reference to one."""


class Hook(Noun):
    """A run beside a stage's own: what it does is told with references, too."""

    kind: str
    request: Request = {}


class StatusHooks(Noun):
    """What is run around a stage (4.8). Those of a status may fail; the others fail the stage."""

    augment_input: Hook | None = None
    """Its result is at ``$.stages['<name>.augment_input'].result``."""
    started: Hook | None = None
    pre_run: Hook | None = None
    post_run: Hook | None = None
    completed: Hook | None = None
    failed: Hook | None = None
    """After the stage itself failed; ``$.error`` is ``{"Error", "Cause"}``."""


class When(Noun):
    """Perform the stage only if a choice took this branch."""

    choice: str
    branch: str


class PipelineStage(Noun):
    """What every stage has."""

    name: str = Field(pattern=NAME_PATTERN)
    after: tuple[str, ...] | None = None
    """Stages that must be done before; None: the one before it in the list."""
    when: When | None = None


class RunStage(PipelineStage):
    """Runs of a kind: one, or one for each item."""

    kind: str
    request: Request = {}
    defaults: dict[str, JsonValue] = {}
    """Merged under the request, as ``with_defaults`` does (3.1)."""
    for_each: str | None = None
    at_once: int = Field(default=MOST_AT_ONCE, ge=1, le=MOST_AT_ONCE)
    keep_results: bool = True
    may_fail: bool = False
    timeout_seconds: int | None = Field(default=None, strict=True, ge=1)
    status: StatusHooks = StatusHooks()


class ChoiceStage(PipelineStage):
    """A choice: its result is the branch that is taken."""

    kind: Literal["choice"]
    cases: tuple[Case, ...] = Field(min_length=1)
    default: str | None = None

    @field_validator("cases")
    @classmethod
    def _check_rules(cls, cases: tuple[Case, ...]) -> tuple[Case, ...]:
        for place, case in enumerate(cases):
            with at_field(f"{place}.when"):
                check_rule(case.when)
        return cases

    @property
    def branches(self) -> set[str]:
        """What the result can be."""
        return {case.then for case in self.cases} | ({self.default} if self.default else set())


class ValueStage(PipelineStage):
    """A value made of others."""

    kind: Literal["value"]
    value: JsonValue


AnyStage = RunStage | ChoiceStage | ValueStage
_MODELS: Final[dict[object, type[ChoiceStage | ValueStage]]] = {
    "choice": ChoiceStage,
    "value": ValueStage,
}


class Pipeline(Noun):
    """A pipeline."""

    kind: Literal["pipeline"] = "pipeline"
    """For who reads the document and does not know what it is."""
    name: str = Field(default="", max_length=150)
    input: JsonValue = None
    stages: tuple[AnyStage, ...] = Field(min_length=1, max_length=MOST_STAGES)
    output: JsonValue = None
    """What the run comes to; None: the result of its last stage."""

    @field_validator("stages", mode="before")
    @classmethod
    def _read_stages(cls, value: Any) -> Any:
        """Each by its own model, so that an error names the field of that model."""
        if not isinstance(value, list | tuple):
            return value
        return tuple(_stage(place, each) for place, each in enumerate(value))

    @model_validator(mode="after")
    def _name_each_once(self) -> Self:
        seen: set[str] = set()
        for place, stage in enumerate(self.stages):
            if stage.name in seen or (stage.name == "output" and self.output is not None):
                raise InvalidRequest(
                    f"two stages are called {stage.name!r}",
                    field=f"stages.{place}.name",
                    value=stage.name,
                    mend="give each a name of its own",
                )
            seen.add(stage.name)
        return self

    def to_wire(self) -> dict[str, JsonValue]:
        """Return the document as it was understood: what is digested."""
        return self.model_dump(mode="json", exclude_none=True)


def _stage(place: int, given: Any) -> AnyStage:
    if isinstance(given, RunStage | ChoiceStage | ValueStage):
        return given
    if not isinstance(given, dict):
        raise InvalidRequest(
            "a stage is an object",
            field=str(place),
            value=shortened(given),
            mend='give {"name", "kind", …}',
        )
    kind = given.get("kind")
    own = _MODELS.get(kind) if isinstance(kind, str) else None
    model: type[AnyStage] = own or RunStage
    with at_field(str(place)):
        return parse_document(model, given)
