"""The local end of a transfer: files that are read, and files that are complete or absent.

As ``atomic_files.replacing``, in as few steps as can be, for there may be thousands of files a
second; and without a flush of each to the disk: close() hands a file to EFS, and what a machine
that loses its power loses is brought again by the next sync, for its size is wrong.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from chalicelib.core.errors import FalseworkError, InvalidRequest, NotFound, Unavailable

_NO_SUCH_PLACE: Final = frozenset(
    {errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY, errno.ENAMETOOLONG}
)
_READING: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
"""A pipe that nobody writes to must not hold a thread for ever."""
_WRITING: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def opened_to_read(path: str) -> Iterator[int]:
    """Lend a descriptor. Raises NotFound, and InvalidRequest for a link or what is no file."""
    try:
        descriptor = os.open(path, _READING)
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise NotFound(f"there is no file {path!r}") from exc
    except OSError as exc:
        if exc.errno == errno.ELOOP:
            raise _no_file(path) from exc
        raise Unavailable(f"{path!r}: {exc}") from exc
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _no_file(path)
        yield descriptor
    except OSError as exc:
        raise _local_trouble(path, exc) from exc
    finally:
        os.close(descriptor)


@contextmanager
def replacing(path: str, temporary: Path | None) -> Iterator[int]:
    """Lend a descriptor of a new file, which becomes ``path`` at the end and else goes away.

    It lies in ``temporary``, on the same file system, or beside ``path``; the folder of ``path``
    is made.
    """
    folder = os.path.dirname(path) if temporary is None else str(temporary)  # noqa: PTH120 -- faster
    partial = f"{folder}/.{os.urandom(16).hex()}.partial"
    try:
        descriptor = _opened(partial)
        try:
            yield descriptor
            os.close(descriptor)
            descriptor = -1
            _renamed(partial, path)
        except BaseException:
            if descriptor != -1:
                os.close(descriptor)
            with suppress(FileNotFoundError):
                os.unlink(partial)  # noqa: PTH108 -- faster
            raise
    except OSError as exc:
        if isinstance(exc, FalseworkError):
            raise
        raise _local_trouble(path, exc) from exc


def write_all(descriptor: int, content: memoryview | bytes, start: int = 0) -> None:
    """Write the bytes at that place of the file, however many calls it takes."""
    rest = memoryview(content)
    while rest:
        written = os.pwrite(descriptor, rest, start)
        rest, start = rest[written:], start + written


def _opened(partial: str) -> int:
    try:
        return os.open(partial, _WRITING, 0o666)
    except FileNotFoundError:
        Path(partial).parent.mkdir(parents=True, exist_ok=True)
        return os.open(partial, _WRITING, 0o666)


def _renamed(partial: str, path: str) -> None:
    try:
        os.rename(partial, path)  # noqa: PTH104 -- faster
    except FileNotFoundError:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        os.rename(partial, path)  # noqa: PTH104


def _no_file(path: str) -> InvalidRequest:
    return InvalidRequest(
        f"{path!r} is a link, a folder or the like", value=path, mend="name a regular file"
    )


def _local_trouble(path: str, exc: OSError) -> FalseworkError:
    if exc.errno in _NO_SUCH_PLACE:
        return InvalidRequest(
            f"{path!r} cannot be a file: {exc.strerror}",
            value=path,
            mend="a folder, or a file that would have to be one, is in its way",
        )
    return Unavailable(f"{path!r}: {exc}")
