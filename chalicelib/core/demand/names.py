"""Hashes and the names made from them (section 5 of the demand wire format).

Clients compare these names with the ones that the original system made, so the hashed text is a
contract down to the blanks: JSON with sorted keys, ``", "`` and ``": "``, and ``\\uXXXX``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Final

DIGEST_CHARACTERS: Final = 8
"""How much of a hash stands in a condensed name."""


def text_hash(text: str) -> str:
    """Return the SHA-256 of the text's UTF-8 bytes, in hex (no JSON quotes around it)."""
    return hashlib.sha256(text.encode()).hexdigest()


def short_hash(text: str) -> str:
    """Return the first 8 hex digits of ``text_hash``."""
    return text_hash(text)[:DIGEST_CHARACTERS]


def content_text(content: Sequence[object]) -> str:
    """Return the JSON text that is hashed: independent of the order of keys."""
    return json.dumps(content, sort_keys=True)


def content_hash(content: Sequence[object]) -> str:
    """Return the SHA-256 of ``content_text``, in hex."""
    return text_hash(content_text(content))


def condense(text: str, max_characters: int) -> str:
    """Cut a text that is too long and append the hash of all of it: ``<start>-<8 hex>``.

    ``max_characters`` is at least 9, the length of what is appended; otherwise ValueError.
    """
    if max_characters <= DIGEST_CHARACTERS:
        raise ValueError(f"{max_characters} characters do not hold a dash and a hash")
    if len(text) <= max_characters:
        return text
    return f"{text[: max_characters - DIGEST_CHARACTERS - 1]}-{short_hash(text)}"


def batch_name(env_base: str, execution_type: str, digest: str) -> str:
    """Return ``<env_base>-<execution_type>-<digest>``; a type's own prefix is not repeated."""
    is_prefixed = execution_type == env_base or execution_type.startswith(f"{env_base}-")
    start = execution_type if is_prefixed else f"{env_base}-{execution_type}"
    return f"{start}-{digest}"
