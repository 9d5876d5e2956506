"""The Carrier of the embedded home: folders on both sides.

One file after the other: a disk is not faster for being asked for several at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from chalicelib.carriers import Entry, Transfer
from chalicelib.core.errors import InvalidRequest, NotFound
from chalicelib.local.object_store import LocalObjectStore


class LocalCarrier:
    """Moves files between folders that hold objects and folders that hold files."""

    def __init__(self, objects: LocalObjectStore) -> None:
        self._objects = objects

    def list(self, uri: str) -> Iterator[Entry]:
        """Yield by key; there are no ETags here, size and time have to do."""
        return (Entry(*info, etag=None) for info in self._objects.list(uri))

    def head(self, uri: str) -> Entry | None:
        """Look at the one file."""
        first = next(self.list(uri), None)
        return first if first is not None and first.uri == uri else None

    def transfer(
        self,
        transfers: Iterable[Transfer],
        *,
        concurrency: int,  # noqa: ARG002 -- see above
        done: Callable[[Transfer], None],
        moved: Callable[[int], None] = lambda _size_bytes: None,
        temporary: Path | None = None,
    ) -> None:
        """Copy them in turn."""
        for transfer in transfers:
            size_bytes = self._bring(transfer.source, transfer.destination, temporary)
            moved(size_bytes)
            done(transfer)

    def remove(self, uris: Iterable[str]) -> None:
        """Remove one after the other."""
        for uri in uris:
            self._objects.remove(uri)

    def read(self, uri: str) -> bytes:
        """Return the object's content. Raises NotFound."""
        return self._objects.read(uri)

    def write(self, uri: str, content: bytes, tags: Mapping[str, str] | None = None) -> None:  # noqa: ARG002 -- folders have no tags
        """Put the object."""
        self._objects.write(uri, content)

    def _bring(self, source: str, destination: str, temporary: Path | None) -> int:
        match source.startswith("s3://"), destination.startswith("s3://"):
            case True, True:
                self._objects.copy(source, destination)
                return self._size(destination)
            case True, False:
                return self._download(source, Path(destination), temporary)
            case _:
                return self._upload(Path(source), destination)

    def _download(self, uri: str, path: Path, temporary: Path | None) -> int:
        staged = (temporary or path.parent) / f".{uuid4().hex}.partial"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._objects.download(uri, staged)
            staged.replace(path)
        except (FileExistsError, IsADirectoryError, NotADirectoryError) as exc:
            raise InvalidRequest(
                f"{str(path)!r} cannot be a file: {exc.strerror}",
                value=str(path),
                mend="a folder, or a file that would have to be one, is in its way",
            ) from exc
        finally:
            with suppress(NotADirectoryError):
                staged.unlink(missing_ok=True)
        return path.stat().st_size

    def _upload(self, path: Path, uri: str) -> int:
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise InvalidRequest(
                f"{str(path)!r} is a link, a folder or the like",
                value=str(path),
                mend="name a regular file",
            )
        if not path.exists():
            raise NotFound(f"there is no file {str(path)!r}")
        self._objects.upload(path, uri)
        return path.stat().st_size

    def _size(self, uri: str) -> int:
        found = self.head(uri)
        return found.size_bytes if found else 0
