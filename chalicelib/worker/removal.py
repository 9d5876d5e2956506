"""Removing files without ever following a symbolic link, whoever moves what at the same time.

Every step goes from an open folder to an entry of it (``folders``). A link is removed itself. What
is missing is removed already.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

from chalicelib.worker.folders import lstat, open_writable, opened

DEEPEST: Final = 64
"""Folders nested deeper are first moved up, so that neither the stack nor the open files run out;
our choice."""


def remove(mount: Path, path: Path, kept: Collection[Path] = ()) -> int:
    """Remove the tree at ``path`` below ``mount``; return the bytes of its regular files.

    ``kept`` (paths below ``mount``, relative, as ``path``) stay with all that is in them and all
    folders they are in. Raises InvalidRequest if a folder on the way to ``path`` is a link.
    """
    if any(path.is_relative_to(each) for each in kept):
        return 0
    removal = _Removal(kept)
    try:
        with opened(mount, path.parent) as folder:
            return removal.entry(folder, path, 0)
    except FileNotFoundError:
        return 0


def names_of_files(folder: Path) -> Iterator[str]:
    """Yield the names, below ``folder``, of everything that is not a folder itself."""
    for inner, folders, files in os.walk(folder):
        links = [name for name in folders if (Path(inner) / name).is_symlink()]
        for name in files + links:
            yield (Path(inner) / name).relative_to(folder).as_posix()


def remove_files(mount: Path, folder: Path, names: Iterable[str]) -> None:
    """Remove these files below a folder, and the folders that are empty then."""
    for name in names:
        path = folder / name
        with suppress(FileNotFoundError), opened(mount, path.parent) as handle:
            os.unlink(path.name, dir_fd=handle)
        for parent in path.relative_to(folder).parents:
            if parent != Path() and not _rmdir(mount, folder / parent):
                break


def remove_empty(mount: Path, folder: Path) -> None:
    """Remove the folder at this path below ``mount`` if no file is in it or below it.

    What is no folder, or is not empty, stays: whoever wants its place says so better.
    """
    top = mount / folder
    if top.is_dir() and not top.is_symlink():
        for inner, _, _ in os.walk(top, topdown=False):
            _rmdir(mount, Path(inner).relative_to(mount))


def _rmdir(mount: Path, folder: Path) -> bool:
    try:
        with opened(mount, folder.parent) as handle:
            os.rmdir(folder.name, dir_fd=handle)
    except OSError:
        return False
    return True


class _Removal:
    """The state of one removal: what is kept, and how many folders have been moved up."""

    def __init__(self, kept: Collection[Path]) -> None:
        self._kept = frozenset(kept)
        self._above_kept = frozenset(parent for path in kept for parent in path.parents)
        self._moved = 0
        self._tops: list[int] = []

    def entry(self, folder: int, path: Path, depth: int) -> int:
        """Remove the entry of that name from the open folder; return its bytes."""
        if path in self._kept:
            return 0
        found = lstat(folder, path.name)
        if found is None:
            return 0
        if not stat.S_ISDIR(found.st_mode):
            with suppress(FileNotFoundError):
                os.unlink(path.name, dir_fd=folder)
            return found.st_size if stat.S_ISREG(found.st_mode) else 0
        if depth > DEEPEST and path not in self._above_kept:
            self._move_up(folder, path.name)
            return 0
        handle = open_writable(folder, path.name)
        try:
            size_bytes = self._content(handle, path, depth)
        finally:
            os.close(handle)
        if path not in self._above_kept:
            os.rmdir(path.name, dir_fd=folder)
        return size_bytes

    def _content(self, handle: int, path: Path, depth: int) -> int:
        if depth == 0:
            self._tops.append(handle)
        size_bytes, before = 0, -1
        # What was moved up while the others were removed is found by looking again.
        while before != self._moved:
            before = self._moved
            for name in os.listdir(handle):
                size_bytes += self.entry(handle, path / name, depth + 1)
            if depth:
                break
        return size_bytes

    def _move_up(self, folder: int, name: str) -> None:
        self._moved += 1
        moved = f".falsework-removing-{uuid4().hex}"
        os.rename(name, moved, src_dir_fd=folder, dst_dir_fd=self._tops[0])
