"""What nobody foresaw while a stage's step was performed, told as an event; nothing decides here.

An exception's own text may hold what is secret, and a run is shown to many: of it only its name
and the place in our code go into the run. The log has the rest.

What may pass by itself is none: a backend that did not answer, a run that somebody else has saved,
a deployment that is set up wrongly, a host without room or memory.
"""

from __future__ import annotations

import traceback
from datetime import datetime
from typing import Final

from chalicelib.core.commands import Command, MakeCall, ReadOutcome, SubmitJob, TendRuns
from chalicelib.core.errors import Misconfigured, StaleRun, Unavailable
from chalicelib.core.events import StageTried
from chalicelib.core.run import Run

PASSING: Final = (Unavailable, StaleRun, Misconfigured)
OF_THE_HOST: Final = (OSError, MemoryError)
"""No room, no memory, no route: as good as Unavailable."""
_OURS: Final = "chalicelib/"


def tried(
    command: Command, run: Run, at: datetime, error: Exception | None = None
) -> StageTried | None:
    """Return the event for a stage's step that went well, or raised what nobody foresaw.

    None for what is no stage's own, and where there is nothing to tell: it went well, as before.
    """
    match command:
        case MakeCall(stage=stage) | TendRuns(stage=stage):
            generation, attempt = command.generation, command.attempt
        case ReadOutcome(stage=stage) | SubmitJob(stage=stage):
            generation, attempt = run.generation, run.stage(stage).attempts
        case _:
            return None
    if error is None and not run.stage(stage).faults:
        return None
    return StageTried(
        run_id=run.id,
        at=at,
        stage=stage,
        generation=generation,
        attempt=attempt,
        fault=None if error is None else told(error),
    )


def told(error: Exception) -> str:
    """Return its name, where it came from, and what was being done, as far as we have noted it."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if _OURS in frame.filename] or frames
    place = ours[-1].filename.rpartition(_OURS)[2]
    notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
    return f"{type(error).__name__} in {place}, line {ours[-1].lineno}{notes}"
