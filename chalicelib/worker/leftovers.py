"""What attempts before this one left behind, moved out of the way of the next.

::

    <mount>/run-1                                       the run's own root
    <mount>/.falsework-leftovers/run-1/<job name>       as that job found it

One atomic rename takes the whole root aside, whatever a job has half written in it; nothing is
looked at, copied or merged. The job that moves it is the target's name, so whoever is killed and
started again under that name finds the target there and leaves alone what he has begun to stage.
They are removed with the root, and by nobody else. Links are not followed, here as everywhere.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from chalicelib.core.batch_rules import is_batch_name
from chalicelib.core.errors import InvalidRequest, Misconfigured
from chalicelib.core.worker_documents import LEFTOVERS
from chalicelib.worker.folders import lstat, open_writable, opened, set_mode
from chalicelib.worker.places import Place
from chalicelib.worker.removal import remove
from chalicelib.worker.transfers import say

FOR_EVERY_RUN: Final = 0o1777
"""As /tmp: any worker, whoever it runs as, makes a folder in it; only its owner moves that."""

FOR_ONE_RUN: Final = 0o700


def move_aside(root: Place, job_name: str) -> None:
    """Leave no root; a repeat under the same job name changes nothing.

    Raises InvalidRequest if the root is a link, or is reached through one.
    """
    # It becomes a part of a path.
    if not is_batch_name(job_name):
        raise Misconfigured(f"the job is called {job_name!r}, as no job can be")
    if not _is_there(root):
        return
    _make(root)
    with (
        opened(root.mount, _beside(root)) as folder,
        opened(root.mount, leftovers_of(root)) as own,
    ):
        if lstat(own, job_name) is None:
            _move(folder, root.path.name, own, job_name)
            say(f"moved {root.text} aside to {leftovers_of(root) / job_name}")


def remove_leftovers(root: Place) -> int:
    """Remove all that was ever moved aside for this root; return its bytes."""
    return remove(root.mount, leftovers_of(root))


def leftovers_of(root: Place) -> Path:
    """Return where they are, relative to the root's mount."""
    return _beside(root) / LEFTOVERS / root.path.name


def _beside(root: Place) -> Path:
    """The folder that the root is in: a rename within it stays on one file system."""
    return root.path.parent.relative_to(root.mount)


def _is_there(root: Place) -> bool:
    try:
        with opened(root.mount, _beside(root)) as folder:
            found = lstat(folder, root.path.name)
    except FileNotFoundError:
        return False
    if found is not None and stat.S_ISLNK(found.st_mode):
        raise InvalidRequest(
            f"{str(root.path)!r} is a symbolic link", value=root.text, mend="remove the link"
        )
    return found is not None


def _make(root: Place) -> None:
    path = leftovers_of(root)
    for each, mode in ((path.parent, FOR_EVERY_RUN), (path, FOR_ONE_RUN)):
        with opened(root.mount, each.parent) as folder, suppress(FileExistsError):
            os.mkdir(each.name, mode, dir_fd=folder)
        with opened(root.mount, each) as handle:
            if stat.S_IMODE(os.fstat(handle).st_mode) & 0o1777 != mode:
                set_mode(handle, mode)


def _move(folder: int, name: str, own: int, job_name: str) -> None:
    # To move a folder elsewhere is to write into it (its ``..``); the job may have forbidden that.
    with suppress(NotADirectoryError):
        os.close(open_writable(folder, name))
    os.rename(name, job_name, src_dir_fd=folder, dst_dir_fd=own)
