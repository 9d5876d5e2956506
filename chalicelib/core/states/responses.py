"""What a function's response may be, and what is said of one that is none."""

from __future__ import annotations

from typing import Final

from pydantic import JsonValue

from chalicelib.core.documents import well_formed
from chalicelib.core.errors import InvalidRequest, StepFailed
from chalicelib.core.json_text import read_value
from chalicelib.core.limits import STATES_PAYLOAD_BYTES

NO_RESPONSE: Final = "no_response"
BAD_RESPONSE: Final = "bad_response"
FUNCTION: Final = "function"
SHOWN_CHARACTERS: Final = 80


def missing(uri: str, written_by: str) -> StepFailed:
    """Return the error for a response that is not there."""
    told = f"; the job of stage {written_by} ended well and did not write it" if written_by else ""
    return StepFailed(f"there is no object {uri}{told}", cause=NO_RESPONSE)


def check_size(where: str, size_bytes: int) -> None:
    """Raise StepFailed for more than a run takes in."""
    if size_bytes > STATES_PAYLOAD_BYTES:
        raise StepFailed(
            f"{where} has {size_bytes:,} bytes, and a response may have {STATES_PAYLOAD_BYTES:,}",
            cause=BAD_RESPONSE,
        )


def parsed(where: str, content: bytes, *, is_json: bool) -> JsonValue:
    """Return the value, or ``{"Body": text}`` of what need not be JSON. Raises StepFailed."""
    try:
        if not is_json:
            return {"Body": content.decode()}
        value: JsonValue = well_formed(read_value(content, STATES_PAYLOAD_BYTES))
    except (InvalidRequest, UnicodeDecodeError) as exc:
        told = content[: 4 * SHOWN_CHARACTERS].decode(errors="replace")[:SHOWN_CHARACTERS]
        kind = "JSON" if is_json else "text in UTF-8"
        raise StepFailed(
            f"{where} is not {kind}: {exc}; it begins {told!r}", cause=BAD_RESPONSE
        ) from exc
    return value


def raised(function: str, error: str, message: str) -> StepFailed:
    """Return the error for a function that raised; ``error_of`` reads its name back."""
    return StepFailed(f"function {function} raised {error or 'Error'}: {message}", cause=FUNCTION)


def error_of(message: str) -> str | None:
    """Return the name in a message of ``raised``."""
    _, is_told, rest = message.partition(" raised ")
    return (rest.partition(":")[0] or None) if is_told else None
