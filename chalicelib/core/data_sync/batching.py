"""A sync's request cut up: from the nodes of a partition to requests of their own (section 9).

Each request keeps all options, the filter, and the root that the filter is relative to. Names are
joined with a ``/``, whatever the paths end with.

Not everything that a source holds can be asked for by itself: the paths of requests know fewer
characters than S3's keys do, and no empty part. A name like that goes with the whole source only.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from pydantic import ValidationError

from chalicelib.core.data_sync.batch_requests import (
    BatchDataSyncRequest,
    PrepareBatchDataSyncResponse,
)
from chalicelib.core.data_sync.partition import Node
from chalicelib.core.data_sync.requests import DataSyncRequest, PrepareBatchDataSyncRequest
from chalicelib.core.documents import shortened
from chalicelib.core.errors import InvalidRequest


def batches_of(
    request: PrepareBatchDataSyncRequest, batches: Sequence[Sequence[Node]]
) -> PrepareBatchDataSyncResponse:
    """Return a batch sync for each batch of nodes, their requests by value.

    Raises InvalidRequest for a name that no request can bear.
    """
    return PrepareBatchDataSyncResponse(
        requests=tuple(
            BatchDataSyncRequest(requests=tuple(_required(request, node) for node in batch))
            for batch in batches
        )
    )


def whole(request: PrepareBatchDataSyncRequest) -> PrepareBatchDataSyncResponse:
    """Return the only batch of a source that is not cut, because nothing was found in it."""
    alone = _bare(request, request.source_path, request.destination_path)
    return PrepareBatchDataSyncResponse(requests=(BatchDataSyncRequest(requests=(alone,)),))


def mistakable(nodes: Sequence[Node]) -> frozenset[str]:
    """Return the paths of the files that have others below them, as only objects can.

    Asked for by itself such an object would be taken for the folder of its name.
    """
    paths = sorted(node.path for node in nodes)
    return frozenset(
        node.path
        for node in nodes
        if not node.is_folder
        and (at := bisect_left(paths, f"{node.path}/")) < len(paths)
        and paths[at].startswith(f"{node.path}/")
    )


def request_for(request: PrepareBatchDataSyncRequest, node: Node) -> DataSyncRequest | None:
    """Return the sync of one node; None where no request can bear its name."""
    source, destination = request.source_path, request.destination_path
    keeps_destination = (
        bool(request.source_path_prefix)
        and source.startswith("s3://")
        and destination.startswith("s3://")
    )
    # The prefix puts each node where it belongs already.
    ends = _at(source, node), destination if keeps_destination else _at(destination, node)
    try:
        made = _bare(request, *ends)
    except ValidationError:
        return None
    return made if (made.source_path, made.destination_path) == ends else None


def _required(request: PrepareBatchDataSyncRequest, node: Node) -> DataSyncRequest:
    made = request_for(request, node)
    if made is None:
        raise InvalidRequest(
            f"{shortened(_at(request.source_path, node))!r} cannot be asked for by itself: a path"
            " has letters, digits, blanks and !_.*'()-&$@=;:+,?/ only, and no empty part",
            field="source_path",
            value=shortened(node.path),
            mend="rename it, leave it out with an exclude filter, or sync the source undivided",
        )
    return made


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
