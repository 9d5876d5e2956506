"""The Contents of the embedded home: files are read where they are, and nobody links to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from chalicelib.core.errors import NotFound, Unavailable
from chalicelib.local.object_store import LocalObjectStore

CHUNK_BYTES: Final = 256 * 1024


class LocalContents:
    """Reads out of the folders of the object store."""

    def __init__(self, objects: LocalObjectStore) -> None:
        self._objects = objects

    def chunks(self, uri: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield until the end, or until ``length`` bytes have come."""
        path = self._objects.path_of(uri)
        try:
            with path.open("rb") as file:
                file.seek(start)
                left = length
                while chunk := file.read(CHUNK_BYTES if left is None else min(CHUNK_BYTES, left)):
                    left = None if left is None else left - len(chunk)
                    yield chunk
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as exc:
            raise NotFound(f"there is no object {uri!r}") from exc
        except OSError as exc:
            raise Unavailable(f"{uri!r}: {exc}") from exc

    def link(self, uri: str, name: str, mime_type: str) -> str | None:  # noqa: ARG002 -- the port
        """Return None: whoever asks is given the bytes."""
        return None

    def put(self, uri: str, pieces: Iterable[bytes], most_bytes: int) -> int:  # noqa: ARG002 -- the port
        """Write a file elsewhere, and put it when it is whole."""
        with TemporaryDirectory() as folder:
            path = Path(folder) / "object"
            with path.open("wb") as file:
                size = sum(file.write(piece) for piece in pieces)
            self._objects.upload(path, uri)
        return size
