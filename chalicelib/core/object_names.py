"""Names of objects: ``s3://BUCKET/KEY``.

A key is read as a path: segments that are empty, ``.`` or ``..`` are refused, so that a name means
the same in a bucket, in a folder and on a file system.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from chalicelib.core.errors import InvalidRequest
from chalicelib.core.limits import S3_KEY_BYTES

_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{1,61}[A-Za-z0-9]")
"""The demand wire format's rule for bucket names (specs: demand 4)."""


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
        raise refused(uri, "it names a bucket, not an object")
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
        raise refused(uri, "a name is s3://BUCKET/KEY, the bucket 3 to 63 of A-Z a-z 0-9 . -")
    return ObjectName(bucket, key)


def _check_key(uri: str, key: str) -> None:
    if {"", ".", ".."} & set(key.split("/")) or "\0" in key:
        raise refused(uri, "a key has no empty segment, no '.', no '..' and no NUL")
    try:
        is_long = len(key.encode()) > S3_KEY_BYTES
    except UnicodeEncodeError as exc:
        raise refused(uri, "a key is UTF-8") from exc
    if is_long:
        raise refused(uri, f"a key has at most {S3_KEY_BYTES} bytes")


def refused(uri: str, why: str) -> InvalidRequest:
    """Return the error for a text that names no object."""
    return InvalidRequest(
        f"{uri[:200]!r} is not the name of an object: {why}", field="uri", value=uri, mend=why
    )
