"""The way in for pipelines: looked at whole, then saved as a run that starts others.

What can be known of a stage's own request is asked of its kind now: a request in which nothing is
to be looked up is parsed. What it names (queues, images, files) is looked for when it starts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from pydantic import JsonValue

from chalicelib.accepting import accept_submission, check_group, rehearse_submission
from chalicelib.core.demand.wire import Wire
from chalicelib.core.documents import at_field, parse_document
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.kind_submissions import KindSubmission, split_document
from chalicelib.core.pipelines.checks import DEEPEST, check_pipeline
from chalicelib.core.pipelines.known_input import check_input
from chalicelib.core.pipelines.model import KIND, Hook, Pipeline, RunStage
from chalicelib.core.pipelines.planning import plan_pipeline
from chalicelib.core.pipelines.references import has_references
from chalicelib.core.plans.plan import Plan, StagePlan
from chalicelib.core.run import Run
from chalicelib.core.run_values import parts_of
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
    return accept_submission(submission, lambda *_: plan, ports, made_up=made_up)


def preview_pipeline(document: object, ports: Ports, checks: Checks) -> dict[str, JsonValue]:
    """Return the plan that the document would become; nothing is created.

    Raises as ``submit_pipeline``.
    """
    submission, plan = _prepare(document, ports, checks)
    planned = rehearse_submission(submission, lambda *_: plan, ports).plan
    return {"stages": [_shown(stage) for stage in planned.stages]}


def _shown(stage: StagePlan) -> JsonValue:
    """Leave out what is as it is where nobody says so, but never what is done."""
    told = stage.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
    return {**told, "action": {"action": stage.action.action, **told["action"]}}


class _Kept(Wire):
    """The document as it was understood."""

    pipeline: dict[str, JsonValue]


def _prepare(document: object, ports: Ports, checks: Checks) -> tuple[KindSubmission, Plan]:
    body, run_id, options = split_document(document, "a pipeline")
    pipeline = parse_document(Pipeline, body)
    check_group(options.group, (), ports)
    check_pipeline(pipeline, checks.keys())
    check_input(pipeline)
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
    for field, kind, request in _given(pipeline):
        looked_up, literal = parts_of(kind, request)
        judged = {name: looked_up[name] for name in looked_up if not (literal and name == "input")}
        if not has_references(judged):
            with at_field(field):
                checks[kind](request, ports)


def _given(pipeline: Pipeline) -> Iterator[tuple[str, str, dict[str, JsonValue]]]:
    """Yield the field, the kind and the document of every run, if it stands in the pipeline."""
    for place, stage in enumerate(pipeline.stages):
        if not isinstance(stage, RunStage):
            continue
        if not isinstance(stage.request, str):
            yield f"stages.{place}.request", stage.kind, merged(stage.defaults, stage.request)
        for name in type(stage.status).model_fields:
            hook = getattr(stage.status, name)
            if isinstance(hook, Hook) and not isinstance(hook.request, str):
                yield f"stages.{place}.status.{name}.request", hook.kind, hook.request
