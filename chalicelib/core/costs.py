"""What a run has cost: the seconds of its jobs' resources, and its bytes, at the site's prices.

Everything is computed from the saved run and nothing is stored beside it: the plan says what each
job asked for, the job when it started and stopped. So a price that is corrected corrects every
run, and a run of an earlier version has a cost as well.

What was in vain is part of the whole, and told apart::

    retries         jobs of attempts that failed, what cleared the ground after them, and second
                    jobs of one name
    interruptions   jobs that the infrastructure ended: Spot, a lost host

What a run cannot know is named in ``not_counted`` and never guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import reduce
from typing import Final, Literal

from pydantic import JsonValue

from chalicelib.core.failures import Failure, classify
from chalicelib.core.job_state import JobState, JobStatus
from chalicelib.core.moved_bytes import Moved, moved_by
from chalicelib.core.noun import Noun
from chalicelib.core.plans.plan import DefineJobs, JobAction
from chalicelib.core.prices import MachinePrices, Prices
from chalicelib.core.run import Run, StageStatus

HOUR: Final = 3600
Waste = Literal["retries", "interruptions"]


class Used(Noun):
    """What jobs had, and what it cost."""

    vcpu_seconds: float = 0
    memory_gib_seconds: float = 0
    gpu_seconds: float = 0
    amount: float = 0
    """In the currency of the cost."""

    def __add__(self, other: Used) -> Used:
        """Return both together."""
        both = ((name, getattr(self, name) + getattr(other, name)) for name in Used.model_fields)
        return self.model_copy(update=dict(both))


class Wasted(Noun):
    """What was in vain."""

    retries: Used = Used()
    interruptions: Used = Used()


class Cost(Noun):
    """What a run has cost so far."""

    run: str
    currency: str
    amount: float
    """Of machines and bytes together, what was in vain included."""
    is_final: bool
    """Whether nothing of it is going on any more."""
    used: Used
    wasted: Wasted
    moved: Moved
    stages: dict[str, Used]
    not_counted: tuple[str, ...]
    """Sentences: what the amount leaves out, and why."""
    prices: str
    """Where the prices are from."""


def cost_of(run: Run, prices: Prices, now: datetime) -> Cost:
    """Return the cost; a job that is running is charged until ``now``."""
    each = [(job, _used(run, job, prices.of_queue(job.queue), now)) for job in _timed(run)]
    used = _sum(had for _, had in each)
    moved = moved_by(run, prices)
    wasted = {
        kind: _sum(had for job, had in each if _waste(run, job) == kind)
        for kind in Wasted.model_fields
    }
    names = dict.fromkeys(job.stage for job, _ in each)
    return Cost(
        run=run.id,
        currency=prices.currency,
        amount=round(used.amount + moved.amount, 6),
        is_final=run.settled_at is not None,
        used=_rounded(used),
        wasted=Wasted.model_validate({kind: _rounded(had) for kind, had in wasted.items()}),
        moved=moved,
        stages={
            name: _rounded(_sum(had for job, had in each if job.stage == name)) for name in names
        },
        not_counted=tuple(_not_counted(run)),
        prices=prices.as_of,
    )


def brief(cost: Cost) -> dict[str, JsonValue]:
    """Return what a list shows of it."""
    return cost.model_dump(mode="json", include={"amount", "currency", "is_final"})


def _timed(run: Run) -> Iterator[JobState]:
    """Batch tells no times of the parent of an array that would mean its children's."""
    return (job for job in run.jobs if job.started_at and not (job.children or 0) > 1)


def _used(run: Run, job: JobState, prices: MachinePrices, now: datetime) -> Used:
    until = job.stopped_at or (job.started_at if job.has_ended else now)
    if job.started_at is None or until is None:
        return Used()
    seconds = max(0.0, (until - job.started_at).total_seconds())
    had = resources(run, job)
    vcpus, memory_gib, gpus = had.get("VCPU", 0), had.get("MEMORY", 0) / 1024, had.get("GPU", 0)
    hourly = (
        vcpus * prices.vcpu_hour + memory_gib * prices.memory_gib_hour + gpus * prices.gpu_hour
    )
    return Used(
        vcpu_seconds=vcpus * seconds,
        memory_gib_seconds=memory_gib * seconds,
        gpu_seconds=gpus * seconds,
        amount=hourly * seconds / HOUR,
    )


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
    defined = _defined(run, doing.definition)
    return {
        each["type"]: amount
        for each in (*defined, *doing.resource_requirements)
        if (amount := _number(each["value"])) is not None
    }


def _defined(run: Run, key: str) -> tuple[dict[str, str], ...]:
    for stage in run.plan.stages:
        if isinstance(stage.action, DefineJobs) and key in stage.action.definitions:
            return stage.action.definitions[key].resource_requirements
    return ()


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _waste(run: Run, job: JobState) -> Waste | None:
    if job.status is JobStatus.FAILED:
        failure = classify(job.exit_code, job.reason)
        if failure is Failure.INFRASTRUCTURE:
            return "interruptions"
        is_final = job.attempt == run.stage(job.stage).attempts and run.stage(job.stage).status
        if failure is Failure.CANCELED and is_final is StageStatus.CANCELED:
            return None
        return "retries"
    return "retries" if job.is_preparation or not job.is_own else None


def _not_counted(run: Run) -> Iterator[str]:
    for job in run.jobs:
        if (job.children or 0) > 1:
            yield (
                f"{job.stage}: the {job.children} children of array {job.name}, whose times the"
                " run does not know"
            )
    forgotten = run.serial - len({job.serial for job in run.jobs if job.is_own})
    if forgotten > 0:
        yield f"{forgotten} submissions that the run no longer lists, or that never became jobs"
    silent = {job.stage: None for job in _timed(run) if not resources(run, job)}
    for stage in silent:
        yield f"{stage}: its job names no resources"


def _sum(some: Iterable[Used]) -> Used:
    return reduce(Used.__add__, some, Used())


def _rounded(used: Used) -> Used:
    told = {name: round(getattr(used, name), 6) for name in Used.model_fields}
    return Used.model_validate(told)
