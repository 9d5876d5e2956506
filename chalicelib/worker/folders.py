"""Folders reached step by step, so that no symbolic link is ever followed, and made for others.

Every step goes from an open folder to an entry of it (``dir_fd``), so a folder that is swapped
for a link after we looked cannot lead us elsewhere: opening it fails.

What is made inside the run's own root is open to everybody: the user's container writes there too,
as whoever its image says. Outside of it nothing's mode is ever changed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from chalicelib.core.errors import InvalidRequest
from chalicelib.worker.places import Place, check_bound

OPEN_TO_ALL: Final = 0o777
"""Without the sticky bit, so that a job may also rename and remove what we have put there."""

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def opened(mount: Path, folder: Path) -> Iterator[int]:
    """Open a folder below ``mount``, each step from the last one, links refused."""
    handle = os.open(mount, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in folder.parts:
            try:
                inner = os.open(part, _FOLDER, dir_fd=handle)
            except NotADirectoryError as exc:
                raise InvalidRequest(
                    f"{str(folder)!r} passes through {part!r}, which is a link or a file",
                    value=str(folder),
                    mend="give the path that the link leads to",
                ) from exc
            os.close(handle)
            handle = inner
        yield handle
    finally:
        os.close(handle)


def open_writable(folder: int, name: str) -> int:
    """Open the folder of that name for changing it, which its mode may forbid to its owner.

    Tools like module caches leave such folders.
    """
    try:
        handle = os.open(name, _FOLDER, dir_fd=folder)
    except PermissionError:
        os.chmod(name, stat.S_IRWXU, dir_fd=folder)
        handle = os.open(name, _FOLDER, dir_fd=folder)
    with suppress(PermissionError):
        if os.fstat(handle).st_mode & stat.S_IRWXU != stat.S_IRWXU:
            os.fchmod(handle, stat.S_IRWXU)
    return handle


def lstat(folder: int, name: str) -> os.stat_result | None:
    """Return what the entry of that name is, a link not followed; None if it is missing."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def make_root(root: Place) -> None:
    """Create the run's own root, empty if it is new. Raises InvalidRequest if it is a link."""
    make_folder_of(root.path / "any", root)


def make_folder_of(path: Path, place: Place) -> None:
    """Create the folder that ``path`` is in, with those above it; it stays within the bound."""
    check_bound(path, place)
    path.parent.mkdir(parents=True, exist_ok=True)
    if place.bound != place.mount:
        _open_to_all(path.parent, place)


def _open_to_all(folder: Path, place: Place) -> None:
    # An image need not run as the worker's user, and on EFS without a PosixUser it could not write
    # into its own working directory then. A chmod, since mkdir's mode is cut by the umask; and of
    # what was there before too, since a worker may be killed between the two.
    real = Path(os.path.realpath(folder))
    for each in (real, *real.parents):
        if not each.is_relative_to(place.bound):
            break
        if each.stat().st_mode & (OPEN_TO_ALL | stat.S_ISVTX) != OPEN_TO_ALL:
            with opened(place.mount, each.relative_to(place.mount)) as handle:
                set_mode(handle, OPEN_TO_ALL)


def set_mode(handle: int, mode: int) -> None:
    """Give an open folder this mode, unless it is another user's, who may have meant his."""
    with suppress(PermissionError):
        # Whether new files get the folder's group is the file system's own affair.
        os.fchmod(handle, mode | os.fstat(handle).st_mode & stat.S_ISGID)
