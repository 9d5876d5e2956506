"""The runs that a stage starts: they live as long as it does, and the run settles after them.

::

    begins ──▶ children ──▶ all have ended ──▶ COMPLETE, or failed
                  │
                  └── the stage ended before them (cancel, deadline, another stage's failure)
                        ──▶ they are cancelled ──▶ all have ended ──▶ the run may settle

Which of them have ended is not this run's state: they are looked at again, each by its id, which
follows from the attempt (``child_runs.py``). Nothing of a stage begins anew before they are gone.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from chalicelib.core.commands import Command, TendRuns, WakeParent
from chalicelib.core.events import ChildrenEnded
from chalicelib.core.lifecycle import stages
from chalicelib.core.lifecycle.attempts import fail_stage
from chalicelib.core.run import Children, Run, Stage, StageStatus


def begin(run: Run, name: str, at: datetime) -> Run:
    """Begin a stage that starts runs; from here on there may be some."""
    run = stages.begin(run, name, at)
    children = Children(generation=run.generation, attempt=run.stage(name).attempts)
    return stages.change(run, name, children=children)


def end(run: Run, event: ChildrenEnded) -> Run:
    """Take in that they have all ended; the stage ends with them if it still waits for them."""
    stage = run.stage(event.stage)
    ended = Children(generation=event.generation, attempt=event.attempt)
    if stage.children != ended:
        return run
    was_awaited = is_awaited(run, stage)
    run = stages.change(run, event.stage, children=None, former=_former(run, stage))
    if not was_awaited:
        return _give_up(run, stage, event.at)
    if event.error is not None:
        return fail_stage(run, event.stage, event.at, event.cause, event.error)
    return stages.complete(run, event.stage, event.at, event.result)


def tending(run: Run) -> Iterator[Command]:
    """Yield what is owed to the runs that there may be."""
    for stage in run.stages:
        if stage.children is not None:
            yield TendRuns(
                stage=stage.stage_name,
                generation=stage.children.generation,
                attempt=stage.children.attempt,
                is_over=not is_awaited(run, stage),
            )


def are_gone(run: Run) -> bool:
    """Whether no stage has runs that may be under way."""
    return all(stage.children is None for stage in run.stages)


def is_awaited(run: Run, stage: Stage) -> bool:
    """A run whose end is decided waits for nobody, but for what its closing stages started."""
    return (
        stage.status is StageStatus.RUNNING
        and stage.children == Children(generation=run.generation, attempt=stage.attempts)
        and (not run.is_terminal or run.plan.stage(stage.stage_name).is_closing)
    )


def let_go(run: Run, name: str, at: datetime) -> Run:
    """Wait no more for runs that nobody needs and that cannot be cancelled; some may live.

    Those that succeed all the same are kept when the stage begins again after that.
    """
    stage = run.stage(name)
    changed = stages.change(run, name, children=None, former=_former(run, stage))
    return _give_up(changed, stage, at)


def _former(run: Run, stage: Stage) -> Children | None:
    """What a resume or a rollback wants of an earlier generation was decided with it."""
    is_of_now = stage.children is not None and stage.children.generation == run.generation
    return stage.children if is_of_now else stage.former


def _give_up(run: Run, stage: Stage, at: datetime) -> Run:
    if stage.status is not StageStatus.RUNNING:
        return run
    return stages.fail(run, stage.stage_name, at, "given up: another stage failed")


def heard_by_parent(before: Run, after: Run, at: datetime) -> tuple[Command, ...]:
    """It may be lost: the parent looks by itself as well."""
    has_settled = before.settled_at is None and after.settled_at is not None
    if after.plan.parent is None or not has_settled:
        return ()
    return (WakeParent(run_id=after.plan.parent, at=at),)
