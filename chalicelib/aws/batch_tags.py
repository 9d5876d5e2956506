"""Tags in the form that Batch takes, made from whatever users call theirs.

A tag is a note for people and for the bill, so none is worth a run: what does not fit is bent
until it does, or left out. Ours come first and are never left out.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Final

from chalicelib.core.limits import (
    BATCH_TAG_KEY_CHARACTERS,
    BATCH_TAG_VALUE_CHARACTERS,
    BATCH_TAGS,
)

OWN: Final = "falsework:"
"""How the keys of our own tags begin."""

DEFINITION_TAGS: Final = 10
JOB_TAGS: Final = BATCH_TAGS - DEFINITION_TAGS
"""Job and definition may have 50 together, and a job cannot see what its definition has. The
job's tags are those that cost reports are made from."""

_SIGNS: Final = frozenset("+-=._:/@")
_CATEGORIES: Final = frozenset("LNZ")
"""AWS Batch user guide, tag restrictions: letters, numbers, spaces and ``+ - = . _ : / @``; the
pattern in ECS's Tag, to which they are propagated, says ``\\p{L} \\p{N} \\p{Z}``."""


def fitting_tags(tags: Mapping[str, str], limit: int) -> dict[str, str]:
    """Return at most ``limit`` tags, ours before the others, otherwise in their order."""
    ordered = sorted(tags.items(), key=lambda tag: not tag[0].startswith(OWN))
    fitting: dict[str, str] = {}
    for key, value in ordered:
        name = _fitting(key, BATCH_TAG_KEY_CHARACTERS)
        if name and len(fitting) < limit:
            fitting.setdefault(name, _fitting(value, BATCH_TAG_VALUE_CHARACTERS))
    return fitting


def _fitting(text: str, limit: int) -> str:
    """``aws:`` in any spelling is AWS's own, in keys and in values."""
    allowed = "".join(c if c in _SIGNS or unicodedata.category(c)[0] in _CATEGORIES else "_"
                      for c in text)  # fmt: skip
    return (f"_{allowed}" if allowed[:4].lower() == "aws:" else allowed)[:limit]
