"""JSON values in objects and files (section 12)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Final

from pydantic import JsonValue

from chalicelib.atomic_files import write_atomically
from chalicelib.carriers import Carrier
from chalicelib.core.data_sync.missing import SourceMissing
from chalicelib.core.data_sync.path_requests import PutJsonToFileRequest
from chalicelib.core.errors import InvalidRequest, NotFound
from chalicelib.worker.sync.locations import LocalPlace, Locations, ObjectPlace

SCRATCH_TAGS: Final = {"time-to-live": "scratch"}
"""What the buckets' lifecycle rules look for."""


def put_json(
    request: PutJsonToFileRequest,
    carrier: Carrier,
    locations: Locations,
    *,
    default_bucket: str,
    request_id: str,
) -> str:
    """Store the value and return its path. Raises InvalidRequest where there is no place."""
    text = json.dumps(request.content, sort_keys=True)
    path = request.path or _default_path(text, default_bucket, request_id)
    match locations.find(path):
        case ObjectPlace(uri):
            carrier.write(uri, text.encode(), SCRATCH_TAGS)
        case LocalPlace() as place:
            target = place.followed()
            target.parent.mkdir(parents=True, exist_ok=True)
            indented = json.dumps(request.content, indent=4, sort_keys=True)
            write_atomically(target, indented.encode())
    return path


def read_json(path: str, carrier: Carrier, locations: Locations) -> JsonValue:
    """Return the value. Raises InvalidRequest for what is no JSON, and for a missing object."""
    place = locations.find(path)
    content = _object(place.uri, carrier) if isinstance(place, ObjectPlace) else _file(place)
    try:
        value: JsonValue = json.loads(content)
    except ValueError as exc:
        raise InvalidRequest(
            f"{path!r} is not JSON: {exc}", field="path", value=path, mend="name a JSON document"
        ) from exc
    return value


def _object(uri: str, carrier: Carrier) -> bytes:
    try:
        return carrier.read(uri)
    except NotFound as exc:
        # The original says so, too: a client's error, not a missing file.
        raise InvalidRequest(str(exc), field="path", value=uri, mend="name an object") from exc


def _file(place: LocalPlace) -> bytes:
    try:
        return Path(place.followed()).read_bytes()
    except FileNotFoundError as exc:
        raise SourceMissing(f"there is no file {place.text!r}") from exc
    except IsADirectoryError as exc:
        raise InvalidRequest(
            f"{place.text!r} is a folder", field="path", value=place.text, mend="name a file"
        ) from exc


def _default_path(text: str, bucket: str, request_id: str) -> str:
    if not bucket:
        raise InvalidRequest(
            "the request names no path, and there is no default bucket",
            field="path",
            mend="give a path, or set DEFAULT_BUCKET_NAME",
        )
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f"s3://{bucket}/scratch/{request_id}/{digest}"
