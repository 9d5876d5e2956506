"""Files that are complete or absent: written under another name, made durable, then renamed."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

COPY_BYTES: Final = 1024 * 1024
"""What a copy holds in memory at a time."""


def make_open_folder(folder: Path) -> None:
    """Create the folder, and those above it that are missing, open to every user.

    It is the working directory of a job, whose image need not run as our user. A chmod, for
    mkdir's mode is cut by the umask.
    """
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for each in missing:
        each.chmod(0o777)


def write_atomically(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Replace ``path`` by a file of that content; a reader sees the old one or the new one."""
    with replacing(path, path.parent, mode=mode) as file:
        file.write(content)


@contextmanager
def replacing(path: Path, partial_folder: Path, *, mode: int = 0o666) -> Iterator[BinaryIO]:
    """Lend a new file in ``partial_folder`` (same file system), which becomes ``path`` at the end.

    After an exception nothing has changed and nothing is left behind.
    """
    partial = partial_folder / f".{uuid.uuid4().hex}.partial"
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
