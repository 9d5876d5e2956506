"""Whole buckets, file systems and machines: never removed, and never emptied by a sync.

The worker refuses them as well, and more than these: it knows what is mounted, and where links
lead. What can be told from the request alone is told when it comes in, not by a job that fails.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from chalicelib.core.data_sync.destinations import is_bucket_root
from chalicelib.core.data_sync.requests import DataSyncRequest, RemoveDataPathsRequest
from chalicelib.core.documents import shortened
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.paths import efs_parts, path_kind, without_dots


def check_not_whole(request: BaseModel, *, is_deleting: bool) -> None:
    """Raise InvalidRequest for a request that would remove or empty such a place.

    ``is_deleting``: the request itself says ``delete``; the site's default may spare one file's
    copy, of which only the worker knows that it is one.
    """
    if isinstance(request, RemoveDataPathsRequest):
        for field, path in _removed(request):
            if is_whole(path) and path_kind(path) != "s3":
                raise _refused(f"{_told(path)} is never removed", field, path, "")
    elif isinstance(request, DataSyncRequest) and is_deleting:
        path = request.destination_path
        is_local = "s3" not in {path_kind(path), path_kind(request.source_path)}
        if is_whole(path) and not is_local:
            what = f"nothing is deleted in {_told(path)}"
            raise _refused(what, "destination_path", path, ", or leave delete out")


def is_whole(path: str) -> bool:
    """Tell whether the path names a bucket and no key, or the root of a file system."""
    match path_kind(path):
        case "s3":
            return is_bucket_root(path)
        case "efs":
            return without_dots(efs_parts(path).path) in {"/", None}
        case "local":
            return path.startswith("/") and without_dots(path) in {"/", None}


def _removed(request: RemoveDataPathsRequest) -> Iterator[tuple[str, str]]:
    for place, path in enumerate(request.paths):
        yield f"paths.{place}", path


def _told(path: str) -> str:
    kind = {"s3": "a bucket", "efs": "a file system", "local": "a file system"}[path_kind(path)]
    return f"the whole of {kind}"


def _refused(what: str, field: str, path: str, otherwise: str) -> InvalidRequest:
    return InvalidRequest(
        what, field=field, value=shortened(path), mend=f"name a folder below it{otherwise}"
    )
