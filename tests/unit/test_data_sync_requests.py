"""The wire models of data-sync requests (sections 3.6 and 8.1)."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.core.data_sync.requests import (
    DataSyncRequest,
    FilterConfig,
    PrepareBatchDataSyncRequest,
    RemoveDataPathsRequest,
)
from chalicelib.core.errors import InvalidRequest

MINIMAL = {"source_path": "s3://bkt/a", "destination_path": "/data"}


def test_a_sync_request_is_written_with_its_defaults() -> None:
    assert DataSyncRequest.parse(MINIMAL).to_wire() == {
        **MINIMAL,
        "max_concurrency": 25,
        "retain_source_data": True,
        "delete": False,
        "require_lock": False,
        "force": False,
        "size_only": False,
        "fail_if_missing": True,
        "include_detailed_response": False,
        "remote_to_local_config": {"use_custom_tmp_dir": False},
    }


def test_a_sync_request_is_read_in_both_styles() -> None:
    request = PrepareBatchDataSyncRequest.parse(
        {
            "sourcePath": "s3://bkt//a",
            "destinationPath": "fs-0a1000000000000a:/x",
            "filterConfig": {"include": "a"},
            "batchSizeBytesLimit": "10",
            "remote_to_local_config": {"useCustomTmpDir": True, "customTmpDir": "/t"},
            "unknown": 1,
        }
    )
    assert request.source_path == "s3://bkt/a"
    assert request.batch_size_bytes_limit == 10
    assert request.remote_to_local_config.custom_tmp_dir == "/t"
    assert request.filter_config == FilterConfig(include="a")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"source_path": "s3://b/x"}, "source_path"),
        ({"source_path": None}, "source_path"),
        ({"destination_path": ""}, "destination_path"),
        ({"max_concurrency": 0}, "max_concurrency"),
        ({"filter_config": {"exclude": "("}}, "filter_config.exclude"),
        ({"filter_config": {"include": ["a", 1]}}, "filter_config.include"),
        ({"remote_to_local_config": None}, "remote_to_local_config"),
        ({"temporary_request_payload_path": "/local"}, "temporary_request_payload_path"),
    ],
    ids=repr,
)
def test_a_sync_request_that_does_not_fit_is_refused(change: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        PrepareBatchDataSyncRequest.parse(MINIMAL | change)
    assert caught.value.field == field


def test_removal_takes_paths_of_any_kind() -> None:
    paths = ["/a", "fs-0a1000000000000a:/b", "s3://bkt/c"]
    assert RemoveDataPathsRequest.parse({"paths": paths}).to_wire() == {"paths": paths}
