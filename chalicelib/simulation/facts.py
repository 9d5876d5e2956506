"""What a run's plan says about its files, read from the orders that its workers will get."""

from __future__ import annotations

import json
from dataclasses import dataclass

from chalicelib.core.plans.plan import JobAction, Plan, PutDocuments
from chalicelib.core.worker_documents import StageOutOrder


@dataclass(frozen=True)
class Facts:
    """Of one run; they do not change."""

    outputs: tuple[str, ...]
    """Names of the parameters that its command writes."""
    places: tuple[str, ...]
    """Where they are brought, in the same order."""
    has_stage_in: bool
    """Whether a job brings its inputs."""


def facts_of(plan: Plan) -> Facts:
    """Return them."""
    order = _stage_out_order(plan)
    return Facts(
        outputs=tuple(sync.param for sync in order.syncs) if order else (),
        places=tuple(sync.request.destination_path for sync in order.syncs) if order else (),
        has_stage_in=any(
            stage.name == "stage-in" and isinstance(stage.action, JobAction)
            for stage in plan.stages
        ),
    )


def _stage_out_order(plan: Plan) -> StageOutOrder | None:
    for stage in plan.stages:
        documents = stage.action.documents if isinstance(stage.action, PutDocuments) else {}
        for text in documents.values():
            return StageOutOrder.model_validate(json.loads(text)["stage-out"])
    return None
