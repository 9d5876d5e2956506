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

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import NamedTuple

from pydantic import JsonValue

from chalicelib.carriers import Carrier
from chalicelib.core.worker_documents import ParameterSync, StageInOrder, TextFile
from chalicelib.worker.folders import make_folder_of, make_root
from chalicelib.worker.input_sync import bring_input
from chalicelib.worker.leftovers import move_aside
from chalicelib.worker.lock import locked
from chalicelib.worker.places import Place, Places
from chalicelib.worker.problems import problems_of
from chalicelib.worker.shared_input import bring_shared, is_shared
from chalicelib.worker.transfers import amount, say


class Staged(NamedTuple):
    """What one input consists of now, and how much of it had to be copied."""

    files: int = 0
    bytes: int = 0
    copied_files: int = 0
    copied_bytes: int = 0


def stage_in(
    order: StageInOrder,
    carrier: Carrier,
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
            with lock(place) if sync.request.require_lock else nullcontext():
                staged[sync.param] = _bring(sync, places, carrier, clock())
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


def _bring(sync: ParameterSync, places: Places, carrier: Carrier, started_at: datetime) -> Staged:
    param, request = sync.param, sync.request
    say(f"{param}: {request.source_path} to {request.destination_path}")
    bring = bring_shared if is_shared(request, places) else bring_input
    planned = bring(param, request, places, carrier, started_at)
    if planned is None:
        say(f"{param}: nothing to copy, as the request allows")
        return Staged()
    copied = planned.plan.transferred
    total = copied.and_all(planned.plan.kept)
    say(f"{param}: {amount(*total)}; copied {amount(*copied)}")
    return Staged(*total, *copied)
