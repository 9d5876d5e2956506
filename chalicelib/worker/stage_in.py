"""Stage in: text files and inputs are brought to where the job expects them.

After an attempt that failed the whole root is first moved aside (``leftovers``); the root is then
new, and so is everything in it, whatever that attempt half wrote.

A repeat copies what is missing or outdated and leaves the rest. Every file appears by a rename,
so one that is there is complete. Its modification time becomes the start of the transfer (or the
object's own time, if later): an object that is replaced while we copy is then newer than our copy
and the next transfer notices, and scans for outdated files see when it was last wanted.

Nothing is written outside the run's own root and the other mounts, through links neither, and
nothing is deleted but extra files below a destination whose request says ``delete``.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from pydantic import JsonValue

from chalicelib.core.data_sync.requests import DataSyncRequest
from chalicelib.core.data_sync.selection import what_to_copy, what_to_delete
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.worker_documents import StageInOrder, TextFile
from chalicelib.ports import ObjectStore
from chalicelib.worker.fetching import Source, find_source, local_state
from chalicelib.worker.folders import make_folder_of, make_root
from chalicelib.worker.leftovers import move_aside
from chalicelib.worker.lock import locked
from chalicelib.worker.places import Place, Places
from chalicelib.worker.problems import problems_of
from chalicelib.worker.removal import names_of_files, remove_files
from chalicelib.worker.transfers import amount, in_parallel, say


class Staged(NamedTuple):
    """What one input consists of now, and how much of it had to be copied."""

    files: int = 0
    bytes: int = 0
    copied_files: int = 0
    copied_bytes: int = 0


def stage_in(
    order: StageInOrder,
    objects: ObjectStore,
    clock: Callable[[], datetime],
    lock: Callable[[Place], AbstractContextManager[None]] = locked,
    *,
    again_as: str | None = None,
) -> dict[str, JsonValue]:
    """Return ``{"files", "bytes", "params": {param: {…}}}``. Raises InvalidRequest.

    ``again_as``: the job's name, where what is in the root is to be moved aside first.
    """
    places = Places(order.mounts, order.root)
    with problems_of(order.root):
        if again_as is not None:
            move_aside(places.root, again_as)
        make_root(places.root)
    for file in order.files:
        with problems_of(file.path):
            write_text(file, places)
    staged: dict[str, Staged] = {}
    for sync in order.syncs:
        with problems_of(sync.param):
            place = places.find_open(sync.request.destination_path)
            _check_delete(sync.request, place)
            with lock(place) if sync.request.require_lock else nullcontext():
                staged[sync.param] = _bring(sync.param, sync.request, place, objects, clock())
    return {
        "files": sum(each.files for each in staged.values()),
        "bytes": sum(each.bytes for each in staged.values()),
        "params": {param: each._asdict() for param, each in staged.items()},
    }


def write_text(file: TextFile, places: Places) -> None:
    """Write a small file, by a temporary name; the job's user can read it."""
    place = places.find_open(file.path)
    make_folder_of(place.path, place)
    temporary = place.path.with_name(f".{place.path.name}.{os.getpid()}.part")
    temporary.unlink(missing_ok=True)
    with temporary.open("xb") as out:
        out.write(file.text.encode())
    temporary.chmod(0o644)
    temporary.replace(place.path)
    say(f"wrote {file.path}")


def _check_delete(request: DataSyncRequest, place: Place) -> None:
    if request.delete and place.path in {place.mount, place.bound}:
        raise InvalidRequest(
            f"delete: true in {request.destination_path!r} would take more than the input",
            value=request.destination_path,
            mend="give the input a folder of its own, or set delete to false",
        )


def _bring(
    param: str, request: DataSyncRequest, place: Place, objects: ObjectStore, started_at: datetime
) -> Staged:
    say(f"{param}: {request.source_path} to {request.destination_path}")
    source = find_source(objects, request)
    if source is None:
        say(f"{param}: nothing to copy, as the request allows")
        return Staged()
    targets = {name: source.target(name, place.path) for name in source.objects}
    _make_folders(source, targets, place)
    there = {name: state for name, path in targets.items() if (state := local_state(path))}
    wanted = what_to_copy(source.states(), there, force=request.force, size_only=request.size_only)

    def fetch(name: str) -> int:
        info, path = source.objects[name], targets[name]
        objects.download(info.uri, path)
        _set_time(path, max(started_at, info.modified_at))
        return path.stat().st_size

    sizes = in_parallel(fetch, wanted, threads=request.max_concurrency, name=param)
    for name in targets.keys() - set(wanted):
        _set_time(targets[name], max(started_at, there[name].modified_at))
    _delete_extra(param, request, source, place)
    total = sum(path.stat().st_size for path in targets.values())
    say(f"{param}: {amount(len(targets), total)}; copied {amount(len(wanted), sum(sizes))}")
    return Staged(len(targets), total, len(wanted), sum(sizes))


def _make_folders(source: Source, targets: dict[str, Path], place: Place) -> None:
    if source.is_folder:
        make_folder_of(place.path / "any", place)
    for path in {path.parent: path for path in targets.values()}.values():
        make_folder_of(path, place)


def _set_time(path: Path, at: datetime) -> None:
    # A shared file may belong to another user; that it cannot be touched does no harm.
    with contextlib.suppress(PermissionError):
        os.utime(path, (at.timestamp(), at.timestamp()), follow_symlinks=False)


def _delete_extra(param: str, request: DataSyncRequest, source: Source, place: Place) -> None:
    if not request.delete or not source.is_folder:
        return
    extra = what_to_delete(source.objects, names_of_files(place.path), delete=True)
    remove_files(place.mount, place.path.relative_to(place.mount), extra)
    if extra:
        say(f"{param}: deleted {len(extra)} files that the source does not have")
