"""What nobody foresaw: an exception, and so a fault of ours, while a stage's step was performed.

::

    raised ──▶ counted, in the stage ──▶ … ──▶ MOST_FAULTS in a row ──▶ the stage ends in ERROR
                  └── the step goes well: forgotten

A second look may help, for not every such fault is there for ever; but the run must not be owed
the step for ever. Where nobody waits for runs any more and they cannot even be cancelled, they
are let go: each ends by itself, at its own deadline at the latest. Nothing begins beside them.

What a backend did not answer is none of this: that is Unavailable, and is tried again for longer.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from chalicelib.core.events import StageTried
from chalicelib.core.lifecycle import children, stages
from chalicelib.core.lifecycle.attempts import fail_stage
from chalicelib.core.run import ACTIVE, Children, Run, Stage, StageStatus

MOST_FAULTS: Final = 20
"""A stage that has faults is looked at each minute: time enough for the alarm of the sweep's
troubles, which waits for a quarter of an hour, and to take a deployment back that brought them."""
SAME_LOOK: Final = timedelta(seconds=30)
"""What comes closer together counts as one: an event may be delivered again at once."""
CAUSE: Final = "fault"


def note(run: Run, event: StageTried) -> Run:
    """Count the fault, or forget those before; the last one that is borne ends the stage."""
    stage = run.stage(event.stage)
    if not _is_of_now(run, stage, event):
        return run
    if event.fault is None:
        return _forgotten(run, stage)
    if stage.faulted_at is not None and event.at < stage.faulted_at + SAME_LOOK:
        return run
    if stage.faults + 1 < MOST_FAULTS:
        return stages.change(run, event.stage, faults=stage.faults + 1, faulted_at=event.at)
    run = _forgotten(run, stage)
    if stage.children is not None and not children.is_awaited(run, stage):
        return _let_go(run, event, event.fault)
    return fail_stage(run, event.stage, event.at, CAUSE, _words(event.fault))


def _let_go(run: Run, event: StageTried, fault: str) -> Run:
    """What was to begin anew once they are gone does not: it would do their work beside them."""
    run = children.let_go(run, event.stage, event.at)
    if run.stage(event.stage).status not in ACTIVE:
        return run
    message = f"{_words(fault)}; its runs may still be under way: let them end, then resume"
    return fail_stage(run, event.stage, event.at, CAUSE, message)


def is_looked_at(stage: Stage) -> bool:
    """Whether a step of the stage is to be tried again soon."""
    if not stage.faults:
        return False
    return stage.status is StageStatus.RUNNING or stage.children is not None


def _forgotten(run: Run, stage: Stage) -> Run:
    if not stage.faults:
        return run
    return stages.change(run, stage.stage_name, faults=0, faulted_at=None)


def _is_of_now(run: Run, stage: Stage, event: StageTried) -> bool:
    attempt = Children(generation=event.generation, attempt=event.attempt)
    current = Children(generation=run.generation, attempt=stage.attempts)
    is_at_work = stage.status is StageStatus.RUNNING and attempt == current
    return is_at_work or stage.children == attempt


def _words(fault: str) -> str:
    return (
        f"an error that nobody foresaw came up {MOST_FAULTS} times in a row: {fault}; the log of "
        "the engine has the rest"
    )
