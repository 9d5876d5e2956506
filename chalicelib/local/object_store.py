"""Objects in folders: ``s3://BUCKET/KEY`` is the file ``ROOT/s3/BUCKET/KEY``.

Users look at these folders and drop files into them; so there is no index and no metadata, the
files are the truth. Objects appear by renaming, out of ``ROOT/s3/.partial``, which no bucket can
be called. What S3 can and folders cannot is refused in words: an object ``a`` beside ``a/b``.
Symbolic links are never followed below ``ROOT/s3``: one could lead out of ROOT, or in circles.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from chalicelib.atomic_files import COPY_BYTES, replacing
from chalicelib.core.errors import InvalidRequest, NotFound, Unavailable
from chalicelib.core.limits import FILE_NAME_BYTES
from chalicelib.core.object_names import ObjectName, parse_object, parse_prefix, refused
from chalicelib.ports import ObjectInfo

_PLACING_TRIES = 100
"""A folder just made may be taken away by a removal before the file is in it; so: again."""


class LocalObjectStore:
    """The ObjectStore of the embedded home."""

    def __init__(self, root: Path) -> None:
        self._folder = root.resolve() / "s3"
        self._partial = self._folder / ".partial"

    def list(self, uri: str) -> Iterator[ObjectInfo]:
        """Yield by key in the order of its UTF-8 bytes; only open folders are held in memory.

        ``uri`` is checked at once, not at the first ``next``.
        """
        name = parse_prefix(uri)
        return _entries(self._path(name), name.uri, is_prefix=uri.endswith("/"))

    def read(self, uri: str) -> bytes:
        """Return the object's content. Raises NotFound."""
        with _reading(uri):
            return self._path(parse_object(uri)).read_bytes()

    def write(self, uri: str, content: bytes) -> None:
        """Put the object."""

        def place(path: Path) -> None:
            with replacing(path, self._partial) as file:
                file.write(content)

        self._place(uri, place)

    def download(self, uri: str, path: Path) -> None:
        """Write the object to the file, making the folders that it needs."""
        with _reading(uri), self._path(parse_object(uri)).open("rb") as source:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path, path.parent) as file:
                shutil.copyfileobj(source, file, COPY_BYTES)

    def upload(self, path: Path, uri: str) -> None:
        """Put the file's content. Raises InvalidRequest where there is no such file."""
        if not path.is_file():
            raise InvalidRequest(f"{path} is not a file", field="path", value=str(path))

        def place(target: Path) -> None:
            with path.open("rb") as source, replacing(target, self._partial) as file:
                shutil.copyfileobj(source, file, COPY_BYTES)

        self._place(uri, place)

    def copy(self, source: str, destination: str) -> None:
        """Put the content of one object as another. Raises NotFound."""
        path = self._path(parse_object(source))
        if not path.is_file():
            raise NotFound(f"there is no object {source!r}")
        self.upload(path, destination)

    def remove(self, uri: str) -> None:
        """Remove the object, and the folders that it leaves empty: folders are not objects."""
        name = parse_object(uri)
        path = self._path(name)
        with suppress(NotFound), _reading(uri):
            path.unlink()
        bucket = self._folder / name.bucket
        for folder in path.parents:
            if folder == bucket or not _is_removed(folder):
                return

    def path_of(self, uri: str) -> Path:
        """Return the object's file, be it there or not. Raises InvalidRequest."""
        return self._path(parse_object(uri))

    def _place(self, uri: str, place: Callable[[Path], None]) -> None:
        path = self._path(parse_object(uri))
        with _writing(uri):
            self._partial.mkdir(parents=True, exist_ok=True)
            for last in reversed(range(_PLACING_TRIES)):
                try:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    place(path)
                    break
                except (FileNotFoundError, FileExistsError):
                    if not last:  # mkdir says "exists" too where it did, a moment before
                        raise
                except IsADirectoryError:
                    if not last or not _is_removed(path):
                        raise

    def _path(self, name: ObjectName) -> Path:
        if any(len(segment.encode()) > FILE_NAME_BYTES for segment in name.key.split("/")):
            raise refused(name.uri, f"a folder's names have at most {FILE_NAME_BYTES} bytes")
        path = self._folder / name.bucket / name.key
        if os.path.realpath(path) != str(path):
            raise InvalidRequest(
                f"{name.uri!r} is, or lies behind, a symbolic link; these are not followed",
                field="uri",
                value=name.uri,
                mend="put a copy of the file in its place",
            )
        return path


def _entries(path: Path, uri: str, *, is_prefix: bool) -> Iterator[ObjectInfo]:
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    if stat.S_ISDIR(mode):
        yield from _walk(path, uri)
    elif not is_prefix:
        yield _info(path, uri)


def _walk(folder: Path, uri: str) -> Iterator[ObjectInfo]:
    """Yield what is in the folder. ``a-b`` < ``a/b`` < ``a0``: a folder sorts as its name + /."""
    open_folders = [_sorted_entries(folder, uri)]
    while open_folders:
        entry = next(open_folders[-1], None)
        if entry is None:
            open_folders.pop()
            continue
        path, entry_uri = entry
        if entry_uri.endswith("/"):
            open_folders.append(_sorted_entries(path, entry_uri.removesuffix("/")))
            continue
        try:
            yield _info(path, entry_uri)
        except FileNotFoundError:
            continue  # removed since its folder was read


def _sorted_entries(folder: Path, uri: str) -> Iterator[tuple[Path, str]]:
    """Yield (path, uri) by name; a folder's uri ends with a slash."""
    names = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                _check_entry(entry, folder)
                is_folder = entry.is_dir(follow_symlinks=False)
                names.append(f"{entry.name}/" if is_folder else entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return  # removed since its parent was read
    for name in sorted(names):
        yield folder / name, f"{uri}/{name}"


def _check_entry(entry: os.DirEntry[str], folder: Path) -> None:
    """Refuse what cannot be an object, for a listing that leaves it out would be a lie."""
    is_plain = entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)
    try:
        entry.name.encode()
    except UnicodeEncodeError:
        is_plain = False
    if not is_plain:
        raise InvalidRequest(
            f"{folder!s}: {entry.name!r} is a symbolic link, not a regular file,"
            " or its name is not UTF-8",
            field="uri",
            value=entry.name,
            mend="put a copy of the file in its place, or take it away",
        )


def _info(path: Path, uri: str) -> ObjectInfo:
    status = path.lstat()
    return ObjectInfo(uri, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))


def _is_removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except OSError:
        return False
    return True


@contextmanager
def _reading(uri: str) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as exc:
        raise NotFound(f"there is no object {uri!r}") from exc
    except OSError as exc:
        raise Unavailable(f"{uri!r}: {exc}") from exc


@contextmanager
def _writing(uri: str) -> Iterator[None]:
    try:
        yield
    except (FileExistsError, IsADirectoryError, NotADirectoryError) as exc:
        raise InvalidRequest(
            f"{uri!r} cannot be held beside other objects here: in the embedded home a bucket is"
            " a folder, so a key cannot be an object and the beginning of other keys at once",
            field="uri",
            value=uri,
            mend="choose another key",
        ) from exc
    except OSError as exc:
        raise Unavailable(f"{uri!r}: {exc}") from exc
