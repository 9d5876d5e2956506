"""Wire models of single and batched syncs: what is asked, and what is answered (sections 8 to 10).

A request that does not mention ``delete`` gets what the site says. Because only the document, not
the model, knows what was mentioned, requests of outside are read by the functions here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from chalicelib.core.data_sync.requests import DataSyncRequest, PrepareBatchDataSyncRequest
from chalicelib.core.demand.wire import Wire
from chalicelib.core.documents import at_field
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.paths import DataPath

BATCH_BYTES: Final = 250 * 1024**3
"""What one batch may have unless the request says otherwise (section 9)."""


class DataSyncResult(Wire):
    """What was transferred; zeros unless the request asks for details."""

    bytes_transferred: int = 0
    files_transferred: int = 0


class DataSyncResponse(Wire):
    """The request in full, with its defaults, and the result."""

    request: DataSyncRequest
    result: DataSyncResult = DataSyncResult()


class BatchDataSyncRequest(Wire):
    """Syncs that are carried out one after the other."""

    requests: tuple[DataSyncRequest, ...] | DataPath
    """Themselves, or where a JSON list of them is stored."""
    allow_partial_failure: bool = False


class BatchDataSyncResult(DataSyncResult):
    """The sums of the syncs that succeeded."""

    total_requests_count: int = 0
    successful_requests_count: int = 0
    failed_requests_count: int = 0


class BatchDataSyncResponse(Wire):
    """The sums, and the requests that failed."""

    result: BatchDataSyncResult = BatchDataSyncResult()
    failed_requests: tuple[DataSyncRequest, ...] = ()


class PrepareBatchDataSyncResponse(Wire):
    """A batch sync's request for every batch."""

    requests: tuple[BatchDataSyncRequest, ...] = ()


def read_sync(document: object, *, delete_by_default: bool) -> DataSyncRequest:
    """Read one sync's request. Raises InvalidRequest."""
    return DataSyncRequest.parse(_with_delete(document, is_default=delete_by_default))


def read_prepare(document: object, *, delete_by_default: bool) -> PrepareBatchDataSyncRequest:
    """Read the request of a sync that may be cut into batches. Raises InvalidRequest."""
    return PrepareBatchDataSyncRequest.parse(_with_delete(document, is_default=delete_by_default))


def read_syncs(document: object, *, delete_by_default: bool) -> tuple[DataSyncRequest, ...]:
    """Read a list of requests. Raises InvalidRequest."""
    if not isinstance(document, list | tuple):
        raise InvalidRequest(
            "the requests are not a JSON list",
            field="requests",
            mend="give a list of data-sync requests, or the S3 path of one",
        )
    found = []
    for index, each in enumerate(document):
        with at_field(f"requests.{index}"):
            found.append(read_sync(each, delete_by_default=delete_by_default))
    return tuple(found)


def read_batch(document: object, *, delete_by_default: bool) -> BatchDataSyncRequest:
    """Read a batch's request; without ``requests`` its fields are those of its only sync."""
    if not isinstance(document, Mapping):
        return BatchDataSyncRequest.parse(document)
    asked = dict(document)
    if "requests" not in asked:
        flags = {"allow_partial_failure", "allowPartialFailure"}
        alone = {key: value for key, value in asked.items() if key not in flags}
        asked = {**{key: asked[key] for key in flags & asked.keys()}, "requests": [alone]}
    if isinstance(asked["requests"], str):
        return BatchDataSyncRequest.parse(asked)
    syncs = read_syncs(asked["requests"], delete_by_default=delete_by_default)
    bare = BatchDataSyncRequest.parse({**asked, "requests": []})
    return bare.model_copy(update={"requests": syncs})


def _with_delete(document: object, *, is_default: bool) -> object:
    if isinstance(document, Mapping) and "delete" not in document:
        told: dict[Any, Any] = {**document, "delete": is_default}
        return told
    return document
