"""What is measured, under which names, and what a saved change of a run adds to it. Pure.

A metric costs money for each combination of its dimensions that ever occurs (Amazon CloudWatch
pricing, custom metrics), so every dimension here has a bounded set of values: kinds, states and
causes are words of ours, a stage's name counts only where one of our own plans has it. What users
name (runs, groups, queues, stages of pipelines) is never a dimension; the log has it.

``Metric`` is the one list of names; ``docs/runbook.md`` and the alarms of ``infra`` use them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Literal, NamedTuple

from chalicelib.core.job_state import JobState
from chalicelib.core.lifecycle.deadlines import run_ends_at
from chalicelib.core.lifecycle.endings import cause_of
from chalicelib.core.lifecycle.jobs import is_worker
from chalicelib.core.plans.plan import JobAction
from chalicelib.core.run import Run, Stage, StageStatus


class Metric(StrEnum):
    """The names, as CloudWatch has them."""

    RUNS = "Runs"
    """By ``kind`` and ``state``: a run has come into that state."""
    RUN_SECONDS = "RunSeconds"
    """By ``kind``: from its creation, or its resumption, to its end."""
    STAGE_SECONDS = "StageSeconds"
    """By ``stage``: one attempt, as its history has it."""
    QUEUE_WAIT_SECONDS = "QueueWaitSeconds"
    """From a job's submission to its start."""
    RETRIES = "Retries"
    """By ``cause``: an attempt failed, and another one follows."""
    SUBMISSIONS = "Submissions"
    """Jobs that the backend has accepted."""
    PACED = "PacedSubmissions"
    """Orders to Batch that were put off, for the second's turns were all taken."""
    DEFERRED = "DeferredSubmissions"
    """Submissions that Batch turned away, and that are made again."""
    EXTRA_COPIES = "ExtraCopies"
    """Second jobs of one name: stopped, and of no effect."""
    SWEPT_RUNS = "SweptRuns"
    """Runs that one sweep looked at."""
    SWEEP_LAG_SECONDS = "SweepLagSeconds"
    """How much later than due a run was looked at."""
    SWEEP_TROUBLES = "SweepTroubles"
    """Runs that a sweep could not look at, or not perform everything of."""
    RUNS_PAST_DEADLINE = "RunsPastDeadline"
    """Runs that a sweep saw not ended although their time was long over."""
    DEAD_LETTERS = "DeadLetters"
    """Documents that were refused for good and put into the dead-letter queue."""


class Measure(NamedTuple):
    """One value of a metric."""

    metric: Metric
    value: float = 1
    dimensions: tuple[tuple[str, str], ...] = ()
    """Names and values, beside the deployment's own name, which all metrics have."""

    @property
    def unit(self) -> Literal["Seconds", "Count"]:
        """CloudWatch's word for it."""
        return "Seconds" if self.metric.endswith("Seconds") else "Count"


STAGES: Final = frozenset(
    {
        "scaffold", "define-jobs", "stage-in", "execute", "stage-out", "clean-up",
        "orders", "sync", "take", "work", "report", "archive", "remove",
    }
)  # fmt: skip
"""Names of stages that are told apart; every other one counts as ``OTHER``."""
OTHER: Final = "other"
LONG_OVER: Final = timedelta(minutes=30)
"""After a run's deadline: two looks of the sweep, in which its jobs were ordered to end."""


def changes(before: Run | None, after: Run) -> Iterator[Measure]:
    """Yield what the save of ``after`` in the place of ``before`` adds; None: it is new.

    Who keeps no measures does not look, and nothing is computed.
    """
    yield from _of_run(before, after)
    yield from _of_stages(before, after)
    yield from _of_jobs(before, after)


def looked_at(run: Run, due_at: datetime | None, at: datetime) -> tuple[Measure, ...]:
    """Return what a sweep's look at the run adds; ``due_at``: when it was to be looked at."""
    found = []
    if due_at is not None and at > due_at:
        found.append(Measure(Metric.SWEEP_LAG_SECONDS, (at - due_at).total_seconds()))
    if not run.is_terminal and at > run_ends_at(run) + LONG_OVER:
        found.append(Measure(Metric.RUNS_PAST_DEADLINE))
    return tuple(found)


def _of_run(before: Run | None, after: Run) -> Iterator[Measure]:
    if before is not None and before.state is after.state:
        return
    kind = ("kind", after.kind)
    yield Measure(Metric.RUNS, 1, (kind, ("state", after.state.value)))
    if after.is_terminal and after.ended_at is not None:
        began_at = after.resumed_at or after.created_at
        yield Measure(Metric.RUN_SECONDS, (after.ended_at - began_at).total_seconds(), (kind,))


def _of_stages(before: Run | None, after: Run) -> Iterator[Measure]:
    if before is None:
        return
    for old, new in zip(before.stages, after.stages, strict=False):
        if old is new:
            continue
        name = new.stage_name if new.stage_name in STAGES else OTHER
        for entry in new.history[len(old.history) :]:
            yield Measure(Metric.STAGE_SECONDS, entry.run_time_seconds, (("stage", name),))
        if new.status is StageStatus.RETRY and old.status is not StageStatus.RETRY:
            yield Measure(Metric.RETRIES, 1, (("cause", _cause(before, after, old)),))


def _cause(before: Run, after: Run, stage: Stage) -> str:
    """A retry has no cause of its own in the run: what its job came to tells it."""
    if not isinstance(before.plan.stage(stage.stage_name).action, JobAction):
        return "call"
    job = after.job(stage.stage_name)
    if job is None:
        return OTHER
    if not job.has_ended:
        return "timeout" if job.stop is not None else OTHER
    return cause_of(job, is_worker=is_worker(after, job))


def _of_jobs(before: Run | None, after: Run) -> Iterator[Measure]:
    known = {_name(job): job for job in before.jobs} if before else {}
    for job in after.jobs:
        yield from _of_job(known.pop(_name(job), None), job)
    for gone in known.values():
        if gone.job_id is None and not gone.has_ended:
            yield Measure(Metric.DEFERRED)


def _of_job(old: JobState | None, new: JobState) -> Iterator[Measure]:
    if old is new:
        return
    if new.job_id is not None and (old is None or old.job_id is None):
        yield Measure(Metric.SUBMISSIONS if new.is_own else Metric.EXTRA_COPIES)
    if new.started_at is not None and (old is None or old.started_at is None):
        waited = (new.started_at - new.submit_started_at).total_seconds()
        yield Measure(Metric.QUEUE_WAIT_SECONDS, max(0.0, waited))


def _name(job: JobState) -> tuple[int, str | None]:
    """A submission's own job, whose id comes later, and the extra copies of it."""
    return (job.serial, None if job.is_own else job.job_id)
