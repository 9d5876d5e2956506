"""boto3's TransferManager, ten files at a time as delivered. Runs in ``benchmarks/.venv``."""

from __future__ import annotations

import sys
from pathlib import Path

import boto3
from boto3.s3.transfer import TransferConfig, create_transfer_manager


def main() -> None:
    """Bring ``SOURCE`` to ``DESTINATION``, one of them an S3 prefix that ends with ``/``."""
    source, destination = sys.argv[1:]
    s3 = boto3.client("s3")
    with create_transfer_manager(s3, TransferConfig()) as transfers:
        if source.startswith("s3://"):
            bucket, _, prefix = source.removeprefix("s3://").partition("/")
            pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            for entry in (entry for page in pages for entry in page.get("Contents", [])):
                path = Path(destination) / entry["Key"].removeprefix(prefix)
                path.parent.mkdir(parents=True, exist_ok=True)
                transfers.download(bucket, entry["Key"], str(path))
            return
        bucket, _, prefix = destination.removeprefix("s3://").partition("/")
        for path in sorted(Path(source).rglob("*")):
            if path.is_file():
                transfers.upload(str(path), bucket, f"{prefix}{path.relative_to(source)}")


if __name__ == "__main__":
    main()
