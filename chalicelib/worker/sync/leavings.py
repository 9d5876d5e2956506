"""What a sync that was killed leaves behind: files half written, and sources half removed.

They have names of our own, so that no listing takes them for content. Half-written files go when
the next sync into the same folder has come to its end: at once where it holds the lock, else when
nobody can be writing them any more.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from chalicelib.worker.removal import remove
from chalicelib.worker.sync.local_tree import files_of

STALE_SECONDS: Final = 3600.0
"""A download writes all the time; one that has not for so long is dead. Our choice."""

TOMBSTONE: Final = ".falsework-moved-"
"""What the name of a source begins with while it is removed."""

MOVED: Final = ".falsework-moved.json"
"""The object in a source that says: everything older than this is copied and may go."""

DOWNLOAD: Final = ".falsework-download-"
"""What the name of a temporary folder begins with that one object is downloaded into."""

SHARED_NOTES: Final = ".falsework-shared"
"""The folder in which notes lie on the inputs beside it (``worker/shared_notes``)."""

_PARTIAL: Final = re.compile(r"\.[0-9a-f]{32}\.partial")
"""As ``atomic_files.replacing`` names them."""


def is_leaving(name: str) -> bool:
    """Tell whether a file of this name or path is one of ours, and no content."""
    last = name.rpartition("/")[2]
    return _PARTIAL.fullmatch(last) is not None or last == MOVED or is_note(name)


def is_note(name: str) -> bool:
    """Tell whether a file of this path lies among the notes on shared inputs."""
    return SHARED_NOTES in name and SHARED_NOTES in name.split("/")


def forget_downloads(folder: Path) -> None:
    """Remove what killed downloads have left in temporary folders here."""
    oldest = time.time() - STALE_SECONDS
    for left in folder.glob(f"{DOWNLOAD}*"):
        with suppress(FileNotFoundError):
            if max(each.lstat().st_mtime for each in (left, *left.iterdir())) < oldest:
                remove(folder, Path(left.name))


def settle(path: Path, at: float, *, is_locked: bool, hidden: Path | None = None) -> None:
    """Bring what arrived into its final state: no partial file is left, and no file is old.

    Everything is touched to at least ``at``, so that scans for outdated files see when all of
    it was last wanted; nothing in the folder ``hidden`` is.
    """
    if not path.is_dir():
        if path.lstat().st_mtime < at:
            _touch(str(path), at)
        return
    oldest = time.time() - STALE_SECONDS
    for file in files_of(path, hidden):
        if file.name.endswith(".partial") and is_leaving(file.name):
            if is_locked or file.modified_at < oldest:
                (path / file.name).unlink(missing_ok=True)
        elif file.modified_at < at and not is_note(file.name):
            _touch(f"{path}/{file.name}", at)


def _touch(path: str, at: float) -> None:
    # A shared file may belong to another user; that it cannot be touched does no harm.
    with suppress(PermissionError, FileNotFoundError):
        os.utime(path, (at, at), follow_symlinks=False)
