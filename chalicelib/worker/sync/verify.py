"""Whether a stored output is what its manifest says: every object there, its size, its content."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import ValidationError

from chalicelib.carriers import Carrier, Transfer
from chalicelib.core.data_sync.destinations import folder_uri, is_bucket_root
from chalicelib.core.data_sync.manifest import Manifest, ManifestFile, manifest_uri
from chalicelib.core.errors import InvalidRequest, NotFound

CONCURRENCY: Final = 16


class Problem(StrEnum):
    """In what an object differs from its manifest."""

    MISSING = "missing"
    SIZE = "size"
    CONTENT = "sha256"


class Difference(NamedTuple):
    """One object that is not what the manifest says."""

    uri: str
    problem: Problem
    expected: str
    found: str


def verify(uri: str, carrier: Carrier) -> list[Difference]:
    """Return the differences, by name; none is a good output.

    Raises NotFound without a manifest, and InvalidRequest for one that cannot be read.
    """
    root, manifest = _manifest(uri, carrier)
    is_folder = root.endswith("/")
    listed = {entry.uri: entry for entry in carrier.list(root)} if is_folder else {}
    found: list[Difference] = []
    sound: dict[str, ManifestFile] = {}
    for file in manifest.files:
        at = root + file.path if is_folder else root
        entry = listed.get(at) if is_folder else carrier.head(at)
        if entry is None:
            found.append(Difference(at, Problem.MISSING, f"{file.bytes} bytes", "nothing"))
        elif entry.size_bytes != file.bytes:
            told = (f"{file.bytes} bytes", f"{entry.size_bytes} bytes")
            found.append(Difference(at, Problem.SIZE, *told))
        else:
            sound[at] = file
    return sorted(found + _changed(sound, carrier))


def _manifest(uri: str, carrier: Carrier) -> tuple[str, Manifest]:
    is_folder = uri.endswith("/") or is_bucket_root(uri)
    places = [folder_uri(uri)] if is_folder else [uri, folder_uri(uri)]
    for place in places:
        try:
            content = carrier.read(manifest_uri(place))
        except NotFound:
            continue
        try:
            return place, Manifest.model_validate_json(content)
        except ValidationError as exc:
            raise InvalidRequest(
                f"{manifest_uri(place)!r} is not a manifest: {exc.errors()[0]['msg']}",
                value=uri,
                mend="store the output again",
            ) from exc
    raise NotFound(
        f"there is no manifest for {uri!r}, so nothing vouches for what is there: give what "
        "`falsework show RUN` names as an output; files that came otherwise have none"
    )


def _changed(files: dict[str, ManifestFile], carrier: Carrier) -> list[Difference]:
    """Read every object, a few at a time, by way of a temporary folder."""
    found: list[Difference] = []
    with tempfile.TemporaryDirectory(prefix="falsework-verify-") as folder:

        def transfers() -> Iterator[Transfer]:
            for number, (uri, file) in enumerate(files.items()):
                yield Transfer(uri, str(Path(folder) / str(number)), file.bytes)

        def done(transfer: Transfer) -> None:
            path = Path(transfer.destination)
            with path.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").hexdigest()
            path.unlink()
            expected = files[transfer.source].sha256
            if digest != expected:
                found.append(Difference(transfer.source, Problem.CONTENT, expected, digest))

        carrier.transfer(transfers(), concurrency=CONCURRENCY, done=done)
    return found
