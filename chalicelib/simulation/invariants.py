"""What must hold at every save of a run, worked out from the stage model and not from our code.

A state that is terminal does not change within its generation. A stage moves along section 4's
table, and its history tells it: an entry for each execution that ended, and none changes later.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from chalicelib.core.job_state import JobState
from chalicelib.core.run import HistoryEntry, Run, Stage, StageStatus

_S = StageStatus
BEGUN: Final[dict[StageStatus, frozenset[StageStatus]]] = {
    _S.CREATED: frozenset({_S.RUNNING}),
    _S.RETRY: frozenset({_S.RUNNING}),
}
"""The moves that leave no entry: an execution begins."""
ENDS: Final = frozenset({_S.COMPLETE, _S.ERROR, _S.RETRY, _S.CANCELED})
MOVES: Final[dict[StageStatus, frozenset[StageStatus]]] = {
    _S.UNBOUND: frozenset({_S.CREATED, _S.CANCELED}),
    _S.CREATED: frozenset({_S.RUNNING, _S.ERROR, _S.CANCELED}),
    _S.RUNNING: frozenset({_S.RETRY, _S.COMPLETE, _S.ERROR, _S.CANCELED}),
    _S.RETRY: frozenset({_S.RUNNING, _S.ERROR, _S.CANCELED}),
}
"""The stage model, section 4, without resume and rollback, which raise the generation."""


def check_save(before: Run | None, after: Run) -> Iterator[str]:
    """Yield what is wrong about ``after``, saved over ``before``."""
    if before is None:
        return
    name = f"run {after.id}"
    if (before.uid, before.created_at) != (after.uid, after.created_at):
        yield f"{name} became another run"
    if after.generation < before.generation or after.serial < before.serial:
        yield f"{name}: its generation or its serial went back"
    if before.plan is not after.plan and before.plan != after.plan:
        yield f"{name}: its plan changed"
    if after.generation == before.generation:
        yield from _check_end(before, after)
    elif not before.is_terminal:
        yield f"{name} left {before.state} for another generation"
    if before.stages is not after.stages:
        yield from _check_stages(before, after)
    if before.jobs is not after.jobs:
        yield from _check_jobs(before, after)


def _check_end(before: Run, after: Run) -> Iterator[str]:
    if not before.is_terminal:
        return
    for fact in ("state", "error", "ended_at", "outputs"):
        if getattr(before, fact) != getattr(after, fact):
            was, now = getattr(before, fact), getattr(after, fact)
            yield f"run {after.id} had ended: its {fact} was {was!r} and is {now!r}"


def _check_stages(before: Run, after: Run) -> Iterator[str]:
    is_reset = after.generation != before.generation
    for old, new in zip(before.stages, after.stages, strict=True):
        if old is new:
            continue
        name = f"run {after.id}, stage {new.stage_name}"
        if new.history[: len(old.history)] != old.history:
            yield f"{name}: its history was rewritten"
        if (new.result is not None) and new.status is not StageStatus.COMPLETE:
            yield f"{name} is {new.status} and has a result"
        if not is_reset:
            yield from (f"{name}: {words}" for words in _check_moves(old, new))


def _check_moves(old: Stage, new: Stage) -> Iterator[str]:
    """Follow the new entries from the old status to the new one."""
    status, attempts = old.status, old.attempts
    for entry in new.history[len(old.history) :]:
        if status is not _S.RUNNING and entry.attempt == attempts + 1:
            status, attempts = _S.RUNNING, attempts + 1  # it began and ended within one save
        if entry.end_status not in ENDS or entry.end_status not in MOVES.get(status, ()):
            yield f"an entry says that it went from {status} to {entry.end_status}"
        yield from _check_entry(entry, attempts)
        status = entry.end_status
    if status is not new.status:
        if new.status not in BEGUN.get(status, ()):
            yield f"it went from {status} to {new.status}, and no entry says so"
        attempts += 1
    if new.attempts != attempts:
        yield f"it has {new.attempts} attempts, and not {attempts}"


def _check_entry(entry: HistoryEntry, attempts: int) -> Iterator[str]:
    if entry.attempt != attempts:
        yield f"an entry is of attempt {entry.attempt}, and not of {attempts}"
    if entry.begin_status not in {_S.CREATED, _S.RETRY}:
        yield f"an entry began in {entry.begin_status}"
    if entry.end_ts < entry.begin_ts or entry.run_time_seconds < 0:
        yield f"an entry ended before it began: {entry}"


def _check_jobs(before: Run, after: Run) -> Iterator[str]:
    now = {_key(job): job for job in after.jobs}
    for job in before.jobs:
        new = now.get(_key(job))
        if new is job or job.job_id is None:
            continue
        if new is None and job.has_ended and after.generation != before.generation:
            continue  # a run remembers only so many
        if new is None:
            yield f"run {after.id} forgot job {job.name} ({job.job_id})"
        elif job.has_ended and not job.is_absent and not new.has_ended:
            yield f"run {after.id}: job {job.name} ({job.job_id}) ended and lives again"
    own = [job.serial for job in after.jobs if job.is_own]
    if len(own) != len(set(own)):
        yield f"run {after.id} has two jobs of its own with one serial"


def _key(job: JobState) -> tuple[int, str | None]:
    return (job.serial, job.job_id)
