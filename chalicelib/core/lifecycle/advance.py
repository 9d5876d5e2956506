"""What follows by itself from a run's state: stages begin, the run ends, the run settles.

``advance`` is applied after every event, until nothing follows any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from chalicelib.core.lifecycle import attempts, child_times, children, faults, jobs, stages
from chalicelib.core.lifecycle.deadlines import deadlines
from chalicelib.core.lifecycle.notices import due
from chalicelib.core.plans.plan import CleanUpPolicy, JobAction, NoAction, StagePlan
from chalicelib.core.plans.run_actions import RunsAction
from chalicelib.core.run import ACTIVE, Run, RunState, StageStatus

_ENDS: Final = {"success": RunState.SUCCESS, "error": RunState.ERROR}
SOON_SECONDS: Final = 60
"""When to look again at something whose outcome is unknown; less if the site checks oftener."""


def advance(run: Run, at: datetime) -> Run:
    """Return the run with everything decided that follows from its state at ``at``."""
    before = None
    while before is not run:
        before = run
        run = _end_backoffs(run, at)
        for plan in tuple(ready(run)):
            run = _begin(run, plan, at)
        run = _end(run, at)
    return run


def ready(run: Run) -> Iterator[StagePlan]:
    """Yield the stages whose turn it is and whose action has not begun, or is wanted again.

    Nothing begins while a job of an earlier generation lives, and no job while another one of
    its stage does: what they write would get mixed up.
    """
    if any(job.generation != run.generation and not job.has_ended for job in run.jobs):
        return
    if any(s.children and s.children.generation != run.generation for s in run.stages):
        return
    busy = {job.stage for job in run.jobs if not job.has_ended}
    busy |= {stage.stage_name for stage in run.stages if stage.children is not None}
    is_closing = run.is_terminal
    complete = {s.stage_name for s in run.stages if s.status is StageStatus.COMPLETE}
    for plan in run.plan.stages:
        if plan.name in complete or plan.name in busy or plan.is_closing != is_closing:
            continue
        is_its_turn = _may_close(run, plan) if is_closing else complete.issuperset(plan.after)
        if is_its_turn and jobs.is_wanted(run, plan.name):
            yield plan


def next_check_at(run: Run, at: datetime) -> datetime | None:
    """Return when the sweep must look at the run, if nothing is heard of it before."""
    soon = at + timedelta(seconds=min(SOON_SECONDS, run.plan.check_seconds))
    if run.settled_at is not None:
        return soon if is_attended(run) else None
    times = [at + timedelta(seconds=run.plan.check_seconds), *deadlines(run)]
    times += [stage.retry_at for stage in run.stages if stage.retry_at is not None]
    if any(map(faults.is_looked_at, run.stages)):
        times.append(soon)
    if not children.are_gone(run):
        times.append(soon)  # they tell us when they have ended, and that may be lost
    for job in run.jobs:
        if job.job_id is None and not job.has_ended:
            times.append(max(jobs.grace_ends_at(run, job), min(soon, at + timedelta(seconds=1))))
        elif job.status is None and not job.has_ended:
            times.append(soon)
    return min(times)


def is_attended(run: Run) -> bool:
    """Whether a settled run still has something to be seen to: somebody to tell, or a bill."""
    return bool(due(run)) or any(map(child_times.is_untimed, run.jobs))


def _end_backoffs(run: Run, at: datetime) -> Run:
    for stage in run.stages:
        if stage.retry_at is not None and at >= stage.retry_at:
            run = stages.end_backoff(run, stage.stage_name)
    return run


def _begin(run: Run, plan: StagePlan, at: datetime) -> Run:
    """Jobs begin with their intent; what costs nothing is done at once."""
    is_new = run.stage(plan.name).status is not StageStatus.RUNNING
    if is_new and not plan.is_closing and attempts.is_exhausted(run):
        return attempts.refuse_exhausted(run, plan.name, at)
    if plan.when is not None and run.stage(plan.when.stage).result != plan.when.branch:
        run = stages.begin(run, plan.name, at)
        return stages.complete(run, plan.name, at, None, "not chosen")
    if isinstance(plan.action, JobAction):
        return run
    if isinstance(plan.action, RunsAction):
        return children.begin(run, plan.name, at)
    run = stages.begin(run, plan.name, at)
    if isinstance(plan.action, NoAction):
        return stages.complete(run, plan.name, at, None, plan.action.message)
    return run


def _end(run: Run, at: datetime) -> Run:
    if not run.is_terminal:
        run = _decide_end(run, at)
    if run.state is RunState.PENDING and any(stage.attempts for stage in run.stages):
        started_at = run.started_at or at
        run = run.model_copy(update={"state": RunState.RUNNING, "started_at": started_at})
    is_settled = run.is_terminal and _is_settled(run)
    if is_settled != (run.settled_at is not None):
        # An extra copy that shows itself late unsettles the run until it has ended as well.
        run = run.model_copy(update={"settled_at": at if is_settled else None})
    return run


def _decide_end(run: Run, at: datetime) -> Run:
    statuses = {run.stage(plan.name).status for plan in run.plan.stages if not plan.is_closing}
    if StageStatus.ERROR in statuses:
        for plan in run.plan.stages:
            if not plan.is_closing and run.stage(plan.name).status is StageStatus.RETRY:
                run = stages.fail(run, plan.name, at, "given up: another stage failed")
        return run.model_copy(update={"state": RunState.ERROR, "ended_at": at})
    if statuses <= {StageStatus.COMPLETE}:
        changes = {"state": RunState.SUCCESS, "ended_at": at, "outputs": _outputs(run)}
        if run.started_at is None:
            changes["started_at"] = at
        return run.model_copy(update=changes)
    return run


def _outputs(run: Run) -> object:
    if run.plan.outputs_from is None:
        return {}
    result = run.stage(run.plan.outputs_from).result
    return result.get("outputs", {}) if isinstance(result, dict) else {}


def _may_close(run: Run, plan: StagePlan) -> bool:
    """Closing stages wait for every job: what is still used must not be taken down."""
    if plan.closes_on is not None:
        failed = plan.closes_for
        is_due = run.state is _ENDS[plan.closes_on] and (
            failed is None or run.stage(failed).status is StageStatus.ERROR
        )
    else:
        policy = run.plan.clean_up
        is_due = policy is CleanUpPolicy.ALWAYS or (
            policy is CleanUpPolicy.ON_SUCCESS and run.state is RunState.SUCCESS
        )
    closing = {other.name for other in run.plan.stages if other.is_closing}
    earlier = closing & set(plan.after)
    return (
        is_due
        and all(job.has_ended for job in run.jobs if job.stage not in closing)
        and all(run.stage(name).children is None for name in run.plan.places.keys() - closing)
        and all(run.stage(name).status not in ACTIVE for name in earlier)
    )


def _is_settled(run: Run) -> bool:
    if not all(job.has_ended for job in run.jobs) or not children.are_gone(run):
        return False
    closing = [plan for plan in run.plan.stages if plan.is_closing]
    return not any(
        run.stage(plan.name).status is StageStatus.RUNNING
        or (run.stage(plan.name).status in ACTIVE and _may_close(run, plan))
        for plan in closing
    )
