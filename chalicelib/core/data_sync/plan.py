"""A sync's plan: what will be copied, overwritten and deleted, before anything is done.

Both sides are read once, side by side, in the order of their names; what is in order already is
only counted. So a sync in which nothing changed needs no memory for its files, and any other as
much as it has to do. The same value is shown by a dry run and carried out by a real one.

    source       a   b   c       e        names below each root, ascending
    destination  a'  b       d   e'
    verdict      OVERWRITE(a) KEEP(b) COPY(c) EXTRA(d) COMPARE(e)

COMPARE is what sizes and times leave open and only reading the content can tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from chalicelib.core.data_sync.selection import FileState, is_outdated
from chalicelib.core.errors import Unavailable

Listed = tuple[str, FileState]


class Verdict(StrEnum):
    """What becomes of a name."""

    COPY = "copy"
    OVERWRITE = "overwrite"
    COMPARE = "compare"
    KEEP = "keep"
    EXTRA = "extra"


class Judged(NamedTuple):
    """A name with its verdict, and what each side has of it."""

    name: str
    verdict: Verdict
    source: FileState | None
    there: FileState | None


class PlannedFile(NamedTuple):
    """A file to be transferred; ``name`` is relative to both roots."""

    name: str
    size_bytes: int
    modified_at: datetime


class Tally(NamedTuple):
    """So many files of so many bytes together."""

    files: int = 0
    bytes: int = 0

    def and_one(self, size_bytes: int) -> Tally:
        """Return the sum with one file more."""
        return Tally(self.files + 1, self.bytes + size_bytes)

    def and_all(self, other: Tally) -> Tally:
        """Return the sum of both."""
        return Tally(self.files + other.files, self.bytes + other.bytes)


class SyncPlan(NamedTuple):
    """Everything that one sync will do."""

    source: str
    """``s3://…`` or an absolute path, without a last ``/``."""
    destination: str
    is_folder: bool
    """Otherwise both ends are the one file itself, whose name is its last word."""
    copied: tuple[PlannedFile, ...] = ()
    overwritten: tuple[PlannedFile, ...] = ()
    deleted: tuple[str, ...] = ()
    """Names below the destination."""
    kept: Tally = Tally()
    """In order at the destination already."""
    extra: Tally = Tally()
    """At the destination, not in the source, and to stay there."""
    left_out: int = 0
    """Files of the source that the filter leaves out."""

    @property
    def transferred(self) -> Tally:
        """What has to be moved."""
        return tally([*self.copied, *self.overwritten])

    def source_of(self, name: str) -> str:
        """Return where a file comes from."""
        return f"{self.source}/{name}" if self.is_folder else self.source

    def destination_of(self, name: str) -> str:
        """Return where it goes, or, of a deleted one, is."""
        return f"{self.destination}/{name}" if self.is_folder else self.destination

    def to_wire(self) -> dict[str, Any]:
        """Write what a dry run shows."""
        return {
            "copied": [self._shown(file) for file in self.copied],
            "overwritten": [self._shown(file) for file in self.overwritten],
            "deleted": [self.destination_of(name) for name in self.deleted],
            "kept_files": self.kept.files,
            "kept_bytes": self.kept.bytes,
            "left_out_files": self.left_out,
        }

    def _shown(self, file: PlannedFile) -> dict[str, Any]:
        ends = {
            "source": self.source_of(file.name),
            "destination": self.destination_of(file.name),
        }
        return {**ends, "bytes": file.size_bytes}


def judged(
    source: Iterable[Listed],
    destination: Iterable[Listed],
    *,
    force: bool = False,
    size_only: bool = False,
) -> Iterator[Judged]:
    """Give every name of either side its verdict. Raises Unavailable for a side out of order."""
    left, right = _ascending(source), _ascending(destination)
    ours, theirs = next(left, None), next(right, None)
    while ours is not None or theirs is not None:
        if ours is not None and (theirs is None or ours[0] < theirs[0]):
            yield Judged(ours[0], Verdict.COPY, ours[1], None)
            ours = next(left, None)
        elif theirs is not None and (ours is None or theirs[0] < ours[0]):
            yield Judged(theirs[0], Verdict.EXTRA, None, theirs[1])
            theirs = next(right, None)
        elif ours is not None and theirs is not None:
            verdict = _verdict(ours[1], theirs[1], force=force, size_only=size_only)
            yield Judged(ours[0], verdict, ours[1], theirs[1])
            ours, theirs = next(left, None), next(right, None)


def _verdict(source: FileState, there: FileState, *, force: bool, size_only: bool) -> Verdict:
    if force or is_outdated(there, source, size_only=size_only):
        return Verdict.OVERWRITE
    is_settled = size_only or None not in {source.checksum, there.checksum}
    return Verdict.KEEP if is_settled else Verdict.COMPARE


def _ascending(listed: Iterable[Listed]) -> Iterator[Listed]:
    """Two lists that are read side by side and are not in order would make everything extra."""
    before: str | None = None
    for name, state in listed:
        if before is not None and name <= before:
            raise Unavailable(f"a listing is out of order: {name!r} came after {before!r}")
        before = name
        yield name, state


def tally(files: Iterable[PlannedFile]) -> Tally:
    """Return the sum of these files."""
    total = Tally()
    for file in files:
        total = total.and_one(file.size_bytes)
    return total


def in_the_way(plan: SyncPlan) -> frozenset[str]:
    """Return what has to be deleted before a file system can take what is copied.

    That is a file where a folder is needed, or one in a folder where a file is needed.
    """
    if not plan.deleted:
        return frozenset()
    gone, arriving = set(plan.deleted), {file.name for file in plan.copied}
    blocked = {above for name in arriving for above in _folders(name) if above in gone}
    return frozenset(blocked | {name for name in gone if not arriving.isdisjoint(_folders(name))})


def _folders(name: str) -> Iterator[str]:
    end = name.find("/")
    while end >= 0:
        yield name[:end]
        end = name.find("/", end + 1)
