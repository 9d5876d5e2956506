"""The transfers and removals around an execution (section 6.8 of the demand wire format).

Inputs come before it, under a lock since executions may share them; outputs go home after it and
their source is given up. Only here must the remote side be S3 and an output lie below a mount.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from chalicelib.core.data_sync.requests import (
    FilterConfig,
    PrepareBatchDataSyncRequest,
    RemoveDataPathsRequest,
)
from chalicelib.core.demand.job_params import JobParam
from chalicelib.core.demand.parameters import ExecutionParameters
from chalicelib.core.demand.placement import PARAMETERS_FIELD, Places, resolvable_of
from chalicelib.core.demand.wire import Wire
from chalicelib.core.documents import at_field
from chalicelib.core.paths import S3Path, join_s3, s3_path

BATCH_SIZE_BYTES_LIMIT: Final = 75 * 1024**3
"""What one batch of a demand's transfers may have: 75 GiB (section 6.8)."""


class DataSyncConfiguration(Wire):
    """What a request may say about the transfers of all inputs, or of all outputs."""

    temporary_request_payload_path: S3Path | None = None
    """Prefix under which each transfer gets a folder of its own for its batches."""
    force: bool = False
    size_only: bool = True

    def payload_path(self, folder: str) -> str | None:
        """Return the prefix of one transfer, None when batches are passed by value."""
        root = self.temporary_request_payload_path
        return None if root is None else join_s3(root, f"{folder}/")


def input_requests(
    parameters: ExecutionParameters, where: Places, options: DataSyncConfiguration
) -> tuple[PrepareBatchDataSyncRequest, ...]:
    """Return the transfers of the inputs, in their order. Raises InvalidRequest."""

    def request(index: int, remote: str, local: str) -> PrepareBatchDataSyncRequest:
        return PrepareBatchDataSyncRequest(
            source_path=remote,
            destination_path=local,
            retain_source_data=True,
            require_lock=True,
            delete=False,
            force=options.force,
            size_only=options.size_only,
            batch_size_bytes_limit=BATCH_SIZE_BYTES_LIMIT,
            temporary_request_payload_path=options.payload_path(f"input_{index}"),
        )

    return _requests(parameters.input_params, where, request)


def output_requests(
    parameters: ExecutionParameters,
    where: Places,
    options: DataSyncConfiguration,
    *,
    is_mirror: bool,
) -> tuple[PrepareBatchDataSyncRequest, ...]:
    """Return the transfers of the outputs; a mirror deletes what else is at the destination."""

    def request(index: int, remote: str, local: str) -> PrepareBatchDataSyncRequest:
        return PrepareBatchDataSyncRequest(
            source_path=local,
            destination_path=remote,
            retain_source_data=False,
            require_lock=False,
            delete=is_mirror,
            force=options.force,
            size_only=options.size_only,
            batch_size_bytes_limit=BATCH_SIZE_BYTES_LIMIT,
            temporary_request_payload_path=options.payload_path(f"output_{index}"),
        )

    return _requests(parameters.output_params, where, request)


def removal_requests(
    parameters: ExecutionParameters, where: Places, *, has_inputs: bool, has_working_dir: bool
) -> tuple[RemoveDataPathsRequest, ...]:
    """Return what is to be removed afterwards: the inputs (even if none), the directory.

    With shared inputs the first removes what other executions share; the wire has always said
    so, and ``cleanup_inputs: false`` is what one wants then.
    """
    requests = []
    if has_inputs:
        paths = tuple(where.efs_form(param.value) for param in parameters.input_params)
        requests.append(RemoveDataPathsRequest(paths=paths))
    if has_working_dir:
        paths = (where.efs_form(where.working_directory),)
        requests.append(RemoveDataPathsRequest(paths=paths))
    return tuple(requests)


_MakeRequest = Callable[[int, str, str], PrepareBatchDataSyncRequest]


def _requests(
    params: Sequence[JobParam], where: Places, make: _MakeRequest
) -> tuple[PrepareBatchDataSyncRequest, ...]:
    requests = []
    for index, param in enumerate(params):
        resolvable = resolvable_of(param)
        with at_field(f"{PARAMETERS_FIELD}.params.{param.name}"):
            remote, local = s3_path(resolvable.remote), where.efs_form(resolvable.local)
        filters: FilterConfig | None = resolvable.filter_config
        requests.append(make(index, remote, local).model_copy(update={"filter_config": filters}))
    return tuple(requests)
