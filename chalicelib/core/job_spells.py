"""How long a run's jobs ran, what they asked for, what of it was in vain, and what nobody knows.

An array's children are told by the sums that are kept at its job, by how they ended; of the array
itself Batch tells no time that would mean theirs.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Literal, NamedTuple

from chalicelib.core.commands import StopReason
from chalicelib.core.failures import Failure, classify
from chalicelib.core.job_state import ENDED_JOBS, SUCCEEDED, JobState, JobStatus
from chalicelib.core.lifecycle.child_times import is_untimed
from chalicelib.core.plans.plan import JobAction
from chalicelib.core.run import Run, Stage, StageStatus

Waste = Literal["retries", "interruptions"]


class Spell(NamedTuple):
    """Some time of a job, or of those children of an array that ended alike."""

    job: JobState
    seconds: float
    how: str
    """SUCCEEDED, which a job that runs may still do, or a word of ``core/failures.py``."""


def spells(run: Run, now: datetime) -> Iterator[Spell]:
    """Yield them; a job that is running has run until ``now``."""
    for job in run.jobs:
        if _is_array(job):
            times = job.child_times.seconds if job.child_times else {}
            yield from (Spell(job, seconds, how) for how, seconds in times.items())
        elif job.started_at is not None:
            until = job.stopped_at or (job.started_at if job.has_ended else now)
            yield Spell(job, max(0.0, (until - job.started_at).total_seconds()), _how(job))


def _is_array(job: JobState) -> bool:
    return (job.children or 0) > 1


def is_being_timed(run: Run) -> bool:
    """Tell whether somebody still asks how long children ran.

    A run of an earlier version settled without, and nobody looks at it any more.
    """
    return run.next_check_at is not None and any(map(is_untimed, run.jobs))


def _how(job: JobState) -> str:
    is_failure = job.status is JobStatus.FAILED
    return classify(job.exit_code, job.reason).value if is_failure else SUCCEEDED


def resources(run: Run, job: JobState) -> dict[str, float]:
    """Return what the job asked for, by Batch's words: VCPU, MEMORY in MiB, GPU."""
    action = run.plan.stage(job.stage).action
    if not isinstance(action, JobAction):
        return {}
    doing = action
    if job.is_preparation and action.preparation is not None:
        doing = action.preparation
    elif job.children and action.fan_out is not None:
        doing = action.fan_out
    own = run.plan.definitions.get(doing.definition)
    defined = own.resource_requirements if own is not None else ()
    return {
        each["type"]: amount
        for each in (*defined, *doing.resource_requirements)
        if (amount := _number(each["value"])) is not None
    }


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def waste(run: Run, spell: Spell) -> Waste | None:
    """Return why it was in vain; None if it was not."""
    job = spell.job
    match spell.how:
        case Failure.INFRASTRUCTURE:
            return "interruptions"
        case Failure.CANCELED if _is_users_wish(run, job):
            return None
        case how if how != SUCCEEDED:
            return "retries"
    return "retries" if job.is_preparation or not job.is_own else None


def _is_users_wish(run: Run, job: JobState) -> bool:
    """Whether it was stopped since nobody wanted its run any more, now or in another life."""
    stage = run.stage(job.stage)
    is_last = (job.generation, job.attempt) == (run.generation, stage.attempts)
    is_canceled = is_last and stage.status is StageStatus.CANCELED
    return job.is_own and (is_canceled or (job.reason or "").startswith(StopReason.CANCELED))


def not_counted(run: Run) -> Iterator[str]:
    """Yield what the run does not know, in sentences."""
    for job in run.jobs:
        if _is_array(job) and not job.is_absent and (why := _unknown_children(run, job)):
            yield f"{job.stage}: {why}"
    forgotten = run.serial - len({job.serial for job in run.jobs if job.is_own})
    if forgotten > 0:
        yield f"{forgotten} submissions that the run no longer lists, or that never became jobs"
    silent = {job.stage: None for job in run.jobs if job.started_at and not resources(run, job)}
    for stage in silent:
        yield f"{stage}: its job names no resources"
    again = [each.stage_name for each in run.stages if _has_moved_before(run, each)]
    if again:
        yield f"{', '.join(again)}: the bytes that attempts before the last one moved"


def _unknown_children(run: Run, job: JobState) -> str | None:
    size, times = job.children or 0, job.child_times
    if job.status not in ENDED_JOBS:
        return f"the {size} children of array {job.name}, until all of them have ended"
    missing = size - (times.known if times else 0)
    if not missing:
        return None
    if is_untimed(job) and is_being_timed(run):
        return f"{missing} of the {size} children of array {job.name}, which are still looked at"
    return f"{missing} of the {size} children of array {job.name}, whose times nobody knows"


def _has_moved_before(run: Run, stage: Stage) -> bool:
    """A stage keeps the result of its last attempt only; what copied bytes is our worker."""
    action = run.plan.stage(stage.stage_name).action
    is_copying = isinstance(action, JobAction) and action.is_worker
    last = stage.status is StageStatus.COMPLETE
    return is_copying and any(entry.attempt for entry in stage.history[: -1 if last else None])
