"""A data sync as a job: done at once, or cut into batches, each one the work of an array's child.

::

    sync ── fits ──▶ done
      └── does not ──▶ request_<i>.json … ──▶ sync-batch, sync-batch, … ──▶ sync, to finish

A batch only copies. What is deleted, at the destination or, of a move, at the source, goes in the
finish, when every batch has been done and the source is still whole: it is the same sync once
more, which also copies what was missed. So a batch may be done twice, in any order, at any time.
Only what is in the way, a file where a folder has to be or the reverse, goes before the batches.

What cannot be asked for by itself (``core/data_sync/batching``) is in no batch: the finish has it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from pydantic import JsonValue

from chalicelib.core.data_sync.batch_requests import (
    BatchDataSyncRequest,
    BatchDataSyncResponse,
    DataSyncResponse,
    DataSyncResult,
    read_syncs,
)
from chalicelib.core.data_sync.batching import mistakable, request_for
from chalicelib.core.data_sync.partition import Node
from chalicelib.core.data_sync.plan import Tally
from chalicelib.core.data_sync.requests import DataSyncRequest, PrepareBatchDataSyncRequest
from chalicelib.core.worker_documents import SyncOrder
from chalicelib.ports import ObjectStore
from chalicelib.worker.batch_child import documents
from chalicelib.worker.batch_plans import is_all_in_batches, store_batches
from chalicelib.worker.sync.batches import batch_sync, cut_up
from chalicelib.worker.sync.syncing import DataSync
from chalicelib.worker.transfers import amount, say

ONLY_COPY: Final = {"delete": False, "retain_source_data": True}
MISSED_ONLY: Final = {"force": False, "size_only": True}


def sync_or_divide(
    order: SyncOrder, data_sync: DataSync, objects: ObjectStore
) -> dict[str, JsonValue]:
    """Return a DataSyncResponse; or ``{"batches", "plan"}`` where it is too much for one job."""
    request = order.request
    batches = cut_up(request, data_sync) or []
    if len(batches) <= 1:
        return _response(request, data_sync.sync(single(request)).counted)
    data_sync.make_way(single(request))
    unfit = mistakable([node for batch in batches for node in batch])

    def part(node: Node) -> JsonValue:
        made = None if node.path in unfit else request_for(request, node)
        return None if made is None else made.model_copy(update=ONLY_COPY).to_wire()

    parts = ([part(node) for node in batch] for batch in batches)
    return store_batches(objects, order.batches_prefix, parts, request.source_path)


def finish(
    order: SyncOrder, data_sync: DataSync, objects: ObjectStore, documents_uri: str
) -> dict[str, JsonValue]:
    """Copy what was missed, delete what is to go, and return a DataSyncResponse.

    The batches have compared contents and done what was forced; here sizes and times say enough,
    unless something was in no batch.
    Of a move the source may be gone already: then it was we who removed it, and were killed.
    """
    request = order.request
    fails = request.fail_if_missing and request.retain_source_data
    asked = single(request).model_copy(update={"fail_if_missing": fails})
    if is_all_in_batches(objects, order.batches_prefix):
        asked = asked.model_copy(update=MISSED_ONLY)
    report = data_sync.sync(asked)
    counted = report.counted if report.plan else _sum(_responses(objects, documents_uri))
    return _response(request, counted)


class SyncBatches:
    """The batches of a sync: each a list of DataSyncRequests."""

    def __init__(self, order: SyncOrder, data_sync: DataSync) -> None:
        self.prefix = order.batches_prefix
        self._label = order.request.source_path
        self._data_sync = data_sync

    def do(self, number: int, content: bytes) -> JsonValue:
        """Do the requests of one batch, and return a BatchDataSyncResponse."""
        requests = read_syncs(json.loads(content), delete_by_default=False)
        say(f"{self._label}: batch {number:,}, {len(requests):,} requests")
        batch = BatchDataSyncRequest(requests=requests)
        return batch_sync(batch, self._data_sync, delete_by_default=False).to_wire()


def single(request: PrepareBatchDataSyncRequest) -> DataSyncRequest:
    """Return the request without what only says how it is divided."""
    fields = {name: getattr(request, name) for name in DataSyncRequest.model_fields}
    return DataSyncRequest(**fields)


def _response(request: PrepareBatchDataSyncRequest, counted: Tally) -> dict[str, JsonValue]:
    say(f"{request.source_path} to {request.destination_path}: {amount(*counted)}")
    result = DataSyncResult()
    if request.include_detailed_response:
        result = DataSyncResult(bytes_transferred=counted.bytes, files_transferred=counted.files)
    return DataSyncResponse(request=single(request), result=result).to_wire()


def _responses(objects: ObjectStore, documents_uri: str) -> Iterable[BatchDataSyncResponse]:
    for outcome in documents(objects, documents_uri):
        yield BatchDataSyncResponse.parse(outcome.result)


def _sum(responses: Iterable[BatchDataSyncResponse]) -> Tally:
    total = Tally()
    for each in responses:
        moved = Tally(each.result.files_transferred, each.result.bytes_transferred)
        total = total.and_all(moved)
    return total
