"""From bytes to a JSON object, for every way in: a REST body, a request file, standard input.

Stricter than ``json.loads``, because what is ambiguous here becomes a surprise in a job: one
encoding, no key twice, no NaN; in a request, no list that is longer than anybody needs. How deep
the values may be is the business of ``documents.well_formed``, which every document passes then.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from chalicelib.core.documents import check_widths
from chalicelib.core.errors import InvalidRequest, TooLarge
from chalicelib.core.limits import LAMBDA_PAYLOAD_BYTES, REQUEST_LIST_ITEMS


def read_request(content: bytes) -> dict[str, Any]:
    """Return the request that ``content`` spells: an object without lists that are too long."""
    document = read_object(content)
    if content.count(b",") >= REQUEST_LIST_ITEMS:  # else no list can be as long
        check_widths(document, REQUEST_LIST_ITEMS)
    return document


def read_object(content: bytes, limit_bytes: int = LAMBDA_PAYLOAD_BYTES) -> dict[str, Any]:
    """Return the object that ``content`` spells. Raises InvalidRequest or TooLarge."""
    document = read_value(content, limit_bytes)
    if not isinstance(document, dict):
        raise not_an_object(document)
    return document


def read_value(content: bytes, limit_bytes: int = LAMBDA_PAYLOAD_BYTES) -> object:
    """Return whatever JSON ``content`` spells. Raises InvalidRequest or TooLarge."""
    if len(content) > limit_bytes:
        raise too_large(len(content), limit_bytes)
    return _parse(_text(content))


def not_an_object(document: object) -> InvalidRequest:
    """Return the error for a JSON value that stands where an object should."""
    return InvalidRequest(
        f"the document is a JSON {_name_of(document)}, not an object",
        mend="send a JSON object: { … }",
    )


def too_large(size_bytes: int, limit_bytes: int = LAMBDA_PAYLOAD_BYTES) -> TooLarge:
    """Return the error for a document of which that much is known to exist, read or not."""
    return TooLarge(
        f"the document is too large: {size_bytes} bytes or more; {limit_bytes} can be taken",
        mend="put what is large into S3 and name its place in the request",
    )


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")  # editors on Windows write a byte order mark
    except UnicodeDecodeError as exc:
        raise InvalidRequest(
            f"the document is not UTF-8: byte {exc.start} fits nowhere",
            mend="send JSON, encoded as UTF-8",
        ) from exc


def _parse(text: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant)
    except InvalidRequest:  # is a ValueError itself
        raise
    except json.JSONDecodeError as exc:
        raise InvalidRequest(
            f"the document is not JSON: {exc.msg} in line {exc.lineno}, column {exc.colno}",
            mend="correct the text there" if text.strip() else "send a JSON object: { … }",
        ) from exc
    except RecursionError as exc:
        raise InvalidRequest(
            "the document is nested too deeply", mend="nest less: requests need 7 levels"
        ) from exc
    except ValueError as exc:  # an integer of more than 4,300 digits
        raise InvalidRequest(
            "the document holds an integer that is too large", mend="send it as a string"
        ) from exc


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise InvalidRequest(
                f"the key {name!r:.200} stands twice in one object",
                field=name,
                mend="give every key once; which of the two counts is anybody's guess",
            )
        found[name] = value
    return found


def _refuse_constant(word: str) -> NoReturn:
    raise InvalidRequest(
        f"{word} is not JSON", value=word, mend="send a finite number, a string or null"
    )


def _name_of(document: object) -> str:
    match document:
        case list():
            return "list"
        case str():
            return "string"
        case bool() | None:
            return "constant"
        case _:
            return "number"
