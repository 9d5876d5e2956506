"""What only reading can tell: whether a file holds the same as an object, or as another file."""

from __future__ import annotations

import filecmp
import hashlib
from pathlib import Path
from typing import BinaryIO, Final

from chalicelib.core.data_sync.checksums import etag_of_parts, part_bytes_of

READ_BYTES: Final = 1024 * 1024


def has_etag(path: Path, etag: str, size_bytes: int) -> bool:
    """Tell whether the file is what the ETag says; False where the ETag cannot be worked out."""
    part = part_bytes_of(etag, size_bytes)
    if part is None:
        return False
    with path.open("rb") as file:
        if part == 0:
            return _md5(file, size_bytes).hex() == etag
        digests = [_md5(file, part) for _ in range(0, max(1, size_bytes), part)]
    return etag_of_parts(digests) == etag


def is_equal(one: Path, other: Path) -> bool:
    """Tell whether two files hold the same."""
    return filecmp.cmp(one, other, shallow=False)


def _md5(file: BinaryIO, most: int) -> bytes:
    digest = hashlib.md5(usedforsecurity=False)
    while most > 0 and (read := file.read(min(most, READ_BYTES))):
        digest.update(read)
        most -= len(read)
    return digest.digest()
