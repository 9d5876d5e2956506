"""One child of an array that does batches: which batch is its own, and its document.

::

    no batch left for it ──▶ 0
    claim ── lost ──▶ 75, nothing touched
      │
    document there already, whoever wrote it ──▶ 0
      │
    the batch ── the user must mend something ──▶ <number>.error.json, 1
      │        └─ infrastructure failed ──▶ nothing, 2: it is done again, alone
      │
    <number>.json ──▶ 0
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Protocol

from pydantic import JsonValue

from chalicelib.core.worker_documents import Outcome, read_order
from chalicelib.ports import Claims, ObjectStore
from chalicelib.worker.claim import holds_claim
from chalicelib.worker.ending import CANNOT_BE_DONE, CLAIMED_BY_ANOTHER, DONE, outcome_of
from chalicelib.worker.transfers import say
from chalicelib.worker_settings import WorkerSettings


class Batches(Protocol):
    """What is divided, read from its order."""

    prefix: str
    """``s3://…/`` below which every batch is stored."""

    def do(self, number: int, content: bytes) -> JsonValue:
        """Do the batch that is stored so; return its document's result."""
        ...


def batch_uri(prefix: str, number: int) -> str:
    """Return where a batch is stored."""
    return f"{prefix}request_{number}.json"


def documents(objects: ObjectStore, uri: str) -> Iterator[Outcome]:
    """Yield what the children have written below ``uri``, by number; errors are none of it."""
    for found in objects.list(uri.rstrip("/")):
        if found.uri.endswith(".json") and not found.uri.endswith(".error.json"):
            yield Outcome.model_validate_json(objects.read(found.uri))


def work_batch(
    job: WorkerSettings, objects: ObjectStore, claims: Claims, read: Callable[[bytes], Batches]
) -> int:
    """Do the child's batch and record it; return the exit code. ``read`` reads the order."""
    number = batch_number(job, objects)
    if number is None:
        say(f"job {job.job_name}: no batch is left for child {job.index}")
        return DONE
    if not holds_claim(claims, job):
        return CLAIMED_BY_ANOTHER
    done, error = (f"{job.outcome_uri}{number:06d}{end}" for end in (".json", ".error.json"))
    if _is_there(objects, done):
        say(f"batch {number:,} has been done before: nothing to do")
        return DONE
    batches = read(read_order(objects.read, job.request_uri))
    content = objects.read(batch_uri(batches.prefix, number))
    objects.remove(error)  # what an earlier job could not do may have been mended
    outcome = outcome_of(job, lambda: batches.do(number, content))
    if outcome.error is None:
        objects.write(done, outcome.model_dump_json().encode())
        return DONE
    told = outcome.model_copy(update={"error": f"batch {number}: {outcome.error}"})
    objects.write(error, told.model_dump_json().encode())
    return CANNOT_BE_DONE


def batch_number(job: WorkerSettings, objects: ObjectStore) -> int | None:
    """Return which batch the child does; None where there is none for it."""
    place = job.index if job.batch_index is None else job.batch_index
    if not job.batches_left:
        return place
    left: list[int] = json.loads(objects.read(job.batches_left))
    return left[place] if place < len(left) else None


def _is_there(objects: ObjectStore, uri: str) -> bool:
    return any(found.uri == uri for found in objects.list(uri))
