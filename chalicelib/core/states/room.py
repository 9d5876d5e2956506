"""How much may be looked up for one document.

A value counts each time that something refers to it: the tree in memory holds it once, but the
document that is written holds it as often. Without a bound a hundred stages that each name the
one before them twice would write 2^100 times the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue

from chalicelib.core.errors import InvalidRequest
from chalicelib.core.limits import LAMBDA_PAYLOAD_BYTES

_USUAL_BYTES: Final = 4
"""Of a number or a constant, and of the signs around any value."""


class Room:
    """What is left of it; as much as a document that comes in may have, at the beginning."""

    def __init__(self, most_bytes: int = LAMBDA_PAYLOAD_BYTES) -> None:
        self._most = self._left = most_bytes

    def take(self, value: JsonValue) -> JsonValue:
        """Return the value, which takes its size away. Raises InvalidRequest if it has no room."""
        self._left -= _size(value, self._left + 1)
        if self._left < 0:
            raise InvalidRequest(
                f"what the references of one document find has more than {self._most:,} bytes",
                mend="refer to less of it, or leave it in a bucket and hand on where it is",
            )
        return value


def _size(value: JsonValue, most: int) -> int:
    """Return about how many bytes of JSON the value is; it is not counted beyond ``most``."""
    size, waiting = 0, [value]
    while waiting and size < most:
        each = waiting.pop()
        size += _USUAL_BYTES
        match each:
            case str():
                size += len(each)
            case Mapping():
                size += sum(len(name) + _USUAL_BYTES for name in each)
                waiting.extend(each.values())
            case list():
                waiting.extend(each)
    return size
