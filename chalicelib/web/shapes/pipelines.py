"""Pipelines as they are described, and the plan that a dry run answers."""

from __future__ import annotations

from pydantic import ConfigDict, Field, JsonValue

from chalicelib.core.kind_submissions import RUN_ID_PATTERN
from chalicelib.core.options import Options
from chalicelib.core.pipelines.model import Pipeline
from chalicelib.web.shapes.shape import Shape


class PipelineBody(Pipeline):
    """A pipeline: stages, each a run of some kind, a choice or a value."""

    model_config = ConfigDict(defer_build=True)

    run_id: str | None = Field(default=None, pattern=RUN_ID_PATTERN)
    """Under which the run is known and a repeat recognised; one is made up where there is none."""
    options: Options = Options()
    """What is asked of Falsework besides."""


class PipelinePlan(Shape):
    """What a pipeline would become: its stages, in order, each with what it does."""

    stages: tuple[dict[str, JsonValue], ...]
