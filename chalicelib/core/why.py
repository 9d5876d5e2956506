"""Why a run is where it is, in plain sentences. Pure: the saved run and the time, nothing else.

While a run is going on: each stage that is under way and what it waits for (``waiting.py``). When
it has ended: how and why, what to do (``advice.py``), and what is still going on behind it. What
is *owed*, and by when, is taken from the lifecycle and not worked out again, so that this never
says anything else than what will be done.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from chalicelib.core.advice import explain
from chalicelib.core.commands import StopJob
from chalicelib.core.lifecycle import prompt
from chalicelib.core.lifecycle.advance import ready
from chalicelib.core.lifecycle.children import is_awaited
from chalicelib.core.lifecycle.deadlines import run_ends_at
from chalicelib.core.lifecycle.jobs import grace_ends_at, is_current
from chalicelib.core.lineage import explain_path
from chalicelib.core.plans.plan import CleanUpPolicy
from chalicelib.core.run import Run, RunState, StageStatus
from chalicelib.core.waiting import runs_text, time_text, what_it_waits_for

Children = Mapping[str, Sequence[str]]
"""Stage → the runs that it has started and that are not known to have ended."""


def why(
    run: Run, at: datetime, children: Children | None = None, below: Sequence[Run] = ()
) -> list[str]:
    """Return the sentences, the most important first; a settled run's last says that it is.

    ``below``: the runs that its failure came from, down to the one that failed by itself.
    """
    known = children or {}
    told = [
        *_end(run, below),
        *_under_way(run, at, known),
        *_other_jobs(run, at),
        *_other_runs(run, known),
        *_closing(run),
    ]
    if run.settled_at is not None:
        return [*told, f"Nothing is left to do since {time_text(run.settled_at)}."]
    if not run.is_terminal:
        told.append(f"The run must have ended by {time_text(run_ends_at(run))}.")
    if run.next_check_at is not None:
        told.append(f"Whatever happens, it is looked at again at {time_text(run.next_check_at)}.")
    return told


def _end(run: Run, below: Sequence[Run]) -> Iterator[str]:
    if not run.is_terminal:
        return
    if below:
        yield from explain_path(run, below)
    elif run.error is not None:
        yield from explain(run, run.error)
    elif run.state is RunState.SUCCESS:
        yield "The run succeeded: what it was for is done."
    else:
        yield f"The run ended in {run.state}; the reason was not recorded."


def _under_way(run: Run, at: datetime, children: Children) -> Iterator[str]:
    due = _has_its_turn(run)
    for plan in run.plan.stages:
        status = run.stage(plan.name).status
        if status in (StageStatus.RUNNING, StageStatus.RETRY) or plan.name in due:
            yield from what_it_waits_for(run, plan, at, children.get(plan.name, ()))


def _has_its_turn(run: Run) -> set[str]:
    """The stages that may begin, and those whose turn it would be were it not for older jobs."""
    due = {plan.name for plan in ready(run)}
    if not run.is_terminal:
        ended = tuple(job for job in run.jobs if job.has_ended)
        due |= {plan.name for plan in ready(run.model_copy(update={"jobs": ended}))}
    return due


def _other_jobs(run: Run, at: datetime) -> Iterator[str]:
    """Jobs that must come to their end, whatever their stage does."""
    stops = {c.job_id: c.reason for c in prompt(run) if isinstance(c, StopJob)}
    for job in run.jobs:
        if job.job_id in stops:
            yield (
                f"Job {job.name} of stage {job.stage} has to stop: {stops[job.job_id]}. It is "
                f"{job.status or 'in an unknown state'}; the order is repeated until it has ended."
            )
        elif job.job_id is None and not job.has_ended and not is_current(run, job):
            until = max(at, grace_ends_at(run, job))
            yield (
                f"Nobody has confirmed that job {job.name} of stage {job.stage} arrived in queue "
                f"{job.queue}; it is looked for until {time_text(until)}, and stopped if it is "
                "there."
            )


def _other_runs(run: Run, children: Children) -> Iterator[str]:
    """Runs that must come to their end, whatever their stage does."""
    for stage in run.stages:
        if stage.children is None or is_awaited(run, stage):
            continue
        left = children.get(stage.stage_name, ())
        named = f": {runs_text(left)}" if left else ""
        yield (
            f"The runs that stage {stage.stage_name} started are cancelled, and waited for{named}."
        )


def _closing(run: Run) -> Iterator[str]:
    """What became of the stages that take down what the others put up."""
    due = {plan.name for plan in ready(run)}
    for plan in run.plan.stages if run.is_terminal else ():
        stage = run.stage(plan.name)
        match stage.status if plan.is_closing else StageStatus.COMPLETE:
            case StageStatus.ERROR:
                yield (
                    f"Stage {plan.name} failed, and files may be left; how the run ended stays as "
                    f"it is. The message is: {stage.history[-1].message}"
                )
            case StageStatus.CREATED if _is_closing_wanted(run):
                if plan.name not in due:
                    yield f"Stage {plan.name} waits until every job has ended."
            case StageStatus.CREATED | StageStatus.CANCELED:
                yield f"Stage {plan.name} does not run (cleanup: {run.plan.clean_up})."


def _is_closing_wanted(run: Run) -> bool:
    policy = run.plan.clean_up
    is_success = run.state is RunState.SUCCESS
    return policy is CleanUpPolicy.ALWAYS or (policy is CleanUpPolicy.ON_SUCCESS and is_success)
