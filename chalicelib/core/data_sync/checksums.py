"""What an ETag says about content, and how the same is worked out from a file.

S3's ETag of an object that was put in one piece is its MD5; one that came in parts has the MD5 of
its parts' MD5s and the number of parts (section 8.3). The size of a part is then not recorded
anywhere: ours is 8 MiB, doubled until there are at most 10,000. Other programs have other sizes,
and the number of parts tells which of the usual ones it may have been.

An ETag under SSE-KMS is no MD5 at all and differs from every one: such an object is transferred
again, which is slow but never wrong.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import md5
from typing import Final

PART_BYTES: Final = 8 * 1024 * 1024
MOST_PARTS: Final = 10_000
"""Amazon S3 user guide, multipart upload limits: parts per upload."""

USUAL_PART_MIB: Final = (8, 16, 5, 50, 64, 100, 128, 256, 512, 1024)
"""What the AWS SDKs, the console, s5cmd and rclone cut objects into; tried in this order."""

_MD5: Final = re.compile(r"[0-9a-f]{32}")
_IN_PARTS: Final = re.compile(r"[0-9a-f]{32}-([1-9][0-9]{0,4})")


def part_bytes(size_bytes: int) -> int:
    """Return the size of the parts that an object of this size is transferred in."""
    part = PART_BYTES
    while part * MOST_PARTS < size_bytes:
        part *= 2
    return part


def part_bytes_of(etag: str, size_bytes: int) -> int | None:
    """Return the size of the parts behind an ETag: 0 for one piece, None for one unknown."""
    if _MD5.fullmatch(etag):
        return 0
    match = _IN_PARTS.fullmatch(etag)
    if match is None:
        return None
    sizes = (part_bytes(size_bytes), *(mib * 1024**2 for mib in USUAL_PART_MIB))
    return next((size for size in sizes if _parts(size_bytes, size) == int(match[1])), None)


def etag_of_parts(digests: Sequence[bytes]) -> str:
    """Return the ETag of an object from the MD5s of its parts."""
    whole = md5(b"".join(digests), usedforsecurity=False).hexdigest()
    return f"{whole}-{len(digests)}"


def _parts(size_bytes: int, size: int) -> int:
    return max(1, -(-size_bytes // size))
