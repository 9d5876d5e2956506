"""Requests for jobs over files: data syncs, and what is done to data paths.

A request is its wire model's fields, and beside them two keys of ours: ``run_id``, under which
the run is known and a repeat recognised, and ``options``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from pydantic import BaseModel

from chalicelib.core import kind_submissions
from chalicelib.core.data_sync.batch_requests import read_prepare
from chalicelib.core.data_sync.path_requests import (
    GetDataPathStatsRequest,
    ListDataPathsRequest,
    OutdatedDataPathScannerRequest,
)
from chalicelib.core.data_sync.requests import DataSyncRequest, RemoveDataPathsRequest
from chalicelib.core.demand.wire import Wire
from chalicelib.core.documents import shortened
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.kind_submissions import KindSubmission, check_kind, split_document
from chalicelib.core.own_bucket import check_not_own
from chalicelib.core.paths import efs_parts, path_kind
from chalicelib.core.site import Site
from chalicelib.core.whole_places import check_not_whole

SYNC: Final = "data-sync"
CLEAN_UP: Final = "file-system-cleanup"
RUN_ID_PATTERN: Final = kind_submissions.RUN_ID_PATTERN


class FileKind(NamedTuple):
    """A kind of run: its one stage, the handler that the stage calls, the request's model."""

    kind: str
    stage: str
    handler: str
    model: type[Wire]


KINDS: Final = {
    each.kind: each
    for each in (
        FileKind("data-path-stats", "stats", "get_data_path_stats", GetDataPathStatsRequest),
        FileKind("list-data-paths", "list", "list_data_paths", ListDataPathsRequest),
        FileKind(
            "outdated-data-paths",
            "scan",
            "outdated_data_path_scanner",
            OutdatedDataPathScannerRequest,
        ),
        FileKind("remove-data-paths", "remove", "remove_data_paths", RemoveDataPathsRequest),
        FileKind(CLEAN_UP, "clean", "clean_file_system", OutdatedDataPathScannerRequest),
    )
}
"""All but the data sync, whose worker may divide its work."""


FileSubmission = KindSubmission
"""Of a job over files."""


def parse_file_request(kind: str, document: object, site: Site) -> FileSubmission:
    """Return the submission. Raises InvalidRequest, naming the field that does not fit."""
    body, run_id, options = split_document(document, "a job over files")
    check_kind(body.pop("kind", kind), kind)
    request = _reader(kind, site)(body)
    for field, path in paths_of(request):
        _check_path(field, path, site)
        _check_kind(kind, field, path)
    for field, path in temporary_places_of(request):
        check_not_own(field, path, site)
    check_not_whole(request, is_deleting=bool(body.get("delete")))
    return FileSubmission(kind, request, run_id, options)


def paths_of(request: BaseModel) -> Iterator[tuple[str, str]]:
    """Yield (field, path) for every data path that the request names."""
    for name in ("source_path", "destination_path", "path"):
        path = getattr(request, name, None)
        if path is not None:
            yield name, path
    for number, path in enumerate(getattr(request, "paths", ())):
        yield f"paths.{number}", path


def file_systems_of(request: BaseModel) -> dict[str, str]:
    """Return {id: the field that names it first} of the file systems that the worker needs."""
    found: dict[str, str] = {}
    for field, path in (*paths_of(request), *temporary_places_of(request)):
        if path_kind(path) == "efs":
            found.setdefault(efs_parts(path).file_system_id, field)
    return found


def temporary_places_of(request: BaseModel) -> Iterator[tuple[str, str]]:
    """Yield (field, path) where the worker puts what is its own for a while: nobody's data."""
    if not isinstance(request, DataSyncRequest):
        return
    if request.remote_to_local_config.custom_tmp_dir:
        path = request.remote_to_local_config.custom_tmp_dir
        yield "remote_to_local_config.custom_tmp_dir", path
    payloads = getattr(request, "temporary_request_payload_path", None)
    if payloads:
        yield "temporary_request_payload_path", payloads


def _reader(kind: str, site: Site) -> Callable[[dict[str, Any]], Wire]:
    if kind == SYNC:
        return lambda body: read_prepare(body, delete_by_default=site.delete_by_default)
    return KINDS[kind].model.parse


def _check_kind(kind: str, field: str, path: str) -> None:
    if kind == CLEAN_UP and path_kind(path) == "s3":
        raise InvalidRequest(
            "objects are not cleaned up here",
            field=field,
            value=shortened(path),
            mend="name a path on a file system; for a bucket set a lifecycle rule",
        )


def _check_path(field: str, path: str, site: Site) -> None:
    kind = path_kind(path)
    if kind == "local" and site.has_local_paths and not path.startswith("/"):
        raise InvalidRequest(
            f"{shortened(path)!r} is a relative path",
            field=field,
            value=shortened(path),
            mend="give an absolute path",
        )
    if kind == "s3" and {".", ".."} & set(path.split("/")):
        raise InvalidRequest(
            f"{shortened(path)!r} has a part '.' or '..', which no object's name has here",
            field=field,
            value=shortened(path),
            mend="write the key that is meant",
        )
    if kind == "local" and not site.has_local_paths:
        raise InvalidRequest(
            f"{shortened(path)!r} is a path of a host, and which one is nobody's to say here",
            field=field,
            value=shortened(path),
            mend="name an object (s3://bucket/key) or a path on a file system (fs-…:/path)",
        )
    check_not_own(field, path, site)
