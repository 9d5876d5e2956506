"""What the two ends of a sync hold: a single file or a folder, by name, in order.

``s3://b/k`` is the object of that name, or the folder; with a last ``/`` it is the folder. Empty
objects whose key ends in ``/`` stand for folders and are never content; neither are manifests, nor
what a killed sync left half written.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from chalicelib.carriers import Carrier, Entry
from chalicelib.core.data_sync.destinations import folder_uri, name_below
from chalicelib.core.data_sync.filters import PathFilter
from chalicelib.core.data_sync.manifest import is_manifest
from chalicelib.core.data_sync.obstacles import obstacle
from chalicelib.core.data_sync.plan import Listed
from chalicelib.core.data_sync.selection import FileState
from chalicelib.core.errors import InvalidRequest
from chalicelib.worker.sync.leavings import is_leaving, is_note
from chalicelib.worker.sync.local_tree import LocalFile, content_of, files_of
from chalicelib.worker.sync.locations import LocalPlace, ObjectPlace, Place

NOT_A_FILE = -1
"""The size of a link or the like at a destination: no file has it, so it is replaced."""


class Source(NamedTuple):
    """A source that is there."""

    root: str
    """``s3://…`` without a last ``/``, or the local path that its last link led to."""
    is_folder: bool
    files: Iterator[Listed]
    """Everything in it, filtered or not; the only file of one that is no folder by its name."""


def find_source(place: Place, carrier: Carrier, path_filter: PathFilter) -> Source | None:
    """Return what is there, None if nothing is. Raises InvalidRequest for what is ambiguous."""
    match place:
        case ObjectPlace():
            return _objects(place, carrier)
        case LocalPlace():
            return _local(place, path_filter)


def listed_at(place: Place, carrier: Carrier, *, is_folder: bool) -> Iterator[Listed]:
    """Yield what is at a destination: below it, or the file itself by its name."""
    match place:
        case ObjectPlace() if is_folder:
            yield from _contents(_below(carrier.list(folder_uri(place.uri)), place.uri))
        case ObjectPlace():
            found = carrier.head(place.uri)
            if found is not None:
                yield _state(_last_word(place.uri), found)
        case LocalPlace():
            yield from _files_there(place, is_folder=is_folder)


def entries_at(place: Place, carrier: Carrier) -> Iterator[tuple[str, int, datetime]]:
    """Yield (name, bytes, modified at) of all that is there; a single file has an empty name."""
    match place:
        case ObjectPlace():
            source = _objects(place, carrier)
            for name, state in source.files if source else ():
                is_folder = source is not None and source.is_folder
                yield name if is_folder else "", state.size_bytes, state.modified_at
        case LocalPlace():
            path = place.path
            if path.is_dir() and not path.is_symlink():
                yield from (
                    (file.name, file.size_bytes, _time(file.modified_at))
                    for file in files_of(path, place.hidden)
                    if not is_note(file.name)
                )
            elif os.path.lexists(path):
                found = path.lstat()
                yield "", found.st_size, _time(found.st_mtime)


def _objects(place: ObjectPlace, carrier: Carrier) -> Source | None:
    entries = carrier.list(folder_uri(place.uri) if place.is_folder else place.uri)
    first = next(entries, None)
    if first is None:
        return None
    if first.uri != place.uri:
        below = _below(chain([first], entries), place.uri)
        return Source(place.uri, is_folder=True, files=_contents(below))
    second = next(entries, None)
    if second is None:
        alone = iter([_state(_last_word(place.uri), first)])
        return Source(place.uri, is_folder=False, files=alone)
    _refuse_ambiguous(first)
    below = _below(chain([second], entries), place.uri)
    return Source(place.uri, is_folder=True, files=_contents(below))


def _refuse_ambiguous(single: Entry) -> None:
    """Some tools mark a folder by an empty object of its name; one with content is ambiguous."""
    if single.size_bytes:
        raise InvalidRequest(
            f"{single.uri!r} is an object, and there are objects below it",
            value=single.uri,
            mend="write the path with a last '/' for the folder, or rename the object",
        )


def _below(entries: Iterator[Entry], root: str) -> Iterator[Listed]:
    for entry in entries:
        name = name_below(entry.uri, root)
        if name is not None and not (name.endswith("/") and entry.size_bytes == 0):
            yield _state(name, entry)


def _contents(listed: Iterator[Listed]) -> Iterator[Listed]:
    return (each for each in listed if not is_manifest(each[0]) and not is_leaving(each[0]))


def _state(name: str, entry: Entry) -> Listed:
    return name, FileState(entry.size_bytes, entry.modified_at, entry.etag or None)


def _last_word(uri: str) -> str:
    return uri.rpartition("/")[2]


def _local(place: LocalPlace, path_filter: PathFilter) -> Source | None:
    if not os.path.lexists(place.path):
        return None
    root = place.followed()
    try:
        mode = root.stat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):

        def is_left_out(name: str, is_folder: bool) -> bool:
            return path_filter.excludes(name) if is_folder else not path_filter.keeps(name)

        found = content_of(root, place.bound or root, is_left_out, place.hidden)
        return Source(str(root), is_folder=True, files=_contents(map(_local_state, found)))
    if not stat.S_ISREG(mode):
        raise InvalidRequest(
            f"{str(root)!r} is neither a file nor a folder",
            value=place.text,
            mend="name a file or a folder",
        )
    found_one = root.stat()
    alone = LocalFile(place.path.name, found_one.st_size, found_one.st_mtime, is_regular=True)
    return Source(str(root), is_folder=False, files=iter([_local_state(alone)]))


def _files_there(place: LocalPlace, *, is_folder: bool) -> Iterator[Listed]:
    path = place.followed() if is_folder else place.path
    _check_folder(path if is_folder else path.parent)
    if is_folder:
        if path.is_dir():
            yield from _contents(map(_local_state, files_of(path, place.hidden)))
    elif path.is_dir() and not path.is_symlink():
        raise InvalidRequest(
            f"a folder lies at {str(path)!r}, where a file is to arrive",
            field="destination_path",
            value=place.text,
            mend="give another destination, or a last '/' to put the file into the folder",
        )
    elif os.path.lexists(path):
        found = path.lstat()
        is_regular = stat.S_ISREG(found.st_mode)
        yield _local_state(LocalFile(path.name, found.st_size, found.st_mtime, is_regular))


def _check_folder(path: Path) -> None:
    """Raise InvalidRequest where the folder cannot be made, for a file is there or above it."""
    nearest = next((each for each in (path, *path.parents) if os.path.lexists(each)), path)
    if os.path.lexists(nearest) and not nearest.is_dir():
        raise obstacle(str(nearest), is_file=True)


def _local_state(file: LocalFile) -> Listed:
    size_bytes = file.size_bytes if file.is_regular else NOT_A_FILE
    return file.name, FileState(size_bytes, _time(file.modified_at))


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def is_same_file(path: str, state: FileState) -> bool:
    """Tell whether a file is still what a listing said."""
    found = os.lstat(path)
    return found.st_size == state.size_bytes and _time(found.st_mtime) == state.modified_at
