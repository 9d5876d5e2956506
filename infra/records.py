"""Chalice's record of what it made, ``.chalice/deployed/<stage>.json``, kept beside the packages.

Whoever deploys next needs it: without it ``chalice deploy`` makes a second API, and mappings.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

_ABSENT = {"NoSuchKey", "404"}


@contextmanager
def kept(s3: Any, bucket: str, project: Path, stage: str) -> Iterator[Path]:
    """Bring the record before Chalice runs; put it back afterwards, also when Chalice failed."""
    record = project / ".chalice" / "deployed" / f"{stage}.json"
    record.parent.mkdir(parents=True, exist_ok=True)
    if (content := _load(s3, bucket, stage)) is not None:
        record.write_bytes(content)
    try:
        yield record
    finally:
        if record.exists():
            s3.put_object(Bucket=bucket, Key=_key(stage), Body=record.read_bytes())


def has(s3: Any, bucket: str, stage: str) -> bool:
    """Return whether Chalice deployed the stage."""
    return _load(s3, bucket, stage) is not None


def forget(s3: Any, bucket: str, stage: str) -> None:
    """Remove the record of what is no longer there."""
    s3.delete_object(Bucket=bucket, Key=_key(stage))


def address(record: Path) -> str:
    """Return the API's address."""
    told = json.loads(record.read_text(encoding="utf-8"))
    return next(str(each["rest_api_url"]) for each in told["resources"] if "rest_api_url" in each)


def _load(s3: Any, bucket: str, stage: str) -> bytes | None:
    try:
        return bytes(s3.get_object(Bucket=bucket, Key=_key(stage))["Body"].read())
    except ClientError as exc:
        if exc.response["Error"]["Code"] not in _ABSENT:
            raise
        return None


def _key(stage: str) -> str:
    return f"deployed/{stage}.json"
