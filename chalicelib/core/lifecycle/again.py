"""Resume and rollback: the only ways out of a terminal state. Each begins a new generation.

Resume runs again what is not COMPLETE. Rollback runs again a stage and all that comes after it.
Where clean-up has begun to remove the files of the run, the stages that made them run again as
well, with all that comes after them. Histories stay, results go. Of the runs that a stage has
started, those that succeeded stay with a resume, and none with a rollback past it.

What earlier generations left behind only has to end: their jobs are stopped, and nothing begins
before they are gone (``advance.ready``).
"""

from __future__ import annotations

from chalicelib.core.errors import Conflict, InvalidRequest
from chalicelib.core.events import ResumeRequested, RollbackRequested
from chalicelib.core.lifecycle import stages
from chalicelib.core.lifecycle.attempts import attempts_left
from chalicelib.core.lifecycle.jobs import worth_keeping
from chalicelib.core.lifecycle.notices import taken_along
from chalicelib.core.plans.plan import NoAction, RetryPolicy, StagePlan
from chalicelib.core.run import Run, RunState, StageStatus


def resume(run: Run, event: ResumeRequested) -> Run:
    """Let the ended run go on. Raises Conflict for one that is not ended, or has succeeded."""
    if _is_repeated(run, event):
        return run
    _check_ended(run, "resumed")
    if run.state is RunState.SUCCESS:
        raise Conflict(f"run {run.id} has succeeded: nothing is left to resume; roll it back")
    return _begin_again(run, set(), event)


def rollback(run: Run, event: RollbackRequested) -> Run:
    """Let the ended run go on from the stage. Raises InvalidRequest for a stage it cannot be."""
    named = [plan.name for plan in run.plan.stages if not plan.is_closing]
    if event.stage not in named:
        raise InvalidRequest(
            f"run {run.id} cannot be rolled back to {event.stage!r}",
            field="stage",
            value=event.stage,
            mend=f"name one of {', '.join(named)}",
        )
    if _is_repeated(run, event):
        return run
    _check_ended(run, "rolled back")
    return _begin_again(run, {event.stage}, event)


def _is_repeated(run: Run, event: ResumeRequested | RollbackRequested) -> bool:
    """Tell whether this very request has begun the generation, or an equal one that still lasts.

    Whoever names a generation that was left for something else, or whose successor has ended as
    well, waits for what nobody will do, and so is told. Raises Conflict.
    """
    left = run.generation - 1
    if event.generation in (None, run.generation):
        return False
    if event.generation != left:
        raise Conflict(f"run {run.id} is in generation {run.generation}, not {event.generation}")
    if run.resumed_at == event.at:
        return True
    if run.begun_by not in (None, _asked(event)):
        raise Conflict(
            f"run {run.id} has left generation {left} already, by another request"
            f" ({run.begun_by}); {_now(run)}"
        )
    if run.is_terminal:
        raise Conflict(f"run {run.id} has left generation {left} already; {_now(run)}")
    return True


def _now(run: Run) -> str:
    return (
        f"generation {run.generation} is {run.state}: look at it, and name {run.generation} to"
        " leave that one"
    )


def _asked(event: ResumeRequested | RollbackRequested) -> str:
    return f"rollback to {event.stage}" if isinstance(event, RollbackRequested) else "resume"


def _check_ended(run: Run, done: str) -> None:
    if not run.is_terminal:
        raise Conflict(f"run {run.id} is {run.state}: only a run that has ended can be {done}")


def _begin_again(run: Run, names: set[str], event: ResumeRequested | RollbackRequested) -> Run:
    before, at, asked = run, event.at, names
    names = names | {
        plan.name
        for plan in run.plan.stages
        if plan.is_closing or run.stage(plan.name).status is not StageStatus.COMPLETE
    }
    files = {plan.name for plan in run.plan.stages if plan.has_files}
    if _has_clean_up_begun(run) and not (_are_outputs_kept(run) and not files & names):
        names |= files
    for plan in run.plan.stages:
        if not plan.is_closing and names & set(plan.after):
            names.add(plan.name)
    keeps_attempts = run.plan.retry_policy is RetryPolicy.GLOBAL
    _check_budget(run, names)
    for name in names:
        keeps = name not in asked and _keeps_runs(run.plan.stage(name), names)
        run = stages.reset(run, name, at, keeps_attempts=keeps_attempts, keeps_runs=keeps)
    again = run.model_copy(
        update={
            "generation": run.generation + 1,
            "state": RunState.PENDING,
            "resumed_at": at,
            "begun_by": _asked(event),
            "ended_at": None,
            "settled_at": None,
            "error": None,
            "outputs": {} if run.plan.outputs_from in names else run.outputs,
            "jobs": worth_keeping(run.jobs),
        }
    )
    return taken_along(before, again)


def _keeps_runs(plan: StagePlan, names: set[str]) -> bool:
    """What the stage refers to is as it was, so that what its runs came to is as well."""
    return not plan.is_closing and not names & set(plan.after)


def _check_budget(run: Run, names: set[str]) -> None:
    """What cannot be finished is not begun: it would make an ERROR of a SUCCESS."""
    needed = sum(not plan.is_closing and plan.name in names for plan in run.plan.stages)
    left = attempts_left(run)
    if left is not None and left < needed:
        raise Conflict(
            f"run {run.id} has {left} of its {run.plan.max_attempts} attempts left (retry_policy"
            f" GLOBAL), and {needed} stages would have to run; submit it again under another id"
        )


def _are_outputs_kept(run: Run) -> bool:
    """Clean-up spares what has not been brought home, so that only the rest has to be done."""
    maker = run.plan.outputs_from
    return maker is not None and run.stage(maker).status is not StageStatus.COMPLETE


def _has_clean_up_begun(run: Run) -> bool:
    return any(
        run.stage(plan.name).status not in (StageStatus.CREATED, StageStatus.CANCELED)
        for plan in run.plan.stages
        if plan.is_closing and not isinstance(plan.action, NoAction)
    )
