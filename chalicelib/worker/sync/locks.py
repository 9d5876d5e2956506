"""One sync at a time into a destination that several want: an advisory lock (section 8.4).

The lock lies beside the destination, or under a name made of its path in the folder for all locks.
A whole mount has nothing beside it that is on the same file system: its lock lies in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from chalicelib.worker.lock import locked
from chalicelib.worker.places import Place
from chalicelib.worker.sync.locations import LocalPlace

Lock = Callable[[LocalPlace], AbstractContextManager[None]]


def lock_in(lock_root: Path | None = None) -> Lock:
    """Return what locks a destination: in ``lock_root``, or beside it. Raises Unavailable."""

    def lock(destination: LocalPlace) -> AbstractContextManager[None]:
        return locked(_lock_place(destination, lock_root))

    return lock


def _lock_place(destination: LocalPlace, lock_root: Path | None) -> Place:
    path = destination.path
    if lock_root is not None:
        digest = hashlib.sha256(str(path).encode(errors="surrogateescape")).hexdigest()
        folder = Path(lock_root).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        return Place(destination.text, folder, folder / digest, folder)
    if path == destination.bound:
        return Place(destination.text, path, path / ".falsework-sync", path)
    return Place(destination.text, path.parent, path, path.parent)
