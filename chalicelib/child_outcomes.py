"""What the runs of an attempt came to, once all have ended: told as an event, nothing decided."""

from __future__ import annotations

import json
import logging
from typing import Any

from pydantic import JsonValue

from chalicelib.child_progress import Family, Progress, child_of
from chalicelib.core.events import ChildrenEnded
from chalicelib.core.limits import STATES_PAYLOAD_BYTES
from chalicelib.core.states.failures import output_of

log = logging.getLogger(__name__)


def outcome(family: Family, progress: Progress, items: list[JsonValue] | None) -> ChildrenEnded:
    """Return what the stage is told; results that are more than it keeps are its error."""
    if family.command.is_over:
        return ended(family)
    if progress.failed is not None and not family.action.may_fail:
        return ended(family, error=progress.failed.Cause, cause=progress.cause or "child")
    if progress.failed is not None:
        cause = progress.failed.Cause
        log.warning("run %s, stage %s: %s", family.run.id, family.command.stage, cause)
        return ended(family, result=progress.failed.model_dump(mode="json"))
    if not family.action.keeps_results:
        return ended(family)
    results = _results(family, progress)
    if results is None:
        message = (
            f"the results have more than the {STATES_PAYLOAD_BYTES:,} bytes that can be kept: keep"
            " none, or let the runs leave theirs in a bucket"
        )
        return ended(family, error=message, cause="pipeline")
    return ended(family, result=results if items is not None else results[0])


def _results(family: Family, progress: Progress) -> list[JsonValue] | None:
    """None where they are more than a stage keeps: a thousand large ones are not read then."""
    results: list[JsonValue] = []
    size, owners = 0, progress.owners()
    for index in range(progress.count):
        child = child_of(family, index, owners.get(index))
        results.append(None if child is None else output_of(child))
        size += len(json.dumps(results[-1]).encode())
        if size > STATES_PAYLOAD_BYTES:
            return None
    return results


def ended(family: Family, **told: Any) -> ChildrenEnded:
    """Return the end of the attempt's runs, with whatever else is told of it."""
    about = family.command.model_dump(include={"stage", "generation", "attempt"})
    return ChildrenEnded(run_id=family.run.id, at=family.ports.clock(), **about, **told)
