"""Which changes of a run are still to be announced: worked out from its state, as what is owed is.

::

    a change that the plan wants told ─▶ due ──Announce──▶ handed on ──Announced──▶ ``announced``
                                          └── the run goes on in another generation: ``left_over``

Every change has a key that no other change of the run has, ``<generation>:<state>`` or
``<generation>:<stage>:<attempt>:<status>``. Within a generation states never go back, so what has
been reached can be read off: also what was passed within one decision. A generation that begins
takes what was due along, for it forgets how the one before it ended.

A notice is told at least once. It never moves the run, and the run never waits for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from chalicelib.core.commands import Announce
from chalicelib.core.events import Announced
from chalicelib.core.plans.announcements import Target
from chalicelib.core.plans.plan import Plan
from chalicelib.core.run import Change, HistoryEntry, Run, RunState, Stage, StageStatus


def due(run: Run) -> tuple[Change, ...]:
    """Return the changes that are to be announced and were not, the oldest generation first."""
    if not run.plan.notices:
        return ()
    changes = (*run.left_over, *_run_changes(run), *_stage_changes(run))
    known = set(run.announced)
    return tuple(c for c in changes if c.key not in known and any(_targets(run.plan, c)))


def announcing(run: Run) -> Iterator[Announce]:
    """Yield what is owed to those who want to be told."""
    return (Announce(key=change.key) for change in due(run))


def targets_of(plan: Plan, change: Change) -> tuple[Target, ...]:
    """Return who is to be told of the change, each once."""
    return tuple(dict.fromkeys(_targets(plan, change)))


def note(run: Run, event: Announced) -> Run:
    """Take in that the changes were handed on; what was not due, or no longer is, is old news."""
    keys = {change.key for change in due(run)}.intersection(event.keys)
    if not keys:
        return run
    left_over = tuple(change for change in run.left_over if change.key not in keys)
    taken_along = {change.key for change in run.left_over}
    own = (key for key in dict.fromkeys(event.keys) if key in keys - taken_along)
    return run.model_copy(
        update={"left_over": left_over, "announced": (*run.announced, *own)},
    )


def taken_along(before: Run, again: Run) -> Run:
    """Return ``again``, the next generation of ``before``, with what was still to be told."""
    if not before.plan.notices:
        return again
    stages = tuple(
        stage.model_copy(update={"attempts_before": stage.attempts}) for stage in again.stages
    )
    return again.model_copy(
        update={"announced": (), "left_over": due(before), "stages": stages},
    )


def _targets(plan: Plan, change: Change) -> Iterator[Target]:
    for told in plan.notices:
        is_told = (
            told.is_of_run(change.status)
            if change.stage is None
            else told.is_of_stage(change.stage, change.status)
        )
        if is_told:
            yield from told.targets


def _run_changes(run: Run) -> Iterator[Change]:
    began_at = run.resumed_at or run.created_at
    yield _of_run(run, RunState.PENDING, began_at)
    if run.state is not RunState.PENDING and any(stage.attempts for stage in run.stages):
        yield _of_run(run, RunState.RUNNING, max(began_at, run.started_at or began_at))
    if run.is_terminal:
        why = run.error.message if run.error else ""
        yield _of_run(run, run.state, run.ended_at or began_at, why)


def _stage_changes(run: Run) -> Iterator[Change]:
    if not any(told.stages for told in run.plan.notices):
        return
    for stage in run.stages:
        before = stage.attempts_before or 0
        for attempt in range(before + 1, stage.attempts + 1):
            yield _of_stage(run, stage, attempt, StageStatus.RUNNING)
            if attempt < stage.attempts or _was_given_up(stage):
                yield _of_stage(run, stage, attempt, StageStatus.RETRY)
        has_begun = stage.attempts > before
        if stage.status in (StageStatus.ERROR, StageStatus.CANCELED) or (
            has_begun and stage.status in (StageStatus.RETRY, StageStatus.COMPLETE)
        ):
            yield _of_stage(run, stage, stage.attempts, stage.status)


def _was_given_up(stage: Stage) -> bool:
    """Whether the last attempt was to be followed by another one, and then was not."""
    if stage.status not in (StageStatus.ERROR, StageStatus.CANCELED):
        return False
    last = stage.history[-2:]
    return len(last) == 2 and (last[0].attempt, last[0].end_status) == (
        last[1].attempt,
        StageStatus.RETRY,
    )


def _of_run(run: Run, state: RunState, at: datetime, why: str = "") -> Change:
    key = f"{run.generation}:{state}"
    return Change(key=key, generation=run.generation, status=state.value, at=at, why=why)


def _of_stage(run: Run, stage: Stage, attempt: int, status: StageStatus) -> Change:
    entry = _entry(stage, attempt, status)
    name = stage.stage_name
    if entry is None:
        at, why = stage.begun_at or run.ended_at or run.resumed_at or run.created_at, ""
    elif status is StageStatus.RUNNING:
        at, why = datetime.fromisoformat(entry.begin_ts), ""
    else:
        at, why = datetime.fromisoformat(entry.end_ts), entry.message
    return Change(
        key=f"{run.generation}:{name}:{attempt}:{status}",
        generation=run.generation,
        stage=name,
        attempt=attempt,
        status=status.value,
        at=at,
        why=why,
    )


def _entry(stage: Stage, attempt: int, status: StageStatus) -> HistoryEntry | None:
    """Return the last entry of the attempt that tells of the change.

    A wait that was given up is an entry of its own, of an attempt that had ended before.
    """
    is_given_up = status is StageStatus.RUNNING and _was_given_up(stage)
    for entry in reversed(stage.history[:-1] if is_given_up else stage.history):
        is_its_end = entry.end_status is status or status is StageStatus.RUNNING
        if entry.attempt == attempt and is_its_end:
            is_current = status is StageStatus.RUNNING and stage.status is status
            return None if is_current and attempt == stage.attempts else entry
    return None
