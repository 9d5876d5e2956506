"""What a source in the object store consists of, and what of it has to be fetched.

``s3://b/k`` is a single object or a folder; with a last ``/`` it is a folder. Objects whose key
ends in ``/`` and that are empty stand for folders and are never fetched; neither are manifests.
"""

from __future__ import annotations

import errno
import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from chalicelib.core.data_sync.destinations import (
    checked_name,
    folder_uri,
    name_below,
    refuse_file_and_folder,
)
from chalicelib.core.data_sync.filters import PathFilter
from chalicelib.core.data_sync.manifest import is_manifest
from chalicelib.core.data_sync.requests import DataSyncRequest
from chalicelib.core.data_sync.selection import FileState
from chalicelib.core.errors import InvalidRequest
from chalicelib.ports import ObjectInfo, ObjectStore

Objects = dict[str, ObjectInfo]
"""By the name below the source; a single object by its last word."""


class Source(NamedTuple):
    """What a request names, filtered."""

    is_folder: bool
    objects: Objects

    def target(self, name: str, destination: Path) -> Path:
        """Return where the object goes: below the destination, or to it if it is the only one."""
        return destination / name if self.is_folder else destination

    def states(self) -> dict[str, FileState]:
        """Return the source side of the decision what to copy."""
        return {
            name: FileState(info.size_bytes, info.modified_at)
            for name, info in self.objects.items()
        }


def find_source(objects: ObjectStore, request: DataSyncRequest) -> Source | None:
    """List the source; None if it is missing and may be. Raises InvalidRequest."""
    uri = request.source_path
    if not uri.startswith("s3://"):
        raise InvalidRequest(
            f"{uri!r} is not in the object store", value=uri, mend="give an s3:// location"
        )
    bare = uri.rstrip("/")
    listed = list(objects.list(bare))
    single = next((info for info in listed if info.uri == bare), None)
    below = {name: info for info in listed if (name := name_below(info.uri, bare)) is not None}
    if single and not uri.endswith("/") and not _is_only_marker(single, below):
        return _single(single, request)
    is_there = any(info.uri == folder_uri(bare) for info in listed)
    return _folder(below, request, is_there=is_there)


def _is_only_marker(single: ObjectInfo, below: Objects) -> bool:
    """Some tools mark a folder by an empty object of its name; one with content is ambiguous."""
    if below and single.size_bytes:
        raise InvalidRequest(
            f"{single.uri!r} is an object, and there are objects below it",
            value=single.uri,
            mend="write the source with a last '/' for the folder, or rename the object",
        )
    return bool(below)


def _single(info: ObjectInfo, request: DataSyncRequest) -> Source | None:
    name = info.uri.rpartition("/")[2]
    path_filter = filter_of(request)
    if path_filter.keeps_single(name):
        return Source(is_folder=False, objects={name: info})
    return _nothing(request, "the filter leaves out the only object")


def _folder(below: Objects, request: DataSyncRequest, *, is_there: bool) -> Source | None:
    path_filter = filter_of(request)
    files = {
        name: info
        for name, info in below.items()
        if not is_manifest(name) and not (name.endswith("/") and info.size_bytes == 0)
    }
    kept = {name: info for name, info in files.items() if path_filter.keeps(name)}
    if not kept and not below and not is_there:
        return _nothing(request, "nothing is there")
    if not kept and files:
        return _nothing(request, f"the filter leaves out all of its {len(files)} objects")
    for name, info in kept.items():
        checked_name(name, info.uri)
    refuse_file_and_folder(kept)
    return Source(is_folder=True, objects=kept)


def filter_of(request: DataSyncRequest) -> PathFilter:
    """Return the request's filter, ready for paths relative to its source."""
    return PathFilter.of(request.filter_config, request.source_path, request.filter_root)


def _nothing(request: DataSyncRequest, why: str) -> Source | None:
    if request.fail_if_missing:
        raise InvalidRequest(
            f"the source {request.source_path!r} has nothing to copy: {why}",
            value=request.source_path,
            mend="check the location and the filters",
        )
    return None


def local_state(path: Path) -> FileState | None:
    """Return a regular file's state; None for a link and the like, which has to be replaced.

    Raises IsADirectoryError: a store need not tell that from other failures of a download.
    """
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(found.st_mode):
        return None
    return FileState(found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))
