"""What a transfer copies and what it deletes, decided from two listings and nothing else.

A file is copied if that is forced, if it is missing at the destination, if the sizes differ, if
the source is newer in whole seconds, or, where checksums count and both are known, if they differ
(section 8.3 of the demand wire format). Size and time are a guess that serves for inputs, which
change rarely; where a promise is made about content, they must not be used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from chalicelib.core.data_sync.manifest import is_manifest


class FileState(NamedTuple):
    """A file or an object, as a listing shows it."""

    size_bytes: int
    modified_at: datetime
    checksum: str | None = None
    """None where the listing does not tell; then it decides nothing."""


def what_to_copy(
    source: Mapping[str, FileState],
    destination: Mapping[str, FileState],
    *,
    force: bool = False,
    size_only: bool = False,
) -> tuple[str, ...]:
    """Return the names to copy, sorted; both listings go by the name below their own root."""
    return tuple(
        name
        for name in sorted(source)
        if force or is_outdated(destination.get(name), source[name], size_only=size_only)
    )


def is_outdated(there: FileState | None, source: FileState, *, size_only: bool = False) -> bool:
    """Tell whether what is at the destination (None: nothing) has to be replaced."""
    if there is None or there.size_bytes != source.size_bytes:
        return True
    if int(source.modified_at.timestamp()) > int(there.modified_at.timestamp()):
        return True
    checksums = {source.checksum, there.checksum}
    return not size_only and None not in checksums and len(checksums) == 2


def what_to_delete(
    wanted: Iterable[str], destination: Iterable[str], *, delete: bool
) -> tuple[str, ...]:
    """Return the names at the destination that the source does not have, sorted.

    ``wanted`` is the filtered source: what a filter excludes is extra at the destination. Nothing
    is ever extra unless ``delete`` says so, and a manifest never is.
    """
    if not delete:
        return ()
    return tuple(sorted(name for name in set(destination) - set(wanted) if not is_manifest(name)))
