"""The requests bucket: what was dropped under ``requests/``, and the receipts beside it.

A receipt is written with If-Match or If-None-Match (S3 user guide, "conditional writes"), so of
two that were read at the same time the second writer reads again. An object for each version and
a summary would need no condition, but two writers could leave a summary that lacks one of them
until somebody looks; this way there is one truth, and users read one object.

A version is the bucket's own version id; in a bucket without versions it is the ETag of what was
really read, which may be newer than the event: the event of the newer one then finds it answered.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final, NamedTuple

from botocore.exceptions import ClientError

from chalicelib.aws.client_errors import code_of, is_no, translated
from chalicelib.aws.inbound import DroppedObject
from chalicelib.core.errors import NotFound, StaleRun
from chalicelib.core.receipts import RECEIPTS, REQUESTS
from chalicelib.request_files import RequestFile, Stored, limit_bytes

_ABSENT: Final = frozenset({"NoSuchKey", "NoSuchVersion", "404"})
_CHANGED: Final = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412"})
"""Amazon S3 user guide, "conditional write behavior": 412, and 409 for a race that is not over.
Without the object If-Match answers 404."""

NO_VERSION: Final = "null"
"""The version id of what was written while a bucket had no versions (S3 user guide)."""


class Listed(NamedTuple):
    """A request file as the bucket lists it."""

    key: str
    etag: str
    modified_at: datetime


class RequestBucket:
    """The bucket through boto3's client; also the Receipts of the AWS home."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def find(self, dropped: DroppedObject) -> RequestFile:
        """Return the version that was dropped. Raises NotFound when it is no longer there."""
        for key in dropped.keys():  # noqa: SIM118  (a method of ours)
            try:
                file = self._read(key, dropped.version_id)
            except NotFound:
                continue
            if key == dropped.key or dropped.version_id or file.etag == dropped.etag:
                return file
        raise NotFound(f"there is no object {dropped.key!r} any more")

    def read_range(self, name: str, version_id: str, etag: str, start: int, end: int) -> bytes:
        """Return bytes of a version, ``end`` excluded. Raises NotFound when it was replaced."""
        about = {"VersionId": version_id} if version_id else {"IfMatch": f'"{etag}"'}
        where = f"bytes={start}-{end - 1}"
        with self._about(name), self._present(name):
            return _body(
                self._s3.get_object(Bucket=self._bucket, Key=REQUESTS + name, Range=where, **about)
            )

    def load(self, name: str) -> Stored:
        """Return the receipt, read consistently."""
        try:
            with self._about(name), self._present(name):
                answer = self._s3.get_object(Bucket=self._bucket, Key=RECEIPTS + name)
                return Stored(_body(answer), answer["ETag"])
        except NotFound:
            return Stored(None, None)

    def save(self, name: str, content: bytes, tag: str | None) -> None:
        """Write it under the condition that it is still the same. Raises StaleRun.

        When the answer was lost the SDK sends it again and meets its own effect; whoever reads
        the receipt then finds his entry in it.
        """
        about = {"IfMatch": tag} if tag else {"IfNoneMatch": "*"}
        with self._about(name):
            try:
                self._put(RECEIPTS + name, content, **about)
            except ClientError as exc:
                if code_of(exc) not in _CHANGED | _ABSENT:
                    raise
                raise StaleRun(f"the receipt of {name!r} has changed") from exc

    def has(self, key: str) -> bool:
        """Return whether there is an object of that key."""
        with self._about(key):
            try:
                self._s3.head_object(Bucket=self._bucket, Key=key)
            except ClientError as exc:
                if code_of(exc) not in _ABSENT:
                    raise
                return False
        return True

    def read(self, key: str) -> bytes:
        """Return the object of that key. Raises NotFound."""
        with self._about(key), self._present(key):
            return _body(self._s3.get_object(Bucket=self._bucket, Key=key))

    def put(self, key: str, content: bytes) -> None:
        """Write an object that has one writer at a time and the same content every time."""
        with self._about(key):
            self._put(key, content)

    def uri(self, key: str) -> str:
        """Return the name of an object of this bucket."""
        return f"s3://{self._bucket}/{key}"

    def listed(self, after: str, limit: int) -> Iterator[Listed]:
        """Yield what is below ``requests/``, by key, from behind the key ``after``."""
        with self._about("requests"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket,
                Prefix=REQUESTS,
                StartAfter=after,
                PaginationConfig={"MaxItems": limit},
            )
            for page in pages:
                for entry in page.get("Contents", []):
                    etag = entry["ETag"].strip('"')
                    yield Listed(entry["Key"], etag, entry["LastModified"])

    def _read(self, key: str, version_id: str | None) -> RequestFile:
        name = key.removeprefix(REQUESTS)
        about = {"VersionId": version_id} if version_id else {}
        with self._about(key), self._present(key):
            answer = self._s3.get_object(Bucket=self._bucket, Key=key, **about)
            size, etag = answer["ContentLength"], answer["ETag"].strip('"')
            content = _body(answer) if size <= limit_bytes(name) else None
            answer["Body"].close()
        version = answer.get("VersionId", NO_VERSION)
        return RequestFile(
            name=name,
            uri=self.uri(key),
            version=etag if version == NO_VERSION else version,
            content=content,
            size_bytes=size,
            etag=etag,
        )

    def _put(self, key: str, content: bytes, **about: str) -> None:
        self._s3.put_object(
            Bucket=self._bucket,
            Key=key,
            Body=content,
            ContentType="application/json",
            **about,
        )

    @contextmanager
    def _about(self, what: str) -> Iterator[None]:
        with translated(f"{what} in {self._bucket}", is_no):
            yield

    @contextmanager
    def _present(self, what: str) -> Iterator[None]:
        try:
            yield
        except ClientError as exc:
            if code_of(exc) in _ABSENT | _CHANGED:
                raise NotFound(f"there is no {what!r} in {self._bucket}") from exc
            raise


def _body(answer: dict[str, Any]) -> bytes:
    with answer["Body"] as body:
        return bytes(body.read())
