"""Requests that are dropped as files, and the receipts that say what became of each.

``ROOT/s3/<requests bucket>/requests/a/b.json`` is answered in ``receipts/a/b.json`` of the same
bucket. A receipt keeps one entry per version of the file, and a version is its content (SHA-256):
what stands in a receipt is never submitted again, and a later version that is refused hides none
that was accepted. Between submitting and writing the receipt lies a gap; who falls into it
submits the same content again, which is the same run.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from chalicelib import intake
from chalicelib.core.errors import FalseworkError, NotFound, StaleRun, Unavailable
from chalicelib.core.json_text import read_object, too_large
from chalicelib.core.limits import LAMBDA_PAYLOAD_BYTES
from chalicelib.core.problem import problem_document, problem_of
from chalicelib.core.run import Run
from chalicelib.ports import Ports

SETTLE_SECONDS: Final = 0.5
"""A file that was written to more recently may not be finished."""

log = logging.getLogger(__name__)


class Stamp(NamedTuple):
    """What tells, without reading, whether a file changed."""

    modified_ns: int
    size_bytes: int
    inode: int


class RequestFiles:
    """The watched folder of one home."""

    def __init__(
        self, root: Path, ports: Ports, submit: Callable[[object, Ports], Run] = intake.submit
    ) -> None:
        self._ports = ports
        self._submit = submit
        self._bucket = ports.site.requests_bucket
        self._folder = root.resolve() / "s3" / self._bucket / "requests"
        self._known: dict[str, Stamp] = {}
        self._unsettled: dict[str, Stamp] = {}

    def scan(self) -> int:
        """Take in what is new and finished; return how many files that were."""
        self._folder.mkdir(parents=True, exist_ok=True)
        taken = 0
        for path, stamp in _files(self._folder):
            name = path.relative_to(self._folder).as_posix()
            if self._known.get(name) == stamp or not self._is_settled(name, stamp):
                continue
            taken += self._take(name, path, stamp)
        return taken

    def _is_settled(self, name: str, stamp: Stamp) -> bool:
        """A file from the future (a clock that was set back) is settled once it rests."""
        age = time.time() - stamp.modified_ns / 1e9
        is_at_rest = self._unsettled.get(name) == stamp
        if age >= SETTLE_SECONDS or (age < 0 and is_at_rest):
            self._unsettled.pop(name, None)
            return True
        self._unsettled[name] = stamp
        return False

    def _take(self, name: str, path: Path, stamp: Stamp) -> bool:
        """Answer the file's version in its receipt, unless it is there; try again if it is not
        known what became of it."""
        try:
            self._answer(name, path)
        except (Unavailable, StaleRun, FileNotFoundError):
            log.warning("request file %r comes again", name, exc_info=True)
            return False
        except Exception:
            log.exception("request file %r cannot be taken in", name)
        self._known[name] = stamp
        return True

    def _answer(self, name: str, path: Path) -> None:
        content, version = _read(path)
        receipt_uri = f"s3://{self._bucket}/receipts/{name}"
        versions = self._versions(receipt_uri)
        if version in {entry["version"] for entry in versions}:
            return
        entry = {"version": version, "seen_at": self._ports.clock().isoformat()}
        versions.append({**entry, **self._outcome(content, path.stat().st_size)})
        receipt = {"object": f"s3://{self._bucket}/requests/{name}", "versions": versions}
        self._ports.objects.write(receipt_uri, json.dumps(receipt, indent=2).encode() + b"\n")

    def _outcome(self, content: bytes | None, size_bytes: int) -> dict[str, Any]:
        try:
            if content is None:
                raise too_large(size_bytes)
            run = self._submit(read_object(content), self._ports)
        except (Unavailable, StaleRun):
            raise
        except FalseworkError as exc:
            problem = problem_of(exc) or problem_document(500, str(exc))
            return {"status": "refused", "problem": problem}
        return {"status": "accepted", "run_id": run.id, "location": f"/runs/{run.id}"}

    def _versions(self, receipt_uri: str) -> list[dict[str, Any]]:
        try:
            return list(json.loads(self._ports.objects.read(receipt_uri))["versions"])
        except NotFound:
            return []
        except (ValueError, KeyError, TypeError):
            log.warning("receipt %s is not one of ours; it is written anew", receipt_uri)
            return []


def _files(folder: Path) -> Iterator[tuple[Path, Stamp]]:
    """Yield the request files below; symbolic links are not followed."""
    for place, _, names in os.walk(folder):
        for name in sorted(names):
            path = Path(place, name)
            if path.suffix == ".json" and not path.is_symlink():
                status = path.stat()
                yield path, Stamp(status.st_mtime_ns, status.st_size, status.st_ino)


def _read(path: Path) -> tuple[bytes | None, str]:
    """Return the content, unless it is too large to be a request, and its version."""
    with path.open("rb") as file:
        content = file.read(LAMBDA_PAYLOAD_BYTES + 1)
        if len(content) <= LAMBDA_PAYLOAD_BYTES:
            return content, hashlib.sha256(content).hexdigest()
        file.seek(0)
        return None, hashlib.file_digest(file, "sha256").hexdigest()
