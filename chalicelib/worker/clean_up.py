"""Clean up: the run's own files are removed, and nothing else.

A path of the order is removed if it is the run's own root or lies below it, as text and without
passing through a link; any other (a cached input that runs share) is kept and reported. While the
outputs have not been saved they are kept too, together with everything in the root that links in
them lead to: stage-out follows such links, so the output is not whole without.

What earlier attempts left behind (``leftovers``) goes with the root, be outputs saved or not:
stage-out never stores anything of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import JsonValue

from chalicelib.core.errors import InvalidRequest
from chalicelib.core.worker_documents import CleanUpOrder
from chalicelib.worker.leftovers import leftovers_of, remove_leftovers
from chalicelib.worker.places import Place, Places
from chalicelib.worker.removal import remove
from chalicelib.worker.shared_input import release_shared
from chalicelib.worker.transfers import say

MOST_LINKS = 40
"""What Linux follows in one path (MAXSYMLINKS, path_resolution(7))."""


def clean_up(order: CleanUpOrder, *, keep_outputs: bool) -> dict[str, JsonValue]:
    """Return ``{"size_bytes_removed", "paths_removed", "paths_kept"}``, paths as in the order.

    A path that is missing counts as removed. Raises InvalidRequest if the order's root is not
    strictly below a mount; then nothing has been removed.
    """
    places = Places(order.mounts, order.root)
    release_shared(order.shared_inputs, places)
    kept = _needed(order.outputs, places) if keep_outputs else frozenset()
    size_bytes = 0
    removed: list[JsonValue] = []
    left: list[JsonValue] = []
    for text in dict.fromkeys(order.paths):
        try:
            place = _own(text, places)
            if place.path == places.root.path:
                size_bytes += _remove_leftovers(places.root)
            size_bytes += _remove(place, kept)
        except InvalidRequest as exc:
            say(f"kept {text}: {exc.message}")
            left.append(text)
        else:
            removed.append(text)
    if keep_outputs:
        left += [text for text in order.outputs if text not in left]
    say(f"removed {size_bytes:,} bytes in {len(removed)} paths, kept {len(left)} paths")
    return {"size_bytes_removed": size_bytes, "paths_removed": removed, "paths_kept": left}


def _own(text: str, places: Places) -> Place:
    place = places.find(text)
    if not places.is_own(text):
        raise InvalidRequest(f"it lies outside of the run's own root {places.root.text}")
    return place


def _remove(place: Place, kept: frozenset[Path]) -> int:
    path = place.path.relative_to(place.mount)
    if any(path.is_relative_to(each) for each in kept):
        raise InvalidRequest("it belongs to an output that has not been saved")
    size_bytes = remove(place.mount, path, kept)
    say(f"removed {place.text}: {size_bytes:,} bytes")
    return size_bytes


def _remove_leftovers(root: Place) -> int:
    try:
        size_bytes = remove_leftovers(root)
    except InvalidRequest as exc:
        say(f"kept {leftovers_of(root)}: {exc.message}")
        return 0
    if size_bytes:
        say(f"removed {leftovers_of(root)}: {size_bytes:,} bytes")
    return size_bytes


def _needed(outputs: tuple[str, ...], places: Places) -> frozenset[Path]:
    """Everything in the run's root that the outputs consist of, relative to its mount."""
    needed: set[Path] = set()
    waiting = [places.find(text).path for text in outputs if places.is_own(text)]
    while waiting:
        for path in _trail(waiting.pop()):
            if path not in needed and path.is_relative_to(places.root.path):
                needed.add(path)
                waiting.extend(_links_below(path))
    return frozenset(path.relative_to(places.root.mount) for path in needed)


def _trail(path: Path) -> Iterator[Path]:
    """Yield every link that is passed on the way to ``path``, and where the way ends."""
    current, parts, links = Path("/"), list(path.parts[1:]), 0
    while parts:
        part = parts.pop(0)
        step = current.parent if part == ".." else current / part
        if step.is_symlink() and links < MOST_LINKS:
            links += 1
            yield step
            target = step.readlink()
            parts[:0] = target.parts[1:] if target.is_absolute() else target.parts
            current = Path("/") if target.is_absolute() else current
        else:
            current = step
    yield current


def _links_below(folder: Path) -> Iterator[Path]:
    if folder.is_symlink():
        return
    for inner, folders, files in os.walk(folder):
        yield from (path for name in folders + files if (path := Path(inner) / name).is_symlink())
