"""Stage out by batches, where all outputs together are too much for one job.

The outputs are cut and packed as data syncs are. A batch uploads and notes every file's checksum
with its size, time and inode; the finish is the whole order once more, and takes these notes for
what has not changed since. Only it deletes, and writes manifests: what saw the first of them sees
a complete output, as ever. What cannot be asked for by itself (``core/data_sync/batching``) is
uploaded by the finish.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Final

from pydantic import JsonValue, TypeAdapter

from chalicelib.carriers import Carrier
from chalicelib.core.data_sync.batching import request_for
from chalicelib.core.data_sync.manifest import manifest_uri
from chalicelib.core.data_sync.partition import Node, cut, pack
from chalicelib.core.data_sync.requests import PrepareBatchDataSyncRequest
from chalicelib.core.worker_documents import ParameterSync, StageOutOrder
from chalicelib.ports import ObjectStore
from chalicelib.worker.batch_child import documents
from chalicelib.worker.batch_plans import part_of, store_batches
from chalicelib.worker.stage_out import Outgoing, look_at_all, stage_out, upload_all
from chalicelib.worker.transfers import say
from chalicelib.worker.uploading import Stored

_SYNCS: Final = TypeAdapter(tuple[ParameterSync, ...])
_STORED: Final = TypeAdapter(tuple[Stored, ...])


def divide(order: StageOutOrder, objects: ObjectStore, carrier: Carrier) -> JsonValue:
    """Store the batches and return ``{"batches", "plan"}``; None where one job is enough."""
    outgoing = look_at_all(order)
    nodes = [
        node
        for number, each in enumerate(outgoing)
        for node in _cut(number, each, order.batch_bytes)
    ]
    batches = pack(nodes, order.batch_bytes)
    if len(batches) <= 1:
        return None
    carrier.remove(manifest_uri(each.uri) for each in outgoing)
    parts = ([_part(node, outgoing) for node in batch] for batch in batches)
    return store_batches(objects, order.batches_prefix, parts, "the outputs")


def finish(
    order: StageOutOrder,
    objects: ObjectStore,
    carrier: Carrier,
    clock: Callable[[], datetime],
    documents_uri: str,
) -> dict[str, JsonValue]:
    """Return what ``stage_out`` does."""
    stored = {each.uri: each for each in _stored(objects, documents_uri)}
    return stage_out(order, carrier, clock, stored)


class StageOutBatches:
    """The batches of a stage-out: each a list of syncs."""

    def __init__(self, order: StageOutOrder, carrier: Carrier) -> None:
        self.prefix = order.batches_prefix
        self._order = order
        self._carrier = carrier

    def do(self, number: int, content: bytes) -> JsonValue:
        """Upload one batch; return ``{"stored": [[uri, [bytes, time, inode], sha256], …]}``."""
        syncs = _SYNCS.validate_json(content)
        say(f"batch {number:,}: {len(syncs):,} syncs")
        part = self._order.model_copy(update={"syncs": syncs})
        stored = [
            found for each in look_at_all(part) for found in upload_all(each, self._carrier, {})
        ]
        listed: JsonValue = _STORED.dump_python(tuple(stored), mode="json")
        return {"stored": listed}


def _stored(objects: ObjectStore, documents_uri: str) -> Iterator[Stored]:
    for outcome in documents(objects, documents_uri):
        told = outcome.result if isinstance(outcome.result, dict) else {}
        yield from _STORED.validate_python(told.get("stored", ()))


def _cut(number: int, each: Outgoing, limit_bytes: int) -> Iterable[Node]:
    """The nodes of one output; its number stands before each path."""
    files = sorted((file.name if each.is_folder else "", file.size_bytes) for file in each.files)
    for node in cut(files, limit_bytes):
        yield node._replace(path=f"{number:06d}/{node.path}")


def _part(node: Node, outgoing: list[Outgoing]) -> JsonValue:
    number, _, path = node.path.partition("/")
    each = outgoing[int(number)]
    whole = PrepareBatchDataSyncRequest(**dict(each.request))
    there = whole.model_copy(update={"destination_path": each.uri})
    request = request_for(there, node._replace(path=path))
    return part_of(each.param, request)
