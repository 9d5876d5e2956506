"""Down which runs a failure came: of a run whose stage failed of a run that it had started. Pure.

::

    night ── samples, item 1 ──▶ its run ── parts, item 0 ──▶ its run ── failed by itself

Whoever asks why the first one failed is told all of it at once, and then of the last one what it
would tell of itself; what to do is told of the first, for that is what he wants to go on.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from chalicelib.core.advice import explain
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.plans.run_actions import RunsAction
from chalicelib.core.run import Run
from chalicelib.core.run_values import items_of
from chalicelib.core.states.failures import CHILD, child_named

_ITEM_CHARACTERS: Final = 80


def failed_below(run: Run) -> str | None:
    """Return the id of the run of which this one failed; None where it failed of no other."""
    if run.error is None or run.error.stage is None or run.error.cause != CHILD:
        return None
    return child_named(run.error.message)


def explain_path(run: Run, below: Sequence[Run]) -> Iterator[str]:
    """Yield why the run failed: ``below`` are the runs that led there, one of which started the
    next, and the last failed by itself."""
    for above, child in pairwise((run, *below)):
        assert above.error is not None  # noqa: S101 -- it failed of that one
        stage = above.error.stage or ""
        who = "The run" if above is run else "That"
        yield f"{who} failed in stage {stage}{_at_item(above, stage, child)}: run {child.id}."
    last = below[-1]
    if last.error is not None:
        yield from explain(last, last.error, subject="That", top=run)
    yield (
        f"A resume keeps what has succeeded, and starts run {below[0].id} anew. To keep what that "
        f"had done as well, resume it first: falsework resume {shlex.quote(below[0].id)}"
    )


def has_items(run: Run, stage: str) -> bool:
    """Tell whether the stage starts a run for each of some items."""
    action = run.plan.stage(stage).action
    return isinstance(action, RunsAction) and action.for_each is not None


def item_text(run: Run, stage: str, index: int) -> str | None:
    """Return the item as JSON, cut short; None where the stage has none, or they are gone."""
    action = run.plan.stage(stage).action
    if not isinstance(action, RunsAction) or not has_items(run, stage):
        return None
    try:
        items = items_of(run, stage, action) or []
    except InvalidRequest:
        return None
    if index >= len(items):
        return None
    text = json.dumps(items[index], ensure_ascii=False)
    return text if len(text) <= _ITEM_CHARACTERS else f"{text[:_ITEM_CHARACTERS]}…"


def _at_item(run: Run, stage: str, child: Run) -> str:
    """The last words of an id are the index and a mark, whatever was cut from the others."""
    index = child.id.rsplit(".", 2)[-2]
    text = item_text(run, stage, int(index)) if index.isdecimal() else None
    return "" if text is None else f", at item {index} ({text})"
