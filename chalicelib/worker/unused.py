"""Removing data paths, but not inputs that runs use: who removes one asks for its leases first.

The lock of the input is held meanwhile, so nobody can begin to use what is being removed. A folder
in which shared inputs lie is not removed itself; of what is in it, all goes that is not in use.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from chalicelib.core.errors import Unavailable
from chalicelib.worker.lock import LOCK_SUFFIX, locked
from chalicelib.worker.places import Place
from chalicelib.worker.removal import remove
from chalicelib.worker.shared_notes import SharedNotes
from chalicelib.worker.sync.leavings import SHARED_NOTES
from chalicelib.worker.transfers import say


class Removed(NamedTuple):
    """What became of a path."""

    size_bytes: int
    is_gone: bool
    """False where something of it had to stay."""


def remove_unused(path: Path, now: datetime) -> Removed:
    """Remove the tree at ``path``, whose folder is without links, as far as no run uses it."""
    if SHARED_NOTES in path.parts:
        say(f"kept {path}: it says who uses what")
        return Removed(0, is_gone=False)
    around = [notes for each in (path, *path.parents) if (notes := SharedNotes(each)).are_there]
    if around:
        return _remove_shared(around, path, now)
    shelves = tuple(_shelves(path))
    if not shelves:
        return Removed(remove(path.parent, Path(path.name)), is_gone=True)
    kept = [shelf.relative_to(path.parent) for shelf in shelves]
    size_bytes = remove(path.parent, Path(path.name), kept)
    for shelf in shelves:
        for each in sorted(shelf.iterdir()):
            if each.name != SHARED_NOTES and each.suffix != LOCK_SUFFIX:
                size_bytes += remove_unused(each, now).size_bytes
    say(f"kept {path}: it holds inputs that runs share")
    return Removed(size_bytes, is_gone=False)


def _remove_shared(around: Sequence[SharedNotes], path: Path, now: datetime) -> Removed:
    """Remove what is, or lies in, these inputs; it may hold others besides."""
    try:
        with ExitStack() as locks:
            for notes in around:
                locks.enter_context(_locked(notes.path))
            users = {user for notes in (*around, *_notes_below(path)) for user in notes.users(now)}
            if users:
                say(f"kept {path}: in use by {', '.join(sorted(users))}")
                return Removed(0, is_gone=False)
            size_bytes = remove(path.parent, Path(path.name))
            if path == around[0].path:
                around[0].remove()
            return Removed(size_bytes, is_gone=True)
    except Unavailable:
        say(f"kept {path}: it is being brought or removed")
        return Removed(0, is_gone=False)


def _locked(path: Path) -> AbstractContextManager[None]:
    return locked(Place(str(path), path.parent, path, path.parent), retry_seconds=0, tries=1)


def _notes_below(path: Path) -> Iterator[SharedNotes]:
    for shelf in _shelves(path):
        for notes in (shelf / SHARED_NOTES).iterdir():
            yield SharedNotes(shelf / notes.name)


def _shelves(path: Path) -> Iterator[Path]:
    """The folders at or below ``path`` in which shared inputs lie; none of them in another."""
    if path.is_symlink():
        return
    for inner, folders, _ in os.walk(path):
        if SHARED_NOTES in folders:
            folders.clear()
            yield Path(inner)
