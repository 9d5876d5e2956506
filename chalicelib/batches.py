"""The batches of a stage that was too much for one job: who does which, and which are done.

Every batch has a number. The child of a job does the batch at its own place in a list: of all of
them, or, where another job went before, of those that it left behind. A batch is done when its
document is there, whoever wrote it; so a child that is begun twice does no harm, and only what
failed is done again::

    <results>/<stage>-<generation>/000017.json          done
    <results>/<stage>-<generation>/000017.error.json    never will be: the user must mend something
    <results>/<name of a job>.left.json                 what was not done when that job had ended

Nothing here decides: it reads, and writes the list, which is the same whoever writes it.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Final

from pydantic import ValidationError

from chalicelib.core.events import OutcomeRead
from chalicelib.core.job_state import JobState
from chalicelib.core.run import Run
from chalicelib.core.worker_documents import Outcome
from chalicelib.ports import Ports

_DONE: Final = re.compile(r"(\d{6})\.json")
_ERROR: Final = re.compile(r"(\d{6})\.error\.json")


def documents_uri(run: Run, stage: str) -> str:
    """Return below which name the stage's batches leave their documents, with its last ``/``."""
    return f"{run.plan.results_prefix}{stage}-{run.generation}/"


def environment(run: Run, job: JobState) -> dict[str, str]:
    """Return what a job must know of the batches: which are its own, or that all are done."""
    if not job.children:
        is_finish = run.stage(job.stage).batches_left == 0 and not job.is_preparation
        return {"FALSEWORK_BATCHES_DONE": documents_uri(run, job.stage)} if is_finish else {}
    left = {"FALSEWORK_BATCHES_LEFT": _left_uri(run, job.follows)} if job.follows else {}
    return left | ({"FALSEWORK_BATCH_INDEX": "0"} if job.children == 1 else {})


def read(run: Run, job: JobState, ports: Ports, at: datetime) -> OutcomeRead:
    """Return how many batches are left now that the job has ended, and list them."""
    home = documents_uri(run, job.stage)
    names = {each.uri.removeprefix(home) for each in ports.objects.list(home.rstrip("/"))}
    done = {int(found[1]) for name in names if (found := _DONE.fullmatch(name))}
    left = sorted(set(range(run.stage(job.stage).batches or 0)) - done)
    event = OutcomeRead(
        run_id=run.id, at=at, stage=job.stage, serial=job.serial, batches_left=len(left)
    )
    hopeless = [int(found[1]) for name in names if (found := _ERROR.fullmatch(name))]
    first = min(set(hopeless) & set(left), default=None)
    if first is not None:
        document = ports.objects.read(f"{home}{first:06d}.error.json")
        return event.model_copy(update={"error": _error(document)})
    if left:
        ports.objects.write(_left_uri(run, job.name), json.dumps(left).encode())
    return event


def _left_uri(run: Run, job_name: str) -> str:
    return f"{run.plan.results_prefix}{job_name}.left.json"


def _error(document: bytes) -> str:
    try:
        return Outcome.model_validate_json(document).error or "a batch failed without a word"
    except ValidationError as exc:
        return f"not an outcome: {exc}"
