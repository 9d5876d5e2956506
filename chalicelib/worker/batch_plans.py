"""The batches that a worker has divided its order into, written down for the jobs that do them.

::

    <prefix>request_<i>.json   a list of the batch's parts
    <prefix>left.json          how many names are in no batch, if there are any

What cannot be asked for by itself (``core/data_sync/batching``) is in no batch. The job that
finishes has the whole order once more and brings it; then it must look at everything as closely as
the order says, and not only for what was missed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from pydantic import JsonValue

from chalicelib.core.data_sync.requests import DataSyncRequest
from chalicelib.core.errors import NotFound
from chalicelib.core.worker_documents import ParameterSync
from chalicelib.ports import ObjectStore
from chalicelib.worker.batch_child import batch_uri
from chalicelib.worker.transfers import say


def store_batches(
    objects: ObjectStore,
    prefix: str,
    batches: Iterable[Sequence[JsonValue]],
    subject: str,
) -> dict[str, JsonValue]:
    """Store every batch and return what the job answers; a part that is None is left out."""
    stored = left = 0
    for number, parts in enumerate(batches):
        asked = [part for part in parts if part is not None]
        objects.write(batch_uri(prefix, number), json.dumps(asked, sort_keys=True).encode())
        stored, left = number + 1, left + len(parts) - len(asked)
    say(f"{subject}: too much for one job, divided into {stored:,} batches")
    if left:
        objects.write(_left_uri(prefix), json.dumps(left).encode())
        say(f"{subject}: {left:,} names cannot be asked for alone; the last job brings them")
    return {"batches": stored, "plan": prefix}


def part_of(param: str, request: DataSyncRequest | None) -> JsonValue:
    """Return a part of a batch that is one parameter's; None for what can be none."""
    if request is None:
        return None
    part: JsonValue = ParameterSync(param=param, request=request).model_dump(mode="json")
    return part


def is_all_in_batches(objects: ObjectStore, prefix: str) -> bool:
    """Tell whether the batches were to bring everything."""
    try:
        objects.read(_left_uri(prefix))
    except NotFound:
        return True
    return False


def _left_uri(prefix: str) -> str:
    return f"{prefix}left.json"
