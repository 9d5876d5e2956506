"""Objects in S3.

S3 has no folders: a listing asks for two prefixes' worth of keys, the exact key and what begins
with it and ``/``, and leaves out the siblings that only share the prefix as text. The bucket's
default encryption applies. A single PUT makes an object whole or not at all; so does the
completion of a multipart upload, and boto3 aborts one that fails.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError
from s3transfer.exceptions import RetriesExceededError, S3DownloadFailedError

from chalicelib.atomic_files import replacing
from chalicelib.aws.client_errors import code_of, is_no, translated
from chalicelib.core.errors import InvalidRequest, NotFound, Unavailable
from chalicelib.core.object_names import ObjectName, parse_object, parse_prefix
from chalicelib.ports import ObjectInfo

PART_BYTES: Final = 8 * 1024 * 1024
"""Size of a part, and from which on there are any. s3transfer doubles it until there are at most
10,000 parts (its ``ChunksizeAdjuster``), so that whoever knows an object's size knows its parts
and can check its ETag (specs: demand 8.3)."""

_ABSENT: Final = frozenset({"NoSuchKey", "NoSuchBucket", "NoSuchVersion", "NotFound", "404"})
"""Amazon S3 API reference, error codes; HEAD has no body and so only the status."""

_TRANSFER: Final = TransferConfig(
    multipart_threshold=PART_BYTES,
    multipart_chunksize=PART_BYTES,
    preferred_transfer_client="classic",  # the CRT client pays no heed to AWS_ENDPOINT_URL
)


class S3ObjectStore:
    """The ObjectStore of the AWS home."""

    def __init__(self, s3: Any) -> None:
        self._s3 = s3

    def list(self, uri: str) -> Iterator[ObjectInfo]:
        """Yield by key, page by page; ``uri`` is checked at once, not at the first ``next``."""
        name = parse_prefix(uri)
        return self._list(name, is_folder=uri.endswith("/"))

    def read(self, uri: str) -> bytes:
        """Return the object's content. Raises NotFound."""
        with _about(uri) as name:
            answer = self._s3.get_object(Bucket=name.bucket, Key=name.key)
            with answer["Body"] as body:
                return bytes(body.read())

    def write(self, uri: str, content: bytes) -> None:
        """Put the object. Raises NotFound where there is no such bucket."""
        with _about(uri) as name:
            self._s3.put_object(Bucket=name.bucket, Key=name.key, Body=content)

    def download(self, uri: str, path: Path) -> None:
        """Write the object to the file, making the folders that it needs.

        Its parts are fetched on the condition that the object is still the same.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        with _about(uri) as name, replacing(path, path.parent) as file:
            self._s3.download_fileobj(name.bucket, name.key, file, Config=_TRANSFER)

    def upload(self, path: Path, uri: str) -> None:
        """Put the file's content. Raises InvalidRequest where there is no such file."""
        parse_object(uri)
        if not path.is_file():
            raise InvalidRequest(f"{path} is not a file", field="path", value=str(path))
        with _about(uri) as name, path.open("rb") as file:
            self._s3.upload_fileobj(file, name.bucket, name.key, Config=_TRANSFER)

    def remove(self, uri: str) -> None:
        """Remove the object; S3 does not mind if there is none."""
        try:
            with _about(uri) as name:
                self._s3.delete_object(Bucket=name.bucket, Key=name.key)
        except NotFound:
            return

    def _list(self, name: ObjectName, *, is_folder: bool) -> Iterator[ObjectInfo]:
        if not name.key:
            yield from self._below(name.bucket, "")
            return
        if not is_folder:
            yield from self._exactly(name)
        yield from self._below(name.bucket, f"{name.key}/")

    def _exactly(self, name: ObjectName) -> Iterator[ObjectInfo]:
        """The key itself comes before everything that begins with it."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=name.bucket, Prefix=name.key, PaginationConfig={"MaxItems": 1, "PageSize": 1}
        )
        for entry in _entries(pages, name.uri):
            if entry["Key"] == name.key:
                yield _info(name.bucket, entry)

    def _below(self, bucket: str, prefix: str) -> Iterator[ObjectInfo]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for entry in _entries(pages, f"s3://{bucket}/{prefix}"):
            yield _info(bucket, entry)


def _info(bucket: str, entry: dict[str, Any]) -> ObjectInfo:
    return ObjectInfo(f"s3://{bucket}/{entry['Key']}", entry["Size"], entry["LastModified"])


def _entries(pages: Any, uri: str) -> Iterator[dict[str, Any]]:
    try:
        with telling(uri):
            for page in pages:
                yield from page.get("Contents", [])
    except NotFound:
        return


@contextmanager
def _about(uri: str) -> Iterator[ObjectName]:
    """Lend the parts of the name, and translate what goes wrong with the object."""
    name = parse_object(uri)
    with telling(uri):
        yield name


@contextmanager
def telling(uri: str) -> Iterator[None]:
    """Turn what boto3 raises about an object into our errors, NotFound among them."""
    try:
        with translated(uri, is_no):
            try:
                yield
            except ClientError as exc:
                if code_of(exc) in _ABSENT:
                    raise NotFound(f"there is no object {uri!r} ({code_of(exc)})") from exc
                raise
    except (RetriesExceededError, S3DownloadFailedError) as exc:
        raise Unavailable(f"{uri}: {exc}") from exc
