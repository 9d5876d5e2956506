"""A tar.gz, piece by piece: what is in memory at a time does not depend on what goes in.

Members have mode 0644, nobody's name and the beginning of time, so that the same files make the
same archive. There are no directory entries, and no leading slashes.
"""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from chalicelib.core.errors import Unavailable

_GZIP: Final = 31
"""zlib's window bits for the gzip format; its header then has no name and no time."""
_LEVEL: Final = 6


ARCHIVES: Final = "archives"
"""What archives that are kept lie below, in the scratch bucket."""
ARCHIVE_DAYS: Final = 7
"""How long they are kept: a lifecycle rule of the bucket removes them, and later they are made
again."""


class Member(NamedTuple):
    """One file on its way into an archive."""

    name: str
    size_bytes: int
    chunks: Iterable[bytes]
    """Read when its turn has come."""


def archive_name(run_id: str) -> str:
    """Return what the archive of a run is called."""
    return f"run.{run_id}.tar.gz"


def most_bytes(members_bytes: int, members: int) -> int:
    """Return what an archive of so much has at most: a deflated block that does not shrink is
    stored, in five bytes more for each 16 KiB at the least, and names take up to 4 KiB here."""
    tar = members_bytes + members * (8 * tarfile.BLOCKSIZE) + 2 * tarfile.RECORDSIZE
    return tar + tar // 1024 + tarfile.RECORDSIZE


def archived(members: Iterable[Member]) -> Iterator[bytes]:
    """Yield the archive. Raises Unavailable for a member that is not as long as it should be."""
    gzip = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    for piece in _tar(members):
        if packed := gzip.compress(piece):
            yield packed
    yield gzip.flush()


def _tar(members: Iterable[Member]) -> Iterator[bytes]:
    size = 0
    for member in members:
        for piece in _entry(member):
            size += len(piece)
            yield piece
    end = 2 * tarfile.BLOCKSIZE
    yield bytes(end + -(size + end) % tarfile.RECORDSIZE)


def _entry(member: Member) -> Iterator[bytes]:
    info = tarfile.TarInfo(member.name.lstrip("/"))
    info.size, info.mode = member.size_bytes, 0o644
    yield info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
    came = 0
    for chunk in member.chunks:
        came += len(chunk)
        if came > member.size_bytes:
            break
        yield chunk
    if came != member.size_bytes:
        raise Unavailable(f"{member.name} is not as long as its manifest says; it was replaced")
    yield bytes(-came % tarfile.BLOCKSIZE)
