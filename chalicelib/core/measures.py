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
from chalicelib.core.plans.plan import JobAction, NoAction
from chalicelib.core.run import HistoryEntry, Run, Stage, StageStatus


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
    for plan, old, new in zip(after.plan.stages, before.stages, after.stages, strict=False):
        if old is new or isinstance(plan.action, NoAction):
            continue
        name = new.stage_name if new.stage_name in STAGES else OTHER
        for entry in _executions(old, new):
            yield Measure(Metric.STAGE_SECONDS, entry.run_time_seconds, (("stage", name),))
            if entry.end_status is StageStatus.RETRY:
                yield Measure(Metric.RETRIES, 1, (("cause", _cause(before, after, old)),))


def _executions(old: Stage, new: Stage) -> Iterator[HistoryEntry]:
    """Yield the entries of attempts that ended; a stage may be given up without one."""
    ended = set() if old.status is StageStatus.RUNNING else {old.attempts}
    for entry in new.history[len(old.history) :]:
        if entry.attempt not in ended:
            ended.add(entry.attempt)
            yield entry


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
    known = before.jobs if before else ()
    by_id = {job.job_id: job for job in known if job.job_id is not None}
    unseen = {job.serial: job for job in known if job.job_id is None}
    adopted = {job.serial for job in by_id.values()}
    for job in after.jobs:
        old = by_id.get(job.job_id) if job.job_id is not None else None
        yield from _of_job(old or unseen.get(job.serial), job, is_copy=job.serial in adopted)
    serials = {job.serial for job in after.jobs}
    for gone in unseen.values():
        if gone.serial not in serials and not gone.has_ended:
            yield Measure(Metric.DEFERRED)


def _of_job(old: JobState | None, new: JobState, *, is_copy: bool) -> Iterator[Measure]:
    """``is_copy``: another job of the submission was known before."""
    if old is new:
        return
    if new.job_id is not None and (old is None or old.job_id is None):
        is_first = new.is_own and not is_copy
        yield Measure(Metric.SUBMISSIONS if is_first else Metric.EXTRA_COPIES)
    began_at = _began_at(new)
    if began_at is not None and (old is None or _began_at(old) is None):
        waited = (began_at - new.submit_started_at).total_seconds()
        yield Measure(Metric.QUEUE_WAIT_SECONDS, max(0.0, waited))


def _began_at(job: JobState) -> datetime | None:
    """When it had a host; of an array, its first child, which is known when all are."""
    times, size = job.child_times, job.children or 0
    if size > 1:
        return times.first_started_at if times and times.next >= size else None
    return job.started_at
