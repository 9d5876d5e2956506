"""``Range: bytes=…``: which part of a file is asked for (RFC 9110, section 14). Pure.

One range is answered; what is no range, or several of them, is answered with the whole, as the
RFC allows.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_ONE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.IGNORECASE)


class Part(NamedTuple):
    """Bytes from ``start`` to before ``end``."""

    start: int
    end: int


class Unsatisfiable(Exception):
    """There is no such byte: 416."""


def part_of(header: str | None, size: int) -> Part | None:
    """Return the part; None for the whole. Raises Unsatisfiable."""
    match = _ONE.fullmatch((header or "").strip())
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:  # the last so many
        start, end = max(0, size - int(last)), size
        is_empty = int(last) == 0 or size == 0
    else:
        start, end = int(first), min(size, int(last) + 1 if last else size)
        if last and int(last) < start:
            return None  # it is not a range at all
        is_empty = start >= size
    if is_empty:
        raise Unsatisfiable
    return Part(start, end)
