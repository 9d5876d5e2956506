"""A small world for the worker's tests: fake ports, real folders."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from chalicelib.bootstrap import WorkerPorts
from chalicelib.carriers import Entry, Transfer
from chalicelib.core.errors import NotFound
from chalicelib.core.worker_documents import (
    CleanUpOrder,
    MountedVolume,
    Outcome,
    ParameterSync,
    StageInOrder,
    StageOutOrder,
)
from chalicelib.ports import Claim, ObjectInfo
from chalicelib.worker.__main__ import main
from chalicelib.worker.sync.leavings import SHARED_NOTES

FS = "fs-0a1000000000000a"
ROOT = f"{FS}:/scratch/run-1"
LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)


class Died(BaseException):
    """The worker was killed: nothing may catch this."""


class FakeObjects:
    """An object store in memory: atomic, ordered, and able to die at its n-th call.

    ``calls`` records every call that had its effect. With ``dies_at`` the call of that number
    (from 0) raises Died, before its effect or after it, and so does every call that follows, as
    long as ``dies_at`` is set: a dead process calls nothing.
    """

    def __init__(self, content: dict[str, bytes] | None = None):
        self.content = dict(content or {})
        self.modified = dict.fromkeys(self.content, LONG_AGO)
        self.calls: list[tuple[str, str]] = []
        self.dies_at: int | None = None
        self.dies_after_effect = False
        self._count = 0
        self._lock = threading.Lock()

    def put(self, uri: str, content: bytes, modified_at: datetime = LONG_AGO) -> None:
        self.content[uri] = content
        self.modified[uri] = modified_at

    def list(self, uri: str):
        self._call("list", uri, lambda: None)
        for each in sorted(self.content):
            if each == uri or each.startswith(uri + "/"):
                yield ObjectInfo(each, len(self.content[each]), self.modified[each])

    def read(self, uri: str) -> bytes:
        return self._call("read", uri, lambda: self._get(uri))

    def write(self, uri: str, content: bytes) -> None:
        self._call("write", uri, lambda: self.put(uri, content, NOW))

    def download(self, uri: str, path: Path) -> None:
        def effect() -> None:
            temporary = path.with_name(f".{path.name}.part")
            temporary.write_bytes(self._get(uri))
            temporary.replace(path)

        self._call("download", uri, effect)

    def upload(self, path: Path, uri: str) -> None:
        self._call("upload", uri, lambda: self.put(uri, path.read_bytes(), NOW))

    def remove(self, uri: str) -> None:
        self._call("remove", uri, lambda: self.content.pop(uri, None))

    def _get(self, uri: str) -> bytes:
        if uri not in self.content:
            raise NotFound(f"there is no object {uri}")
        return self.content[uri]

    def _call(self, verb: str, uri: str, effect):
        with self._lock:
            number, self._count = self._count, self._count + 1
            is_dead = self.dies_at is not None and number >= self.dies_at
            if is_dead and not (number == self.dies_at and self.dies_after_effect):
                raise Died
            result = effect()
            self.calls.append((verb, uri))
            if is_dead:
                raise Died
            return result


class FakeCarrier:
    """A carrier over fake objects: every call of theirs is one of its own steps."""

    def __init__(self, objects: FakeObjects, *, has_etags: bool = True):
        self._objects = objects
        self._has_etags = has_etags

    def list(self, uri: str) -> Iterator[Entry]:
        bare = uri.rstrip("/")
        for info in self._objects.list(bare):
            if info.uri != bare or not uri.endswith("/"):
                yield self._entry(info)

    def head(self, uri: str) -> Entry | None:
        return next((each for each in self.list(uri) if each.uri == uri), None)

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
        for each in transfers:
            if each.destination.startswith("s3://"):
                self._objects.upload(Path(each.source), each.destination)
            else:
                self._objects.download(each.source, Path(each.destination))
            moved(each.size_bytes)
            done(each)

    def remove(self, uris: Iterable[str]) -> None:
        for uri in uris:
            self._objects.remove(uri)

    def read(self, uri: str) -> bytes:
        return self._objects.read(uri)

    def write(self, uri: str, content: bytes, tags: Mapping[str, str] | None = None) -> None:
        self._objects.write(uri, content)

    def _entry(self, info: ObjectInfo) -> Entry:
        digest = hashlib.md5(self._objects.content[info.uri]).hexdigest()
        return Entry(*info, etag=digest if self._has_etags else None)


class FakeClaims:
    """Claims in a dictionary."""

    def __init__(self):
        self.holders: dict[tuple[str, int], Claim] = {}

    def claim(self, job_name: str, index: int, job_id: str, attempt: int) -> Claim:
        holder = self.holders.get((job_name, index))
        if holder is None or (holder.job_id == job_id and holder.attempt <= attempt):
            self.holders[job_name, index] = Claim(job_id, attempt)
        return self.holders[job_name, index]

    def holder(self, job_name: str, index: int) -> Claim | None:
        return self.holders.get((job_name, index))


class World:
    """Mounts below a temporary folder, fake ports, and the worker's command line."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.scratch, self.shared = folder / "scratch", folder / "shared"
        self.scratch.mkdir()
        self.shared.mkdir()
        self.root = self.scratch / "run-1"
        self.objects, self.claims = FakeObjects(), FakeClaims()
        self.job_name = "falsework-uid-stage-0"
        self.has_etags = True

    @property
    def ports(self) -> WorkerPorts:
        return WorkerPorts(self.objects, self.claims, self.carrier)

    def carrier(self):
        return FakeCarrier(self.objects, has_etags=self.has_etags)

    @property
    def mounts(self) -> tuple[MountedVolume, ...]:
        return (
            MountedVolume(file_system_id=FS, root="/scratch", container_path=str(self.scratch)),
            MountedVolume(file_system_id=FS, root="/shared", container_path=str(self.shared)),
        )

    def write(self, path: str, content: bytes = b"x") -> Path:
        """Write a file below the run's root, as the job does."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        return target

    def work(self, verb: str, order, *, job_id: str = "job-1", attempt: int = 1) -> int:
        """Run the worker's entry point on an order; return its exit code."""
        self.objects.content["s3://docs/order"] = order.model_dump_json().encode()
        environ = {
            "FALSEWORK_JOB_NAME": self.job_name,
            "AWS_BATCH_JOB_ID": job_id,
            "AWS_BATCH_JOB_ATTEMPT": str(attempt),
            "FALSEWORK_REQUEST_URI": "s3://docs/order",
            "FALSEWORK_OUTCOME_URI": "s3://docs/outcome",
        }
        return main(verb.split(), environ=environ, ports=self.ports)

    @property
    def outcome(self) -> Outcome | None:
        content = self.objects.content.get("s3://docs/outcome")
        return Outcome.model_validate_json(content) if content else None

    def stage_in(self, *syncs: ParameterSync, **fields) -> StageInOrder:
        return StageInOrder(mounts=self.mounts, root=ROOT, syncs=syncs, **fields)

    def stage_out(self, *syncs: ParameterSync) -> StageOutOrder:
        return StageOutOrder(mounts=self.mounts, root=ROOT, syncs=syncs)

    def clean_up(self, *paths: str, outputs: tuple[str, ...] = ()) -> CleanUpOrder:
        return CleanUpOrder(mounts=self.mounts, root=ROOT, paths=paths, outputs=outputs)

    def manifest(self, uri: str) -> dict:
        return json.loads(self.objects.content[uri])


def sync(param: str, source: str, destination: str, **options) -> ParameterSync:
    """Return a transfer as scaffolding writes it: everything is explicit, nothing deleted."""
    request = {
        "source_path": source,
        "destination_path": destination,
        "size_only": True,
        "delete": False,
        **options,
    }
    return ParameterSync.model_validate({"param": param, "request": request})


def tree(folder: Path) -> dict[str, bytes | str]:
    """Return everything below a folder: files by content, links by target."""
    return {
        path.relative_to(folder).as_posix(): (
            f"-> {path.readlink()}" if path.is_symlink() else path.read_bytes()
        )
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def content(folder: Path) -> dict[str, bytes | str]:
    """As ``tree``, but for the notes on shared inputs."""
    return {name: each for name, each in tree(folder).items() if SHARED_NOTES not in name}


def soon(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)
