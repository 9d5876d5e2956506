"""What the carrier leaves to boto3: copies, removals, and keys that obstore does not take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from chalicelib.aws.buckets import Buckets, answered
from chalicelib.aws.client_errors import is_no, translated
from chalicelib.aws.object_copies import ObjectCopies
from chalicelib.aws.object_store import S3ObjectStore, telling
from chalicelib.core.errors import NotFound


class BotoObjects:
    """boto3 in the carrier's words; from several threads."""

    def __init__(self, s3: Any, buckets: Buckets) -> None:
        self._s3 = s3
        self._owners = buckets.owners
        self._copies = ObjectCopies(s3, buckets)
        self._store = S3ObjectStore(s3)

    def copy(self, source: str, destination: str, check: Callable[[], None]) -> int:
        """Copy within S3; return the size."""
        return self._copies.copy(source, destination, check)

    def download(self, uri: str, path: str) -> int:
        """Bring an object of an odd name; return its size."""
        self._store.download(uri, Path(path))
        return Path(path).stat().st_size

    def upload(self, path: str, uri: str) -> int:
        """Put a file under an odd name; return its size."""
        self._store.upload(Path(path), uri)
        return Path(path).stat().st_size

    def remove(self, bucket: str, keys: Sequence[str]) -> None:
        """Remove at most a thousand keys; a bucket that is not there has none of them."""
        objects = [{"Key": key} for key in keys]
        asked: dict[str, Any] = {"Bucket": bucket, "Delete": {"Objects": objects, "Quiet": True}}
        if bucket in self._owners:
            asked["ExpectedBucketOwner"] = self._owners[bucket]
        try:
            with telling(f"s3://{bucket}"):
                failed = self._s3.delete_objects(**asked).get("Errors", [])
        except NotFound:
            return
        for error in failed:
            status = 403 if error["Code"] == "AccessDenied" else 500
            with translated(f"s3://{bucket}/{error['Key']}", is_no):
                raise answered(status, f"<Code>{error['Code']}</Code>")
