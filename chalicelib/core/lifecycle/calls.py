"""The end of a call: a short step that was performed inside the Lambda, or never will be."""

from __future__ import annotations

from chalicelib.core.events import CallEnded
from chalicelib.core.lifecycle import stages
from chalicelib.core.lifecycle.attempts import fail_stage
from chalicelib.core.run import Run, StageStatus


def end(run: Run, event: CallEnded) -> Run:
    """End the stage with its call; an older attempt's call is yesterday's news."""
    stage = run.stage(event.stage)
    told_of = (event.generation, event.attempt)
    if stage.status is not StageStatus.RUNNING or told_of != (run.generation, stage.attempts):
        return run
    if event.error is not None:
        return fail_stage(
            run, event.stage, event.at, event.cause, event.error, is_spoilt=event.is_passing
        )
    return stages.complete(run, event.stage, event.at, event.result)
