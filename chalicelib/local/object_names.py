"""Names of objects, and the paths that hold them: ``s3://BUCKET/KEY`` is ``BUCKET/KEY``.

A key is a path below its bucket's folder and can be nothing else: segments that are empty, ``.``
or ``..`` are refused, so that no name ever leads out of its bucket.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from chalicelib.core.errors import InvalidRequest

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{1,61}[A-Za-z0-9]")
"""The demand wire format's rule for bucket names (specs: demand 4)."""

_KEY_BYTES = 1024
"""Amazon S3 user guide, object key naming: UTF-8, at most 1,024 bytes."""

_SEGMENT_BYTES = 255
"""Linux NAME_MAX; S3 has no such limit, a folder has."""


class ObjectName(NamedTuple):
    """The two parts of an object's name."""

    bucket: str
    key: str
    """Empty: the whole bucket."""

    @property
    def uri(self) -> str:
        """The name as it was given."""
        return f"s3://{self.bucket}/{self.key}" if self.key else f"s3://{self.bucket}"


def parse_object(uri: str) -> ObjectName:
    """Return the parts of the name of one object. Raises InvalidRequest."""
    name = _split(uri)
    if not name.key:
        raise _refused(uri, "it names a bucket, not an object")
    _check_key(uri, name.key)
    return name


def parse_prefix(uri: str) -> ObjectName:
    """Return the parts of what is to be listed; one ``/`` at the end makes no difference."""
    name = _split(uri)
    if not name.key:
        return name
    key = name.key.removesuffix("/")
    _check_key(uri, key)
    return ObjectName(name.bucket, key)


def _split(uri: str) -> ObjectName:
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not _BUCKET.fullmatch(bucket):
        raise _refused(uri, "a name is s3://BUCKET/KEY, the bucket 3 to 63 of A-Z a-z 0-9 . -")
    return ObjectName(bucket, key)


def _check_key(uri: str, key: str) -> None:
    segments = key.split("/")
    if any(segment in ("", ".", "..") for segment in segments) or "\0" in key:
        raise _refused(uri, "a key has no empty segment, no '.', no '..' and no NUL")
    try:
        too_long = len(key.encode()) > _KEY_BYTES or any(
            len(segment.encode()) > _SEGMENT_BYTES for segment in segments
        )
    except UnicodeEncodeError as exc:
        raise _refused(uri, "a key is UTF-8") from exc
    if too_long:
        raise _refused(uri, f"a key has at most {_KEY_BYTES} bytes, {_SEGMENT_BYTES} a segment")


def _refused(uri: str, why: str) -> InvalidRequest:
    return InvalidRequest(
        f"{uri[:200]!r} is not the name of an object: {why}", field="uri", value=uri, mend=why
    )
