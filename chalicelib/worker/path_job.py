"""What is done to a data path as a job: statistics, a list, a scan, a removal, a clean-up.

The same operations as the handlers of the wire formats, here with the home's own carrier and the
file systems that the job was given.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from pydantic import JsonValue

from chalicelib.carriers import Carrier
from chalicelib.core.data_sync.path_requests import (
    GetDataPathStatsRequest,
    ListDataPathsRequest,
    OutdatedDataPathScannerRequest,
)
from chalicelib.core.data_sync.requests import RemoveDataPathsRequest
from chalicelib.core.demand.wire import Wire
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.worker_documents import HandlerOrder
from chalicelib.ports import ObjectStore
from chalicelib.worker.sync.locations import Locations
from chalicelib.worker.sync.paths import list_paths, outdated_paths, path_stats, remove_paths
from chalicelib.worker.transfers import say

MOST_BYTES: Final = 64 * 1024
"""A larger response is stored by itself: a run is read often, and this part of it hardly ever."""

Event = Mapping[str, Any]
Operation = Callable[[Event, Carrier, Locations, datetime], Wire]


def handle(
    order: HandlerOrder, carrier: Carrier, locations: Locations, now: datetime
) -> dict[str, JsonValue]:
    """Call the operation and return its response. Raises InvalidRequest, also for no such one."""
    operation = OPERATIONS.get(order.handler)
    if operation is None:
        raise InvalidRequest(
            f"there is no operation {order.handler[:200]!r}",
            field="handler",
            value=order.handler[:200],
            mend=f"name one of {', '.join(OPERATIONS)}",
        )
    return operation(order.event, carrier, locations, now).to_wire()


def fitting(response: dict[str, JsonValue], objects: ObjectStore, uri: str) -> JsonValue:
    """Return the response; one that is too large is stored at ``uri``, and that is returned."""
    text = json.dumps(response).encode()
    if len(text) <= MOST_BYTES:
        return response
    objects.write(uri, text)
    say(f"the response has {len(text):,} bytes and is at {uri}")
    return {"stored_at": uri, "size_bytes": len(text)}


def _stats(event: Event, carrier: Carrier, locations: Locations, now: datetime) -> Wire:  # noqa: ARG001
    return path_stats(GetDataPathStatsRequest.parse(event).path, carrier, locations)


def _list(event: Event, carrier: Carrier, locations: Locations, now: datetime) -> Wire:  # noqa: ARG001
    return list_paths(ListDataPathsRequest.parse(event), carrier, locations)


def _scan(event: Event, carrier: Carrier, locations: Locations, now: datetime) -> Wire:
    return outdated_paths(OutdatedDataPathScannerRequest.parse(event), carrier, locations, now)


def _remove(event: Event, carrier: Carrier, locations: Locations, now: datetime) -> Wire:  # noqa: ARG001
    return remove_paths(RemoveDataPathsRequest.parse(event), locations)


def _clean(event: Event, carrier: Carrier, locations: Locations, now: datetime) -> Wire:
    """Scanner, then removal: its output is the other's request (``specs/sfn.md``, 4.5)."""
    request = OutdatedDataPathScannerRequest.parse(event)
    found = outdated_paths(request, carrier, locations, now)
    say(f"{request.path}: {len(found.paths):,} paths are outdated")
    return remove_paths(RemoveDataPathsRequest(paths=found.paths), locations)


OPERATIONS: Final[Mapping[str, Operation]] = {
    "get_data_path_stats": _stats,
    "list_data_paths": _list,
    "outdated_data_path_scanner": _scan,
    "remove_data_paths": _remove,
    "clean_file_system": _clean,
}
