"""A sync's request cut up: from the nodes of a partition to requests of their own (section 9).

Each request keeps all options, the filter, and the root that the filter is relative to. Names are
joined with a ``/``, whatever the paths end with.
"""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.core.data_sync.batch_requests import (
    BatchDataSyncRequest,
    PrepareBatchDataSyncResponse,
)
from chalicelib.core.data_sync.partition import Node
from chalicelib.core.data_sync.requests import DataSyncRequest, PrepareBatchDataSyncRequest


def batches_of(
    request: PrepareBatchDataSyncRequest, batches: Sequence[Sequence[Node]]
) -> PrepareBatchDataSyncResponse:
    """Return a batch sync for each batch of nodes, their requests by value."""
    return PrepareBatchDataSyncResponse(
        requests=tuple(
            BatchDataSyncRequest(requests=tuple(request_for(request, node) for node in batch))
            for batch in batches
        )
    )


def whole(request: PrepareBatchDataSyncRequest) -> PrepareBatchDataSyncResponse:
    """Return the only batch of a source that is not cut, because nothing was found in it."""
    alone = _bare(request, request.source_path, request.destination_path)
    return PrepareBatchDataSyncResponse(requests=(BatchDataSyncRequest(requests=(alone,)),))


def request_for(request: PrepareBatchDataSyncRequest, node: Node) -> DataSyncRequest:
    """Return the sync of one node."""
    source, destination = request.source_path, request.destination_path
    keeps_destination = (
        bool(request.source_path_prefix)
        and source.startswith("s3://")
        and destination.startswith("s3://")
    )
    return _bare(
        request,
        _at(source, node),
        # The prefix puts each node where it belongs already.
        destination if keeps_destination else _at(destination, node),
    )


def payload_uri(request: PrepareBatchDataSyncRequest, index: int) -> str | None:
    """Return where a batch's requests are to be stored; None: they go by value."""
    prefix = request.temporary_request_payload_path
    return None if prefix is None else f"{prefix.rstrip('/')}/request_{index}.json"


def _at(path: str, node: Node) -> str:
    is_object = path.startswith("s3://")
    if not node.path:
        return f"{path.rstrip('/')}/" if node.is_folder and is_object else path
    joined = f"{path.rstrip('/')}/{node.path}"
    return joined if is_object else joined.rstrip("/")


def _bare(request: PrepareBatchDataSyncRequest, source: str, destination: str) -> DataSyncRequest:
    fields = {name: getattr(request, name) for name in DataSyncRequest.model_fields}
    ends = {"source_path": source, "destination_path": destination}
    return DataSyncRequest(
        **{**fields, **ends, "filter_root": request.filter_root or request.source_path}
    )
