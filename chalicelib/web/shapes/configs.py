"""What configs, their pipelines and schedules are asked with, and what they answer."""

from __future__ import annotations

from pydantic import Field

from chalicelib.configs.reading import AnyName, JsonText
from chalicelib.core.noun import Noun
from chalicelib.web.shapes.shape import Shape

Counts = dict[str, int]
"""How many, by name."""


class DeployedConfig(Shape):
    """A config, and what it has become."""

    config: str
    pipelines: tuple[str, ...]


class StoppedConfig(Shape):
    """A config that was cancelled, and those of its pipelines that were not over."""

    stopped_config: str
    stopped_pipelines: tuple[str, ...]


class RetriedConfig(Shape):
    """What was done, in words."""

    message: str


class MadeSchedule(Shape):
    """What was made."""

    id: str


class RemovedSchedule(Shape):
    """What is gone."""

    id: str
    message: str


class PipelinesStatus(Shape):
    """How many pipelines there are, in all and by their status; what the projection keeps."""

    total: int = 0
    created: int = 0
    queued: int = 0
    running: int = 0
    success: int = 0
    failure: int = 0
    cancelled: int = 0


class OneQuery(Noun):
    """The query of what concerns one config or schedule."""

    query: JsonText
    """``{"id": …}`` in JSON."""
    name: AnyName | None = None
    """Its name, if it shall be looked at, too."""


class ScheduleCountQuery(Noun):
    """The query of ``GET /pipelines/v2/schedule/count``."""

    query: JsonText | None = None
    """``{"name": …}`` in JSON, for one alone."""


class RetryBody(Noun):
    """The body of ``POST /pipelines/v2/configs/retry``."""

    id: str
    name: str | None = Field(default=None)
