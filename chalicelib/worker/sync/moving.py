"""Giving up a source when all of it is at the destination.

A sync that is killed while it removes its source must not, started again, take what is left for
the whole: with ``delete`` it would remove at the destination what is nowhere else any more. So
before the first file goes, the source is marked as done with:

* a local folder is renamed to a tombstone beside it, in one step, and the tombstone removed;
* below a prefix an object is written that lists all that may go, and it goes last.

Who finds either only finishes the removal. Nothing goes that changed or came since it was listed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from chalicelib.carriers import Carrier, Entry
from chalicelib.core.data_sync.destinations import folder_uri, name_below
from chalicelib.core.data_sync.filters import PathFilter
from chalicelib.core.data_sync.selection import FileState
from chalicelib.core.errors import NotFound, Unavailable
from chalicelib.worker.removal import remove
from chalicelib.worker.sync.leavings import MOVED, TOMBSTONE
from chalicelib.worker.sync.listing import find_source
from chalicelib.worker.sync.locations import LocalPlace, ObjectPlace, Place
from chalicelib.worker.sync.planning import Planned

Marked = dict[str, list[str | int | None]]
"""Name → size, time and ETag of what may go."""


def finish_removal(source: Place, carrier: Carrier) -> bool:
    """Remove what an earlier sync has marked as copied; tell whether there was such a mark."""
    match source:
        case LocalPlace():
            tombstone = _tombstone(source.path)
            is_marked = tombstone.exists()
            remove(tombstone.parent, Path(tombstone.name))
            return is_marked
        case ObjectPlace():
            try:
                mark = carrier.read(f"{source.uri}/{MOVED}")
            except NotFound:
                return False
            _remove_marked(source, json.loads(mark), carrier)
            return True


def give_up(planned: Planned, carrier: Carrier) -> None:
    """Remove the source. Raises Unavailable if it changed meanwhile; then all of it stays."""
    source = planned.source
    if not planned.is_local:
        _check_unchanged(planned, carrier)
    match source:
        case LocalPlace() if not planned.plan.is_folder:
            remove(source.path.parent, Path(source.path.name))
        case LocalPlace() if planned.is_local:
            _check_unchanged(planned, carrier)  # what is left: the rest has been renamed
            remove(source.path.parent, Path(source.path.name))
        case LocalPlace():
            tombstone = _tombstone(source.path)
            source.path.rename(tombstone)
            remove(tombstone.parent, Path(tombstone.name))
        case ObjectPlace() if not planned.plan.is_folder:
            carrier.remove([source.uri])
        case ObjectPlace():
            marked = {name: _version(state) for name, state in planned.everything}
            carrier.write(f"{source.uri}/{MOVED}", json.dumps(marked).encode())
            _remove_marked(source, marked, carrier)


def _tombstone(path: Path) -> Path:
    return path.with_name(f"{TOMBSTONE}{path.name}")


def _remove_marked(source: ObjectPlace, marked: Marked, carrier: Carrier) -> None:
    mark = f"{source.uri}/{MOVED}"
    carrier.remove(list(_going(source, marked, carrier)))
    carrier.remove([mark])


def _going(source: ObjectPlace, marked: Marked, carrier: Carrier) -> Iterator[str]:
    for entry in carrier.list(folder_uri(source.uri)):
        name = name_below(entry.uri, source.uri)
        if name is None or _is_folder_mark(name, entry) or marked.get(name) == _version(entry):
            yield entry.uri


def _version(found: Entry | FileState) -> list[str | int | None]:
    etag = found.etag if isinstance(found, Entry) else found.checksum
    return [found.size_bytes, found.modified_at.isoformat(), etag]


def _is_folder_mark(name: str, entry: Entry) -> bool:
    return name.endswith("/") and entry.size_bytes == 0


def _check_unchanged(planned: Planned, carrier: Carrier) -> None:
    """Everything counts, the left-out files too, for all of it is to go."""
    now = find_source(planned.source, carrier, PathFilter())
    listed = dict(planned.everything)
    for name, state in now.files if now else ():
        if listed.get(name) != state:
            raise _changed(planned, name)


def _changed(planned: Planned, name: str) -> Unavailable:
    return Unavailable(
        f"{name!r} came or changed while {planned.plan.source!r} was moved: it was copied, and"
        " the source stays; start again"
    )
