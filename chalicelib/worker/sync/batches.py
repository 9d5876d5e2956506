"""Many syncs one after the other, and one sync cut into many (sections 9 and 10)."""

from __future__ import annotations

import json
from collections.abc import Iterator

from chalicelib.core.data_sync.batch_requests import (
    BATCH_BYTES,
    BatchDataSyncRequest,
    BatchDataSyncResponse,
    BatchDataSyncResult,
    PrepareBatchDataSyncResponse,
    read_syncs,
)
from chalicelib.core.data_sync.batching import batches_of, payload_uri, whole
from chalicelib.core.data_sync.filters import PathFilter
from chalicelib.core.data_sync.partition import Node, partition
from chalicelib.core.data_sync.plan import Tally
from chalicelib.core.data_sync.requests import DataSyncRequest, PrepareBatchDataSyncRequest
from chalicelib.core.errors import FalseworkError, InvalidRequest
from chalicelib.worker.sync.ends import check_filters
from chalicelib.worker.sync.json_files import read_json
from chalicelib.worker.sync.listing import Source, find_source
from chalicelib.worker.sync.syncing import DataSync
from chalicelib.worker.transfers import say


def batch_sync(
    request: BatchDataSyncRequest, data_sync: DataSync, *, delete_by_default: bool
) -> BatchDataSyncResponse:
    """Carry out the requests in turn. The first failure is raised, unless some may fail."""
    requests = requests_of(request, data_sync, delete_by_default=delete_by_default)
    total, failed = Tally(), []
    for each in requests:
        try:
            counted = data_sync.sync(each).counted
        except (FalseworkError, OSError) as exc:
            if not request.allow_partial_failure:
                raise
            say(f"failed: {each.source_path} to {each.destination_path}: {exc}")
            failed.append(each)
            continue
        if each.include_detailed_response:
            total = total.and_all(counted)
    return BatchDataSyncResponse(
        result=BatchDataSyncResult(
            bytes_transferred=total.bytes,
            files_transferred=total.files,
            total_requests_count=len(requests),
            successful_requests_count=len(requests) - len(failed),
            failed_requests_count=len(failed),
        ),
        failed_requests=tuple(failed),
    )


def requests_of(
    request: BatchDataSyncRequest, data_sync: DataSync, *, delete_by_default: bool
) -> tuple[DataSyncRequest, ...]:
    """Return the syncs, read from where they are stored if need be. Raises InvalidRequest."""
    if isinstance(request.requests, tuple):
        return request.requests
    stored = read_json(request.requests, data_sync.carrier, data_sync.locations)
    return read_syncs(stored, delete_by_default=delete_by_default)


def prepare_batches(
    request: PrepareBatchDataSyncRequest, data_sync: DataSync
) -> PrepareBatchDataSyncResponse:
    """Cut a sync into batches; with a payload path, their requests are stored there."""
    batches = cut_up(request, data_sync)
    response = whole(request) if batches is None else batches_of(request, batches)
    stored = []
    for index, batch in enumerate(response.requests):
        uri = payload_uri(request, index)
        if uri is not None and isinstance(batch.requests, tuple):
            text = json.dumps([each.to_wire() for each in batch.requests], sort_keys=True)
            data_sync.carrier.write(uri, text.encode())
            stored.append(batch.model_copy(update={"requests": uri}))
        else:
            stored.append(batch)
    return PrepareBatchDataSyncResponse(requests=tuple(stored))


def cut_up(request: PrepareBatchDataSyncRequest, data_sync: DataSync) -> list[list[Node]] | None:
    """Return the pieces of the source, batch by batch; None where nothing is there to be cut.

    Raises InvalidRequest for a filter that leaves nothing, unless that may be.
    """
    source = data_sync.locations.find(request.source_path)
    check_filters(request, source, data_sync.locations.find(request.destination_path))
    path_filter = PathFilter.of(request.filter_config, request.source_path, request.filter_root)
    found = find_source(source, data_sync.carrier, path_filter)
    if found is None:
        return None
    kept = KeptFiles(found, path_filter)
    batches = partition(kept, request.batch_size_bytes_limit or BATCH_BYTES)
    if not batches and kept.left_out and request.fail_if_missing:
        raise InvalidRequest(
            f"the filter leaves out all {kept.left_out} files of {request.source_path!r}",
            field="filter_config",
            mend="check the patterns: they match the whole path relative to filter_root",
        )
    return batches if batches or kept.left_out else None


class KeptFiles:
    """A source's files as a partition wants them, filtered; to be read once."""

    def __init__(self, found: Source, path_filter: PathFilter) -> None:
        self._found = found
        self._filter = path_filter
        self.left_out = 0

    def __iter__(self) -> Iterator[tuple[str, int]]:
        is_folder = self._found.is_folder
        keeps = self._filter.keeps if is_folder else self._filter.keeps_single
        for name, state in self._found.files:
            if keeps(name):
                yield name if is_folder else "", state.size_bytes
            else:
                self.left_out += 1
