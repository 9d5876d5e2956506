"""Workflows: what the runs of a group are made from, as the Site has them. Values only.

::

    "workflows": {"align": {
        "template": {…a demand execution without an id…},
        "parameters": [{"name": "sample", "label": "Sample", "dtype": "file"}],
        "outputs": [{"source": "out/metrics.json", "key": "metrics", "title": "Metrics"}],
        "result_schema": {"file": "out/metrics.json", "schema": […]},
        "post_processing": {"template": {…}, "inputs": ["out/metrics.json"]}}},
    "group_workflows": {"lab": "align"}

What was created from a workflow says so in its plan's request, under ``ORIGIN``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import AfterValidator, Field, JsonValue, StringConstraints

from chalicelib.core.errors import InvalidRequest
from chalicelib.core.flowserv.results import ResultSchema
from chalicelib.core.noun import Noun

ORIGIN: Final = "flowserv"
"""Where in a plan's request an Origin stands."""
_OWN_GROUP: Final = "workflow."

WorkflowId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,100}$")]
"""Part of a group's name and of object keys."""
RunId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]


def _in_snake_case(template: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """A template is written into; so its two levels have one spelling each."""
    demand = template.get("demand_execution", template)
    for document, wrong, right in (
        (template, "demandExecution", "demand_execution"),
        (demand, "executionParameters", "execution_parameters"),
        (demand, "outputS3Prefix", "output_s3_prefix"),
    ):
        if isinstance(document, Mapping) and wrong in document:
            raise InvalidRequest(
                f"templates spell it {right}", field=wrong, value=wrong, mend=f"write {right}"
            )
    return template


Template = Annotated[dict[str, JsonValue], AfterValidator(_in_snake_case)]
"""The body of ``POST /demand-executions``, but for its execution id and its group."""


class Parameter(Noun):
    """One parameter of the template that an argument may fill."""

    name: str = Field(min_length=1)
    """As the template has it below ``params``, or would have it."""
    label: str = ""
    dtype: Literal["string", "int", "float", "bool", "file"] = "string"
    required: bool = True
    default: JsonValue = None
    """What it is without an argument; None: what the template says."""


class DeclaredOutput(Noun):
    """A file that runs keep, and how it is shown."""

    source: str = Field(min_length=1)
    """The file's key, ``<output parameter>/<path in the output>``."""
    key: str | None = None
    """The name that the file is shown under; default: its own key."""
    title: str | None = None
    caption: str | None = None
    widget: str | None = None
    format: JsonValue = None


class PostProcessing(Noun):
    """What is made of several runs of the workflow."""

    template: Template
    parameters: tuple[Parameter, ...] = ()
    inputs: tuple[str, ...] = ()
    """Keys of the runs' files that it is given."""
    outputs: tuple[DeclaredOutput, ...] = ()


class Workflow(Noun):
    """What the runs of the groups that work by it are made from."""

    template: Template
    parameters: tuple[Parameter, ...] = ()
    outputs: tuple[DeclaredOutput, ...] = ()
    """The files that a run has; none declared: all that it left."""
    result_schema: ResultSchema | None = None
    post_processing: PostProcessing | None = None


class Argument(Noun):
    """A value for a parameter, as it was given."""

    name: str
    value: JsonValue


class Origin(Noun):
    """What a run was created from."""

    workflow: WorkflowId
    arguments: tuple[Argument, ...] = ()
    ranking: tuple[RunId, ...] | None = None
    """The runs that a post-processing run was made from, in their order; None: it is a group's."""


class Made(NamedTuple):
    """A run's origin, and what the Site says about it today."""

    origin: Origin
    workflow: Workflow | None
    """None: the Site has it no more."""

    @property
    def is_post_processing(self) -> bool:
        """Whether it was made from other runs."""
        return self.origin.ranking is not None

    @property
    def outputs(self) -> tuple[DeclaredOutput, ...]:
        """The files that such a run has; none declared: all that it left."""
        if self.workflow is None:
            return ()
        if not self.is_post_processing:
            return self.workflow.outputs
        spec = self.workflow.post_processing
        return () if spec is None else spec.outputs


def own_group(workflow_id: str) -> str:
    """Return the group of a workflow's post-processing runs, which flowserv's clients never see:
    whoever may create them is in it."""
    return f"{_OWN_GROUP}{workflow_id}"


def made_by(request: Mapping[str, JsonValue], workflows: Mapping[str, Workflow]) -> Made | None:
    """Return what the run with this request was created from; None for any other run."""
    if ORIGIN not in request:
        return None
    origin = Origin.model_validate(request[ORIGIN])
    return Made(origin, workflows.get(origin.workflow))


def shown_parameters(workflow: Workflow) -> list[dict[str, Any]]:
    """Return the declarations as the run's JSON shows them."""
    return [each.model_dump(mode="json") for each in workflow.parameters]
