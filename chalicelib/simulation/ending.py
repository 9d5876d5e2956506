"""What must hold when all is quiet: nothing is left to happen, and no fault strikes any more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Protocol

from chalicelib.core.data_sync.manifest import manifest_uri
from chalicelib.core.limits import DYNAMODB_ITEM_BYTES
from chalicelib.core.plans.plan import CleanUpPolicy, StagePlan
from chalicelib.core.run import Run, RunState, StageStatus
from chalicelib.simulation.batch_jobs import SimulatedJob
from chalicelib.simulation.facts import Facts

SLACK: timedelta = timedelta(hours=3)
"""A deadline is found out by a look at the run, and looks are an hour apart at most."""
FORGETS_AFTER: timedelta = timedelta(days=6)
"""When our own code gives up to ask, a day before Batch forgets."""


class Quiet(Protocol):
    """A world in which nothing is left to happen, as far as it is looked at here."""

    def runs(self) -> Iterable[Run]:
        """Return every run."""
        ...

    def jobs_of(self, run: Run) -> Iterable[SimulatedJob]:
        """Return the jobs that Batch ever ran for the run."""
        ...

    def facts_of(self, run: Run) -> Facts:
        """Return what its plan says about its files."""
        ...

    def content(self, uri: str) -> bytes | None:
        """Return an object's content, if there is one."""
        ...

    def downtime(self) -> timedelta:
        """Return how long it was that something did not work at all."""
        ...


def wrong_at_the_end(world: Quiet) -> Iterator[str]:
    """Yield what does not hold."""
    for run in world.runs():
        name = f"run {run.id} ({run.state})"
        if run.settled_at is None:
            yield f"{name} never settled"
            continue
        yield from (f"{name}: {words}" for words in _deadline(run, world.downtime()))
        yield from (f"{name}: {words}" for words in _lost(run, world.downtime()))
        yield from (f"{name}: {words}" for words in _jobs(world.jobs_of(run)))
        yield from (f"{name}: {words}" for words in _history(run))
        yield from (f"{name}: {words}" for words in _closing(run))
        if run.state is RunState.SUCCESS:
            yield from (f"{name}: {words}" for words in _outputs(run, world))
        if len(run.model_dump_json(exclude={"plan"})) > DYNAMODB_ITEM_BYTES:
            yield f"{name} is larger than an item may be"


def _deadline(run: Run, downtime: timedelta) -> Iterator[str]:
    began = run.resumed_at or run.created_at
    latest = began + timedelta(seconds=run.plan.timeout_seconds) + SLACK + downtime
    if run.ended_at is None or run.ended_at > latest:
        yield f"it ended at {run.ended_at}, and should have by {latest}"


def _lost(run: Run, downtime: timedelta) -> Iterator[str]:
    """Batch remembers a job for a week: only who slept so long may not know its end."""
    if run.error is not None and run.error.cause == "lost" and downtime < FORGETS_AFTER:
        yield f"it is said to be lost: {run.error.message}"


def _jobs(jobs: Iterable[SimulatedJob]) -> Iterator[str]:
    for job in jobs:
        if job.is_live:
            yield f"job {job.seen.name} ({job.job_id}) is {job.seen.status} for ever"


def _history(run: Run) -> Iterator[str]:
    for stage in run.stages:
        last = stage.history[-1] if stage.history else None
        if stage.status is StageStatus.CREATED:
            continue
        if last is None or last.end_status is not stage.status:
            yield f"stage {stage.stage_name} is {stage.status}, and its history does not say so"
        numbers = [entry.attempt for entry in stage.history if entry.attempt]
        if any(number < 1 for number in numbers):
            yield f"stage {stage.stage_name} counts its attempts as {numbers}"


def _closing(run: Run) -> Iterator[str]:
    """What was put up is taken down if its policy says so, however the run ended."""
    ran = {StageStatus.COMPLETE, StageStatus.ERROR}
    for plan in run.plan.stages:
        status = run.stage(plan.name).status
        if plan.is_closing and (status in ran) is not _is_wanted(run, plan):
            yield f"its stage {plan.name} is {status}, and the policy is {run.plan.clean_up}"


def _is_wanted(run: Run, plan: StagePlan) -> bool:
    policy, is_success = run.plan.clean_up, run.state is RunState.SUCCESS
    if plan.closes_on is not None:
        ends = {"success": RunState.SUCCESS, "error": RunState.ERROR}
        failed = plan.closes_for is None or run.stage(plan.closes_for).status is StageStatus.ERROR
        return run.state is ends[plan.closes_on] and failed
    return policy is CleanUpPolicy.ALWAYS or (policy is CleanUpPolicy.ON_SUCCESS and is_success)


def _outputs(run: Run, world: Quiet) -> Iterator[str]:
    """The manifest is there, and vouches for what the run's own last attempt has made."""
    maker = run.job("execute")
    facts = world.facts_of(run)
    for param, place in zip(facts.outputs, facts.places, strict=True):
        manifest, file = world.content(manifest_uri(place)), f"{place.rstrip('/')}/file"
        if manifest is None:
            yield f"output {param} has no manifest"
        elif manifest != world.content(file):
            yield f"output {param} is not what its manifest vouches for"
        elif maker is not None and manifest.decode() != maker.name:
            yield f"output {param} is from {manifest.decode()}, and not from {maker.name}"
        if param not in run.outputs:
            yield f"output {param} is not among the run's"
