"""One sync of ours, by the code that a worker runs: plan, transfers, times.

Sizes and times decide, as with s5cmd and the AWS CLI; ``--checksums`` compares content as well, as
a request does unless it says ``size_only``.
"""

from __future__ import annotations

import sys

from chalicelib.aws.buckets import Buckets
from chalicelib.aws.carrier import S3Carrier
from chalicelib.aws.s3_access import find_access
from chalicelib.core.data_sync.requests import DataSyncRequest
from chalicelib.worker.sync.locations import Locations
from chalicelib.worker.sync.syncing import DataSync


def main() -> None:
    """Bring ``SOURCE`` to ``DESTINATION``."""
    source, destination, *flags = sys.argv[1:]
    carrier = S3Carrier(Buckets(find_access("us-east-1")), _no_boto3)
    request = DataSyncRequest(
        source_path=source,
        destination_path=destination,
        delete=False,
        size_only="--checksums" not in flags,
    )
    report = DataSync(carrier, Locations()).sync(request)
    print(report.counted)


def _no_boto3() -> None:
    raise AssertionError("boto3 is not needed here")


if __name__ == "__main__":
    main()
