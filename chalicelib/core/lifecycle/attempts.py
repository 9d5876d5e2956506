"""May a stage that failed run again, when, and where (stage model, sections 4 and 5).

What a failure costs depends on whose it was::

    infrastructure, or our own worker    free, ``MAX_SPOILT`` times a stage; from the second
                                         on in the fallback queue, where there is one
    nobody answered a call               free, as often and after such waits as its row says
    what no further try can mend         the stage's end, whatever the policy
    anything else                        one of the attempts that the user's policy allows

A stage waits in RETRY until its backoff is over, and then until every job of the attempts before
it has ended: two attempts never work side by side.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Final

from chalicelib.core.lifecycle import stages
from chalicelib.core.plans.plan import JobAction, RetryPolicy
from chalicelib.core.run import MESSAGE_CHARACTERS, Run, RunError, Stage, StageStatus

MAX_SPOILT: Final = 4
"""With it a stage is tried five times, as the wire's own retry strategy has it (demand, 7)."""
FALLBACK_AFTER: Final = 2
"""Failures of the infrastructure after which the fallback queue is taken."""
BACKOFF_SECONDS: Final = 1
MAX_BACKOFF_SECONDS: Final = 60
"""Stage model, section 5: exponential, doubling, with full jitter."""
MAX_DEFERRAL_SECONDS: Final = 15
"""Drawn by lot, so that those who were turned away together do not come back together."""
FINAL_CAUSES: Final = frozenset(
    {"canceled", "refused", "misconfigured", "lost", "queue_wait", "worker", "pipeline", "fault"}
)
"""Trying again would end the same way, or might do the work twice. A worker that was not spoilt
has said what the user must mend."""
EXHAUSTED: Final = "attempts exhausted"


def fail_stage(  # noqa: PLR0913 -- a failure is described by these
    run: Run, name: str, at: datetime, cause: str, message: str, *, is_spoilt: bool = False
) -> Run:
    """End the attempt: in RETRY if another one is allowed, else in ERROR.

    ``is_spoilt``: it was not the stage's own fault, and does not count. The first stage that ends
    in ERROR in a run whose end is not decided yet is the run's error.
    """
    message = message[:MESSAGE_CHARACTERS]
    stage = run.stage(name)
    if stage.status is StageStatus.RUNNING and _may_try_again(run, stage, cause, is_spoilt):
        free = stage.free_attempts + is_spoilt
        return stages.retry(
            run,
            name,
            at,
            message,
            retry_at=at + backoff(run, stage),
            free_attempts=free,
            uses_fallback=stage.uses_fallback or free >= FALLBACK_AFTER,
        )
    return _fail(run, name, at, cause, message)


def refuse_exhausted(run: Run, name: str, at: datetime) -> Run:
    """End a stage that never may begin, for the others have used the run's attempts up."""
    return _fail(run, name, at, "attempts_exhausted", EXHAUSTED)


def has_fallback(run: Run, name: str) -> bool:
    """Whether the stage has a fallback queue that it has not been sent to yet."""
    action = run.plan.stage(name).action
    is_there = isinstance(action, JobAction) and action.fallback_queue is not None
    return is_there and not run.stage(name).uses_fallback


def attempts_left(run: Run) -> int | None:
    """Return what is left of GLOBAL's one budget; every execution takes one, a success as well.

    None under the other policies.
    """
    if run.plan.retry_policy is not RetryPolicy.GLOBAL:
        return None
    counted = [run.stage(plan.name) for plan in run.plan.stages if not plan.is_closing]
    return max(0, run.plan.max_attempts - sum(map(_spent, counted)))


def is_exhausted(run: Run) -> bool:
    """Whether GLOBAL's budget is spent."""
    return attempts_left(run) == 0


def backoff(run: Run, stage: Stage) -> timedelta:
    """Return how long the stage waits after its latest attempt: a digest is the dice."""
    drawn = _lot(f"{run.uid} {stage.stage_name} {run.generation} {stage.attempts}")
    row = run.plan.stage(stage.stage_name).retry
    if row is not None:
        return timedelta(seconds=row.wait_seconds(stage.free_attempts + 1, drawn))
    longest = min(MAX_BACKOFF_SECONDS, BACKOFF_SECONDS * 2 ** min(stage.attempts - 1, 16))
    return timedelta(seconds=longest * drawn)


def deferral(run: Run, serial: int) -> timedelta:
    """Return how long a submission that was turned away is put off: a second or more."""
    return timedelta(seconds=1 + MAX_DEFERRAL_SECONDS * _lot(f"{run.uid} {serial}"))


def needs_preparation(run: Run, name: str) -> bool:
    """Whether the stage's next job is the worker's that clears away what another attempt left."""
    action = run.plan.stage(name).action
    if not isinstance(action, JobAction) or action.preparation is None:
        return False
    has_worked = any(
        job.stage == name and job.job_id is not None and not job.is_preparation for job in run.jobs
    )
    current = run.job(name)
    is_done = current and current.attempt == run.stage(name).attempts and current.leads_on
    return has_worked and not is_done


def _may_try_again(run: Run, stage: Stage, cause: str, is_spoilt: bool) -> bool:
    is_closing = run.plan.stage(stage.stage_name).is_closing
    if run.is_terminal and not is_closing:
        return False
    if is_spoilt:
        row = run.plan.stage(stage.stage_name).retry
        return stage.free_attempts < (MAX_SPOILT if row is None else row.tries)
    if cause in FINAL_CAUSES:
        return False
    match run.plan.retry_policy:
        case RetryPolicy.STAGE:
            return _spent(stage) < run.plan.max_attempts
        case RetryPolicy.GLOBAL:
            return not is_closing and not is_exhausted(run)
        case RetryPolicy.NONE:
            return False


def _lot(text: str) -> float:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6]) / 2**48


def _spent(stage: Stage) -> int:
    return stage.attempts - stage.free_attempts


def _fail(run: Run, name: str, at: datetime, cause: str, message: str) -> Run:
    run = stages.fail(run, name, at, message)
    if run.error is not None or run.is_terminal:
        return run
    return run.model_copy(update={"error": RunError(stage=name, cause=cause, message=message)})
