"""What clients send: a config in version 2, and a schedule of one. Nouns only.

A field that is not here is refused by its name, and never ignored: who writes ``if`` or
``success_threshold`` into a step must not find out from its works that nobody looked at it.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, JsonValue

from chalicelib.core.configs.matrices import Values, filled
from chalicelib.core.documents import at_field
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.noun import Noun
from chalicelib.core.work.model import Pipeline as Bucket
from chalicelib.core.work.model import Whole

MOST_STEPS: Final = 100
MOST_DEPLOYMENTS: Final = 100
CRONTAB_CHARACTERS: Final = 200
FOREVER: Final = -1
"""The lives of a schedule that never ends."""
MOST_LIVES: Final = 1_000_000
"""Our choice, all of them."""

Name = Annotated[str, Field(min_length=1, max_length=128)]


def _as_version(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _as_names(value: object) -> object:
    return [value] if isinstance(value, str) else _as_unset(value)


def _as_unset(value: object) -> object:
    """A key without a value, in YAML, is a key that nobody gave."""
    return () if value is None else value


def _as_object(value: object) -> object:
    return {} if value is None else value


def _as_lives(value: object) -> object:
    if value == 0:
        raise InvalidRequest(
            "a schedule without lives never does anything",
            value=value,
            mend=f"give how often it spawns, or {FOREVER} for ever",
        )
    return value


Version = Annotated[str, BeforeValidator(_as_version)]
Names = Annotated[tuple[Name, ...], BeforeValidator(_as_names), Field(max_length=MOST_DEPLOYMENTS)]
"""One name, or a list of them."""
Matrix = dict[Name, Annotated[tuple[JsonValue, ...], Field(min_length=1)]]
"""Every combination of its values is one: ``{"a": [1, 2], "b": [3]}`` are two."""


class ConfigDefaults(Noun):
    """What works have that do not say it themselves."""

    user: str | None = None
    site: str | None = None


class ConfigDeployment(Noun):
    """Where steps run. Only its site is looked at: nothing is started here but works."""

    name: Name
    site: str = Field(min_length=1)
    image: str | None = None
    sleep: float | None = None
    resources: dict[str, JsonValue] | None = None
    replicas: int | None = None


class StepPlan(Noun):
    """One step: a work, or one for each combination of its matrix."""

    name: Bucket
    """Also the pipeline of its works, the bucket that ``workflow run`` is given."""
    stage: Annotated[Whole, Field(ge=0, le=100_000)] = 1
    work: dict[str, Any]
    matrix: Matrix | None = None
    runs_on: Names = ()

    def bucket(self, values: Values) -> str:
        """Return the pipeline of the queue that all of its works are in.

        ``values`` are those of the config's matrix. Raises InvalidRequest for the step's own: they
        are its works' alone.
        """
        with at_field("pipeline"):
            found: str = filled(self.work.get("pipeline") or self.name, values)
            return found


class PipelineSteps(Noun):
    """The steps of a pipeline, or of one for each combination of its matrix."""

    steps: Annotated[tuple[StepPlan, ...], Field(min_length=1, max_length=MOST_STEPS)]
    matrix: Matrix | None = None
    runs_on: Names = ()


class ConfigPlan(Noun):
    """A config."""

    version: Version = "2"
    name: Bucket
    defaults: Annotated[ConfigDefaults, BeforeValidator(_as_object)] = ConfigDefaults()
    deployments: Annotated[
        tuple[ConfigDeployment, ...],
        BeforeValidator(_as_unset),
        Field(max_length=MOST_DEPLOYMENTS),
    ] = ()
    pipeline: PipelineSteps


class ScheduledConfig(Noun):
    """A config that is deployed again and again."""

    crontab: str = Field(min_length=1, max_length=CRONTAB_CHARACTERS)
    """Minute, hour, day of the month, month and day of the week, in UTC."""
    lives: Annotated[Whole, BeforeValidator(_as_lives), Field(ge=FOREVER, le=MOST_LIVES)] = FOREVER
    """How often it is deployed."""
    config: ConfigPlan
    type: str | None = None
    version: Version | None = None
    name: str | None = None
    """The last three mean nothing: the config has a name."""
