"""The way in for pipelines: looked at whole, then saved as a run that starts others.

What can be known of a stage's own request is asked of its kind now: a request in which nothing is
to be looked up is parsed. What it names (queues, images, files) is looked for when it starts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import JsonValue

from chalicelib.accepting import accept
from chalicelib.core.allowances import check_allowed
from chalicelib.core.demand.wire import Wire
from chalicelib.core.documents import at_field, parse_document
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.events import RunRequested
from chalicelib.core.kind_submissions import KindSubmission, split_document
from chalicelib.core.pipelines.checks import DEEPEST, check_pipeline, has_references
from chalicelib.core.pipelines.model import KIND, Pipeline, RunStage
from chalicelib.core.pipelines.planning import plan_pipeline
from chalicelib.core.plans.plan import Plan
from chalicelib.core.run import Run
from chalicelib.core.states.merging import merged
from chalicelib.ports import Ports

Checks = Mapping[str, Callable[[object, Ports], object]]
"""Kind → what raises InvalidRequest for a document that is none of its."""


def submit_pipeline(
    document: object, ports: Ports, checks: Checks, *, made_up: str | None = None
) -> Run:
    """Start the pipeline, and return its run; or the run that the same content has become.

    ``made_up`` is as in ``submit_file_job``. Raises as every way in does.
    """
    submission, plan = _prepare(document, ports, checks)
    uid = ports.mint_uid()
    event = RunRequested(
        run_id=submission.run_id or f"{KIND}-{made_up or uid}",
        at=ports.clock(),
        uid=uid,
        kind=KIND,
        group=submission.options.group,
        plan=plan,
    )
    return accept(event, ports)


def preview_pipeline(document: object, ports: Ports, checks: Checks) -> dict[str, JsonValue]:
    """Return the plan that the document would become; nothing is created."""
    _, plan = _prepare(document, ports, checks)
    return {
        "stages": [
            stage.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
            for stage in plan.stages
        ]
    }


class _Kept(Wire):
    """The document as it was understood."""

    pipeline: dict[str, JsonValue]


def _prepare(document: object, ports: Ports, checks: Checks) -> tuple[KindSubmission, Plan]:
    body, run_id, options = split_document(document, "a pipeline")
    pipeline = parse_document(Pipeline, body)
    check_allowed(options.group, (), ports.site.groups)
    check_pipeline(pipeline, checks.keys())
    _check_ancestors(ports)
    _check_requests(pipeline, ports, checks)
    kept = _Kept(pipeline=pipeline.to_wire())
    submission = KindSubmission(KIND, kept, run_id, options)
    return submission, plan_pipeline(pipeline, submission, ports.site)


def _check_ancestors(ports: Ports) -> None:
    """What a document refers to may be a pipeline that starts itself again: it is seen here."""
    parent = ports.parent
    for _ in range(DEEPEST):
        if parent is None:
            return
        parent = ports.runs.load(parent).plan.parent
    raise InvalidRequest(
        f"pipelines are nested deeper than {DEEPEST}", field="stages", mend="flatten them"
    )


def _check_requests(pipeline: Pipeline, ports: Ports, checks: Checks) -> None:
    for place, stage in enumerate(pipeline.stages):
        if not isinstance(stage, RunStage):
            continue
        if isinstance(stage.request, str):
            continue
        request: dict[str, Any] = merged(stage.defaults, stage.request)
        if not has_references(request):
            with at_field(f"stages.{place}.request"):
                checks[stage.kind](request, ports)
