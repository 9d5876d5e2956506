"""From a JSON document to a model, with one kind of error for everything that can be wrong.

``parse_document`` is the only way in for what callers send. It refuses what no JSON text can hold
or what would only hurt later (see ``well_formed``), lets pydantic check the shape, and says in
one form what is wrong: the field's dotted path, the value that stood there, and the mend.

Deeper rules raise ``InvalidRequest`` with a path relative to their own model, inside pydantic's
validation. Because that class is a ValueError pydantic carries it along, and
``validation_problem`` puts the two paths together again.
"""

from __future__ import annotations

import math
import re
import reprlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from chalicelib.core.errors import InvalidRequest, TooLarge
from chalicelib.core.patterns import WORDS

Model = TypeVar("Model", bound=BaseModel)

DEEPEST: Final = 64
"""Levels of nesting that a document may have. Ours have 7; params may hold more."""

WIDEST_INTEGER_BITS: Final = 1024
"""Python refuses to write integers of more than 4,300 digits; no value needs a tenth of it."""

SHOWN_CHARACTERS: Final = 200
"""How much of a bad value an error shows."""

_JSON_TYPES: Final = (type(None), str, int, float, Mapping, list, tuple)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")

_MENDS: Final = {
    "missing": "give this field",
    "string_type": "give a string; numbers are not converted",
    "string_too_short": "give a string that is not empty",
    "int_type": "give an integer",
    "int_parsing": "give an integer",
    "int_from_float": "give a number without a fraction",
    "bool_type": "give true or false",
    "bool_parsing": "give true or false",
    "list_type": "give a list",
    "tuple_type": "give a list",
    "dict_type": "give an object",
    "model_type": "give an object",
    "model_attributes_type": "give an object",
    "enum": "give one of the values named in the message",
    "literal_error": "give one of the values named in the message",
    "extra_forbidden": "leave it out, or correct its name",
    "greater_than_equal": "give a number of at least {ge}",
    "greater_than": "give a number above {gt}",
    "less_than_equal": "give a number of at most {le}",
    "less_than": "give a number below {lt}",
    "string_too_long": "give {max_length} characters at most",
    "too_long": "give {max_length} at most",
    "too_short": "give {min_length} at least",
}
"""Pydantic's types of errors; what stands in braces is in their context."""


def parse_document(model: type[Model], document: object) -> Model:
    """Check ``document``, an object as ``json.loads`` returns it, and return the model.

    Raises InvalidRequest, or the subclass that a rule chose, and nothing else.
    """
    try:
        return model.model_validate(well_formed(document))
    except ValidationError as exc:
        raise validation_problem(exc) from exc


def validation_problem(exc: ValidationError, *, prefix: str = "") -> InvalidRequest:
    """Say the first of pydantic's errors in our form; ``prefix`` is the path of the model.

    The class is InvalidRequest unless a rule raised a subclass of it (TooLarge, Forbidden).
    """
    errors = exc.errors(include_url=False)
    first = errors[0]
    field = _dotted(prefix, *_shown(first["loc"]))
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, InvalidRequest):
        problem = _relocated(cause, field)
    else:
        problem = _translated(first, field)
    if len(errors) > 1:
        problem.message += f" (and {len(errors) - 1} more)"
        problem.args = (problem.message,)
    return problem


def _relocated(cause: InvalidRequest, outer: str) -> InvalidRequest:
    field = _dotted(outer, cause.field)
    return type(cause)(cause.message, field=field, value=cause.value, mend=cause.mend)


def _translated(error: ErrorDetails, field: str) -> InvalidRequest:
    value = None if error["type"] == "missing" else shortened(error["input"])
    context = error.get("ctx", {})
    words = WORDS.get(str(context.get("pattern")))
    if words is not None:
        message, mend = "the value is not of the form that is needed", f"give {words}"
    else:
        message = error["msg"].replace("valid tuple", "list").replace("valid dictionary", "object")
        mend = _MENDS.get(error["type"], "correct the value as the message says").format(**context)
    name = field or "the document"
    return InvalidRequest(f"{name}: {message}", field=field, value=value, mend=mend)


def _dotted(*parts: str | int) -> str:
    return ".".join(str(part) for part in parts if part != "")


def _shown(keys: Iterable[str | int]) -> list[str]:
    return [str(shortened(key)) for key in keys]


@contextmanager
def at_field(field: str) -> Iterator[None]:
    """Let an InvalidRequest that is raised inside say that it happened at ``field``."""
    try:
        yield
    except InvalidRequest as exc:
        raise _relocated(exc, field) from exc


def shortened(value: object) -> object:
    """Return the value itself where it is short; of lists and objects, and what is long, text."""
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)  # JSON has no such number, and problem documents are JSON
    if value is None or isinstance(value, bool | int | float) or value in ([], {}):
        return value
    text = value if isinstance(value, str) else reprlib.repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


def well_formed(document: object) -> Any:
    """Return ``document`` if JSON can carry it unharmed; raise InvalidRequest otherwise.

    Refused: NaN and infinities, integers past ``WIDEST_INTEGER_BITS``, lone surrogates, keys that
    are not strings, what JSON does not know, and nesting past ``DEEPEST`` (which ends cycles).
    """
    waiting: list[tuple[tuple[Any, ...], object, int]] = [((), document, 0)]
    while waiting:
        # The path is a chain of (parent's path, key): written out for every value it could
        # become far larger than the document.
        path, value, depth = waiting.pop()
        problem = _harm(value, depth)
        if problem:
            raise InvalidRequest(
                f"a value {problem}",
                field=_dotted(*_shown(_keys(path))),
                value=shortened(value) if depth <= DEEPEST else None,
                mend="send JSON with text in UTF-8, finite numbers and moderate nesting",
            )
        waiting.extend(((path, key), child, depth + 1) for key, child in _children(value))
    return document


def check_widths(document: object, most: int) -> None:
    """Raise TooLarge where a list or an object holds more than ``most`` values."""
    waiting: list[tuple[tuple[Any, ...], object]] = [((), document)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, Mapping | list | tuple) and len(value) > most:
            raise TooLarge(
                f"a list or an object has {len(value)} values; {most} can be taken",
                field=_dotted(*_shown(_keys(path))),
                value=len(value),
                mend="send less at a time",
            )
        waiting.extend(((path, key), child) for key, child in _children(value))


def _keys(path: tuple[Any, ...]) -> list[str | int]:
    keys: list[str | int] = []
    while path:
        path, key = path
        keys.append(key)
    return keys[::-1]


def _harm(value: object, depth: int) -> str:
    problems = {
        "is no JSON value": not isinstance(value, _JSON_TYPES),
        f"is nested deeper than {DEEPEST} levels": depth > DEEPEST,
        "contains half a surrogate pair": isinstance(value, str) and not _is_text(value),
        "is too large an integer": isinstance(value, int)
        and value.bit_length() > WIDEST_INTEGER_BITS,
        "is not a finite number": isinstance(value, float) and not math.isfinite(value),
        "has a key that is not text": isinstance(value, Mapping) and not all(map(_is_text, value)),
    }
    return next((problem for problem, is_so in problems.items() if is_so), "")


def _children(value: object) -> Iterator[tuple[str | int, object]]:
    match value:
        case Mapping():
            yield from value.items()
        case list() | tuple():
            yield from enumerate(value)
        case _:
            return


def _is_text(value: object) -> bool:
    return isinstance(value, str) and _SURROGATE.search(value) is None
