"""A small world for data syncs: a store in memory that can die at any call, and real folders."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from chalicelib.carriers import Entry, Transfer
from chalicelib.core.data_sync.requests import DataSyncRequest
from chalicelib.core.errors import InvalidRequest, NotFound
from chalicelib.core.worker_documents import MountedVolume
from chalicelib.worker.sync.locations import Locations
from chalicelib.worker.sync.syncing import DataSync, SyncReport

FS = "fs-0a1000000000000a"
LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)
B = "s3://bkt"


class Died(BaseException):
    """The process was killed: nothing may catch this."""


class FakeCarrier:
    """A store in memory: every object, listing entry and removal is one step that can be the last.

    ``dies_at`` n: the step of that number raises Died, before its effect or after it, as does
    every one that follows. A download that dies leaves a partial file behind, as a real one does.
    """

    def __init__(self, has_etags: bool = True):
        self.content: dict[str, bytes] = {}
        self.modified: dict[str, datetime] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.steps: list[tuple[str, str]] = []
        self.temporary: list[Path | None] = []
        self.dies_at: int | None = None
        self.dies_after_effect = False
        self.now = NOW
        self._has_etags = has_etags
        self._lock = threading.RLock()

    def put(self, uri: str, content: bytes, modified_at: datetime = LONG_AGO) -> None:
        self.content[uri] = content
        self.modified[uri] = modified_at

    def list(self, uri: str) -> Iterator[Entry]:
        bare = uri.rstrip("/")
        self._step("list", uri, lambda: None)
        for each in sorted(self.content):
            is_exact = each == bare and not uri.endswith("/")
            if is_exact or each.startswith(bare + "/"):
                yield self._entry(each)

    def head(self, uri: str) -> Entry | None:
        self._step("head", uri, lambda: None)
        return self._entry(uri) if uri in self.content else None

    def transfer(
        self,
        transfers: Iterable[Transfer],
        *,
        concurrency: int,
        done: Callable[[Transfer], None],
        moved: Callable[[int], None] = lambda _size: None,
        temporary: Path | None = None,
    ) -> None:
        assert concurrency >= 1
        self.temporary.append(temporary)
        for each in transfers:
            self._bring(each, temporary)
            moved(each.size_bytes)
            done(each)

    def remove(self, uris: Iterable[str]) -> None:
        for uri in uris:
            self._step("remove", uri, lambda uri=uri: self.content.pop(uri, None))

    def read(self, uri: str) -> bytes:
        return self._step("read", uri, lambda: self._get(uri))

    def write(self, uri: str, content: bytes, tags: Mapping[str, str] | None = None) -> None:
        self._step("write", uri, lambda: self.put(uri, content, self.now))
        self.tags[uri] = dict(tags or {})

    def _bring(self, each: Transfer, temporary: Path | None) -> None:
        if each.destination.startswith("s3://"):
            is_copy = each.source.startswith("s3://")
            body = self._get(each.source) if is_copy else read_plain(each.source)
            put = lambda: self.put(each.destination, body, self.now)  # noqa: E731
            self._step("copy" if is_copy else "upload", each.destination, put)
            return
        target = Path(each.destination)
        partial = (temporary or target.parent) / f".{uuid4().hex}.partial"
        partial.write_bytes(b"half")

        def effect() -> None:
            partial.write_bytes(self._get(each.source))
            try:
                partial.replace(target)
            except OSError as exc:
                partial.unlink()
                raise InvalidRequest(f"{target} cannot be a file") from exc

        self._step("download", each.destination, effect)

    def _entry(self, uri: str) -> Entry:
        body = self.content[uri]
        etag = hashlib.md5(body).hexdigest() if self._has_etags else None
        return Entry(uri, len(body), self.modified[uri], etag)

    def _get(self, uri: str) -> bytes:
        if uri not in self.content:
            raise NotFound(f"there is no object {uri}")
        return self.content[uri]

    def _step(self, verb: str, what: str, effect: Callable[[], Any]) -> Any:
        with self._lock:
            number = len(self.steps)
            self.steps.append((verb, what))
            is_dead = self.dies_at is not None and number >= self.dies_at
            if is_dead and not (number == self.dies_at and self.dies_after_effect):
                raise Died
            result = effect()
            if is_dead:
                raise Died
            return result


class World:
    """Folders ``src`` and ``dst``, a mount, and the store."""

    def __init__(self, folder: Path, **options: Any):
        self.folder = folder
        self.carrier = FakeCarrier(**options)
        self.mount = folder / "mnt"
        self.mount.mkdir()
        volume = MountedVolume(file_system_id=FS, root="/", container_path=str(self.mount))
        self.locations = Locations([volume])
        self.clock = lambda: NOW

    def objects(self, *names: str, at: str = f"{B}/in", text: str = "") -> None:
        for name in names:
            self.carrier.put(f"{at}/{name}", (text or name).encode())

    def files(self, *names: str, at: str = "src", text: str = "", when: datetime = LONG_AGO):
        for name in names:
            path = self.folder / at / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes((text or name).encode())
            os.utime(path, (when.timestamp(), when.timestamp()))
        return self.folder / at

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def request(self, source: str, destination: str, **options: Any) -> DataSyncRequest:
        ends = {"source_path": source, "destination_path": destination}
        return DataSyncRequest.parse({**ends, **options})

    @property
    def data_sync(self) -> DataSync:
        return DataSync(self.carrier, self.locations, self.clock)

    def sync(self, source: str, destination: str, **options: Any) -> SyncReport:
        return self.data_sync.sync(self.request(source, destination, **options))

    def plan(self, source: str, destination: str, **options: Any):
        return self.data_sync.plan(self.request(source, destination, **options))

    def stored(self, below: str = B) -> dict[str, str]:
        return {
            uri.removeprefix(f"{below}/"): content.decode()
            for uri, content in sorted(self.carrier.content.items())
            if uri.startswith(f"{below}/")
        }


def read_plain(path: str) -> bytes:
    assert not Path(path).is_symlink(), "a carrier follows no link"
    try:
        return Path(path).read_bytes()
    except FileNotFoundError as exc:
        raise NotFound(path) from exc


def tree(folder: Path) -> dict[str, str]:
    """Return everything below a folder: files by content, links by target."""
    return {
        path.relative_to(folder).as_posix(): (
            f"-> {path.readlink()}" if path.is_symlink() else path.read_bytes().decode()
        )
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)
