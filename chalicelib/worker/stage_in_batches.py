"""Stage in by batches, where all inputs together are too much for one job.

The inputs are cut and packed as data syncs are, all parameters together. A batch is the same order
with a part of the syncs, which only copy; the finish is the whole order once more, which copies
what was missed, deletes what is extra and counts. Inputs that runs share are not cut, for their
lock is one job's: the finish brings them, and what cannot be asked for by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from pydantic import JsonValue, TypeAdapter

from chalicelib.carriers import Carrier
from chalicelib.core.data_sync.batching import request_for
from chalicelib.core.data_sync.partition import Node, cut, pack
from chalicelib.core.data_sync.requests import PrepareBatchDataSyncRequest
from chalicelib.core.worker_documents import ParameterSync, StageInOrder
from chalicelib.ports import ObjectStore
from chalicelib.worker.batch_plans import is_all_in_batches, part_of, store_batches
from chalicelib.worker.input_sync import files_of_input
from chalicelib.worker.places import Places
from chalicelib.worker.problems import problems_of
from chalicelib.worker.shared_input import is_shared
from chalicelib.worker.stage_in import stage_in
from chalicelib.worker.sync_job import MISSED_ONLY
from chalicelib.worker.transfers import say

_SYNCS: Final = TypeAdapter(tuple[ParameterSync, ...])


def divide(order: StageInOrder, objects: ObjectStore, carrier: Carrier) -> JsonValue:
    """Store the batches and return ``{"batches", "plan"}``; None where one job is enough."""
    places = Places(order.mounts, order.root)
    nodes = [
        node
        for number, sync in enumerate(order.syncs)
        if not is_shared(sync.request, places)
        for node in _cut(number, sync, order, carrier)
    ]
    batches = pack(nodes, order.batch_bytes)
    if len(batches) <= 1:
        return None
    parts = ([_part(node, order.syncs) for node in batch] for batch in batches)
    return store_batches(objects, order.batches_prefix, parts, "the inputs")


def finish(
    order: StageInOrder, objects: ObjectStore, carrier: Carrier, clock: Callable[[], datetime]
) -> dict[str, JsonValue]:
    """Return what ``stage_in`` does.

    What was forced has been done; sizes and times say enough, unless something was in no batch.
    """
    if not is_all_in_batches(objects, order.batches_prefix):
        return stage_in(order, carrier, clock)
    places = Places(order.mounts, order.root)
    syncs = [
        sync if is_shared(sync.request, places) else _with(sync, **MISSED_ONLY)
        for sync in order.syncs
    ]
    return stage_in(order.model_copy(update={"syncs": tuple(syncs)}), carrier, clock)


class StageInBatches:
    """The batches of a stage-in: each a list of syncs."""

    def __init__(
        self, order: StageInOrder, carrier: Carrier, clock: Callable[[], datetime]
    ) -> None:
        self.prefix = order.batches_prefix
        self._order = order
        self._carrier = carrier
        self._clock = clock

    def do(self, number: int, content: bytes) -> JsonValue:
        """Bring the inputs of one batch."""
        syncs = _SYNCS.validate_json(content)
        say(f"batch {number:,}: {len(syncs):,} syncs")
        copying = tuple(_with(sync, delete=False) for sync in syncs)
        order = self._order.model_copy(update={"files": (), "syncs": copying})
        return stage_in(order, self._carrier, self._clock)


def _cut(
    number: int, sync: ParameterSync, order: StageInOrder, carrier: Carrier
) -> Iterable[Node]:
    """The nodes of one parameter; its number stands before each path."""
    with problems_of(sync.param):
        for node in cut(files_of_input(sync.request, carrier) or (), order.batch_bytes):
            yield node._replace(path=f"{number:06d}/{node.path}")


def _part(node: Node, syncs: tuple[ParameterSync, ...]) -> JsonValue:
    number, _, path = node.path.partition("/")
    sync = syncs[int(number)]
    whole = PrepareBatchDataSyncRequest(**dict(sync.request))
    request = request_for(whole, node._replace(path=path))
    return part_of(sync.param, request)


def _with(sync: ParameterSync, **changes: bool) -> ParameterSync:
    return sync.model_copy(update={"request": sync.request.model_copy(update=changes)})
