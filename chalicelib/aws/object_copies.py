"""Objects to objects, without the bytes coming by here.

obstore copies within one bucket and up to 5 GiB; so boto3 does it, which costs a request and no
bytes. What came in parts is copied in parts of the same size, for its ETag tells: copied in one
piece it would get another one, and every sync after that would copy it again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from chalicelib.aws.bucket_names import any_object
from chalicelib.aws.buckets import Buckets
from chalicelib.aws.object_store import telling
from chalicelib.core.data_sync.checksums import part_bytes, part_bytes_of
from chalicelib.core.limits import S3_COPY_BYTES
from chalicelib.core.object_names import ObjectName

PARTS_AT_A_TIME: Final = 16
"""Of all objects together; S3 does the work."""
_PARTS_OF_ONE: Final = 8
_KEPT: Final = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "Metadata",
)
"""What CopyObject takes along by itself, and CreateMultipartUpload has to be told. Tags are not
among it: reading them takes a permission of its own."""


class ObjectCopies:
    """Server-side copies by a boto3 client, from several threads."""

    def __init__(self, s3: Any, buckets: Buckets) -> None:
        self._s3 = s3
        self._buckets = buckets
        self._parts = threading.BoundedSemaphore(PARTS_AT_A_TIME)

    def copy(self, source: str, destination: str, check: Callable[[], None]) -> int:
        """Copy the object as it is now; return its size. ``check`` may raise, between parts."""
        origin, target = any_object(source), any_object(destination)
        with telling(source):
            found = self._s3.head_object(
                Bucket=origin.bucket, Key=origin.key, **self._owner(origin)
            )
        size, etag = int(found["ContentLength"]), found["ETag"].strip('"')
        part = part_bytes_of(etag, size)
        with telling(source):
            if "-" not in etag and size <= S3_COPY_BYTES:
                self._s3.copy_object(**self._target(target), **self._source(origin, found))
            else:
                self._in_parts(origin, target, found, part or part_bytes(size), check)
        return size

    def _in_parts(
        self,
        origin: ObjectName,
        target: ObjectName,
        found: dict[str, Any],
        part: int,
        check: Callable[[], None],
    ) -> None:
        kept = {key: found[key] for key in _KEPT if key in found}
        upload = self._s3.create_multipart_upload(**self._target(target), **kept)["UploadId"]
        place = {**self._target(target), "UploadId": upload}
        size = int(found["ContentLength"])

        def bring(number: int) -> dict[str, Any]:
            check()
            start = (number - 1) * part
            span = f"bytes={start}-{min(start + part, size) - 1}"
            source = {**self._source(origin, found), "CopySourceRange": span}
            with self._parts:
                answer = self._s3.upload_part_copy(**place, **source, PartNumber=number)
            return {"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]}

        try:
            with ThreadPoolExecutor(_PARTS_OF_ONE) as pool:
                parts = list(pool.map(bring, range(1, -(-size // part) + 1)))
            self._s3.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
        except BaseException:
            self._s3.abort_multipart_upload(**place)
            raise

    def _target(self, name: ObjectName) -> dict[str, Any]:
        return {"Bucket": name.bucket, "Key": name.key, **self._owner(name)}

    def _source(self, name: ObjectName, found: dict[str, Any]) -> dict[str, Any]:
        source = {"Bucket": name.bucket, "Key": name.key}
        owner = self._buckets.owners.get(name.bucket)
        told = {"ExpectedSourceBucketOwner": owner} if owner else {}
        return {"CopySource": source, "CopySourceIfMatch": found["ETag"], **told}

    def _owner(self, name: ObjectName) -> dict[str, str]:
        owner = self._buckets.owners.get(name.bucket)
        return {"ExpectedBucketOwner": owner} if owner else {}
