"""The transitions of a stage. Each returns a new run; a transition not in the table is a defect.

History has one entry per execution, appended when it ends (stage model, section 6).
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from pydantic import JsonValue

from chalicelib.core.errors import Conflict
from chalicelib.core.run import (
    CANCELABLE,
    MESSAGE_CHARACTERS,
    HistoryEntry,
    Run,
    Stage,
    StageStatus,
    timestamp,
)

TRANSITIONS: Final[dict[StageStatus, frozenset[StageStatus]]] = {
    StageStatus.UNBOUND: frozenset({StageStatus.CREATED, StageStatus.CANCELED}),
    StageStatus.CREATED: frozenset({StageStatus.RUNNING, StageStatus.ERROR, StageStatus.CANCELED}),
    StageStatus.RUNNING: frozenset(
        {StageStatus.RETRY, StageStatus.COMPLETE, StageStatus.ERROR, StageStatus.CANCELED}
    ),
    StageStatus.RETRY: frozenset({StageStatus.RUNNING, StageStatus.ERROR, StageStatus.CANCELED}),
    StageStatus.COMPLETE: frozenset(),
    StageStatus.ERROR: frozenset(),
    StageStatus.CANCELED: frozenset(),
}
"""Stage model, section 4; COMPLETE, ERROR and CANCELED are left by resume and rollback only."""


def begin(run: Run, name: str, at: datetime) -> Run:
    """CREATED or RETRY → RUNNING; ``attempts`` rises by one."""
    stage = run.stage(name)
    return _replace(
        run,
        stage,
        StageStatus.RUNNING,
        attempts=stage.attempts + 1,
        begin_status=stage.status,
        begun_at=at,
        retry_at=None,
        faults=0,
        faulted_at=None,
    )


def complete(run: Run, name: str, at: datetime, result: JsonValue, message: str = "OK") -> Run:
    """RUNNING → COMPLETE with its result."""
    return _end(run, name, StageStatus.COMPLETE, at, message, result=result)


def retry(run: Run, name: str, at: datetime, message: str, **changes: object) -> Run:
    """RUNNING → RETRY; ``changes`` say when it is its turn again, and what the attempt cost."""
    return _end(run, name, StageStatus.RETRY, at, message, **changes)


def fail(run: Run, name: str, at: datetime, message: str) -> Run:
    """CREATED, RUNNING or RETRY → ERROR."""
    return _end(run, name, StageStatus.ERROR, at, message, retry_at=None)


def cancel(run: Run, name: str, at: datetime) -> Run:
    """Any cancelable status → CANCELED; others are left as they are."""
    if run.stage(name).status not in CANCELABLE:
        return run
    return _end(run, name, StageStatus.CANCELED, at, "canceled", retry_at=None)


def end_backoff(run: Run, name: str) -> Run:
    """RETRY stays RETRY, and its turn has come."""
    return change(run, name, retry_at=None)


def reset(run: Run, name: str, at: datetime, *, keeps_attempts: bool, keeps_runs: bool) -> Run:
    """Any status → CREATED, by resume and rollback only: the history stays, the result goes.

    ``keeps_runs``: what has succeeded of the runs that it started stands for those to come.
    """
    if run.stage(name).status in (StageStatus.RUNNING, StageStatus.RETRY):
        run = cancel(run, name, at)
    stage = run.stage(name)
    kept = {"attempts": stage.attempts, "free_attempts": stage.free_attempts}
    fresh = Stage(
        task_id=stage.task_id,
        stage_name=name,
        status=StageStatus.CREATED,
        history=stage.history,
        children=stage.children,
        former=(stage.children or stage.former) if keeps_runs else None,
        **(kept if keeps_attempts else {}),
    )
    return _put(run, stage, fresh)


def change(run: Run, name: str, **changes: object) -> Run:
    """Change what is remembered beside a stage's status."""
    stage = run.stage(name)
    return _put(run, stage, stage.model_copy(update=changes))


def _end(
    run: Run, name: str, status: StageStatus, at: datetime, message: str, **changes: object
) -> Run:
    stage = run.stage(name)
    has_begun = stage.status is StageStatus.RUNNING and stage.begun_at is not None
    began = stage.begun_at if has_begun and stage.begun_at else at
    entry = HistoryEntry(
        attempt=stage.attempts,
        begin_status=(stage.begin_status if has_begun else None) or stage.status,
        end_status=status,
        begin_ts=timestamp(began),
        end_ts=timestamp(max(at, began)),
        message=message[:MESSAGE_CHARACTERS],
        run_time_seconds=max(0.0, (at - began).total_seconds()),
    )
    return _replace(
        run,
        stage,
        status,
        history=(*stage.history, entry),
        begin_status=None,
        begun_at=None,
        faults=0,
        faulted_at=None,
        **changes,
    )


def _replace(run: Run, stage: Stage, status: StageStatus, **changes: object) -> Run:
    if status not in TRANSITIONS[stage.status]:
        raise Conflict(f"stage {stage.stage_name} is {stage.status} and cannot become {status}")
    return _put(run, stage, stage.model_copy(update={"status": status, **changes}))


def _put(run: Run, old: Stage, new: Stage) -> Run:
    return run.model_copy(
        update={"stages": tuple(new if each is old else each for each in run.stages)}
    )
