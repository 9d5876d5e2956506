"""Configs and pipelines as clients see them. Times are seconds since 1970, as in works."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import datetime
from typing import Any

from chalicelib.core.configs.ids import config_of, pipeline_ids
from chalicelib.core.configs.pipeline import Header, Pipeline, Step


def config_view(header: Header, document: dict[str, Any] | None) -> dict[str, Any]:
    """Return the config; without what only its document knows, where there is none."""
    view = {
        "id": header.id,
        "name": header.name,
        "version": header.version,
        "user": header.user or "",
        "status": header.status.value,
        "pipelines": list(pipeline_ids(header.id, header.count)),
        "creation": header.creation.timestamp(),
        "stop": _seconds(header.stop),
    }
    if document is None:
        return view
    written = json.dumps(document, indent=2, ensure_ascii=False)
    return {**view, "deployments": document.get("deployments") or [], "yaml": written}


def pipeline_view(name: str, pipeline: Pipeline) -> dict[str, Any]:
    """Return the pipeline of the config of that name."""
    return {
        "id": pipeline.id,
        "name": name,
        "config": config_of(pipeline.id),
        "status": pipeline.status.value,
        "current_stage": pipeline.current_stage,
        "creation": pipeline.creation.timestamp(),
        "start": _seconds(pipeline.start),
        "stop": _seconds(pipeline.stop),
        "matrix": pipeline.matrix,
        "steps": [_step_view(step) for step in pipeline.steps],
        "history": _history(pipeline),
    }


def _step_view(step: Step) -> dict[str, Any]:
    return {
        "name": step.name,
        "stage": step.stage,
        "status": step.status.value,
        "pipeline": step.bucket,
        "works": [{"id": each.id, "status": each.status.value} for each in step.works],
    }


def _history(pipeline: Pipeline) -> dict[str, dict[str, list[str]]]:
    """Return the deposits: when, of which step, under which ids."""
    told: defaultdict[str, defaultdict[str, list[str]]]
    told = defaultdict(lambda: defaultdict(list))
    for step in pipeline.steps:
        for work_id in (*step.replaced, *(work.id for work in step.works)):
            if work_id is not None:
                told[str(_deposited_at(work_id))][step.name].append(work_id)
    return {at: {name: sorted(ids) for name, ids in told[at].items()} for at in sorted(told)}


def _deposited_at(work_id: str) -> float:
    return int(work_id[:8], 16) + int(work_id[8:13], 16) / 1e6


def _seconds(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()
