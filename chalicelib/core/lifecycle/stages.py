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
    )


def complete(run: Run, name: str, at: datetime, result: JsonValue, message: str = "OK") -> Run:
    """RUNNING → COMPLETE with its result."""
    return _end(run, name, StageStatus.COMPLETE, at, message, result=result)


def fail(run: Run, name: str, at: datetime, message: str) -> Run:
    """CREATED or RUNNING → ERROR."""
    return _end(run, name, StageStatus.ERROR, at, message)


def cancel(run: Run, name: str, at: datetime) -> Run:
    """Any cancelable status → CANCELED; others are left as they are."""
    if run.stage(name).status not in CANCELABLE:
        return run
    return _end(run, name, StageStatus.CANCELED, at, "canceled")


def _end(
    run: Run, name: str, status: StageStatus, at: datetime, message: str, **changes: JsonValue
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
        **changes,
    )


def _replace(run: Run, stage: Stage, status: StageStatus, **changes: object) -> Run:
    if status not in TRANSITIONS[stage.status]:
        raise Conflict(f"stage {stage.stage_name} is {stage.status} and cannot become {status}")
    new = stage.model_copy(update={"status": status, **changes})
    return run.model_copy(
        update={"stages": tuple(new if old is stage else old for old in run.stages)}
    )
