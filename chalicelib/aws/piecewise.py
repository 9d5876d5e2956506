"""An object put together from pieces whose number and size nobody knows before.

A part is collected in a temporary file, sent and forgotten: whatever passes through, no more than
a piece is in memory (botocore copies a part that is in memory, so that it was there three times).
It becomes an object with the last request. What fails before takes its parts back; what a killed
process leaves is the lifecycle rule's: AbortIncompleteMultipartUpload.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from tempfile import TemporaryFile
from typing import Any, BinaryIO

from chalicelib.aws.object_store import telling
from chalicelib.core.object_names import ObjectName, parse_object


def put_pieces(s3: Any, uri: str, pieces: Iterable[bytes], part_bytes: int) -> int:
    """Put the object, in parts of ``part_bytes`` if it is larger than one; return its size.

    Raises NotFound for a bucket that is not there, and whatever ``pieces`` raises.
    """
    name = parse_object(uri)
    with TemporaryFile() as file:
        parts = _parts(pieces, part_bytes, file)
        first = next(parts)
        if first < part_bytes:
            with telling(uri):
                s3.put_object(Bucket=name.bucket, Key=name.key, Body=file)
            return first
        return _put_parts(s3, name, file, chain([first], parts))


def _put_parts(s3: Any, name: ObjectName, file: BinaryIO, parts: Iterable[int]) -> int:
    with telling(name.uri):
        begun = s3.create_multipart_upload(Bucket=name.bucket, Key=name.key)
    upload = _Upload(s3, name, str(begun["UploadId"]))
    try:
        size = sum(upload.send(file, part) for part in parts)
        upload.complete()
    except BaseException:
        upload.take_back()
        raise
    return size


class _Upload:
    """One multipart upload."""

    def __init__(self, s3: Any, name: ObjectName, upload_id: str) -> None:
        self._s3 = s3
        self._uri = name.uri
        self._about = {"Bucket": name.bucket, "Key": name.key, "UploadId": upload_id}
        self._sent: list[dict[str, Any]] = []

    def send(self, file: BinaryIO, size: int) -> int:
        """Send the next part, if there is anything in it; return its size."""
        if size:
            number = len(self._sent) + 1
            with telling(self._uri):
                answer = self._s3.upload_part(**self._about, PartNumber=number, Body=file)
            self._sent.append({"PartNumber": number, "ETag": answer["ETag"]})
        return size

    def complete(self) -> None:
        """Make an object of what was sent."""
        with telling(self._uri):
            self._s3.complete_multipart_upload(
                **self._about, MultipartUpload={"Parts": self._sent}
            )

    def take_back(self) -> None:
        """Remove what was sent; the error that led here is the one to tell."""
        try:
            self._s3.abort_multipart_upload(**self._about)
        except Exception:  # noqa: BLE001 -- the lifecycle rule removes what is left
            return


def _parts(pieces: Iterable[bytes], part_bytes: int, file: BinaryIO) -> Iterator[int]:
    """Fill the file again and again, and yield how full it is: the last time it may be empty."""
    for piece in pieces:
        rest = memoryview(piece)
        while len(rest) >= (room := part_bytes - file.tell()):
            file.write(rest[:room])
            rest = rest[room:]
            file.seek(0)
            yield part_bytes
            file.seek(0)
            file.truncate()
        file.write(rest)
    size = file.tell()
    file.seek(0)
    yield size
