"""The filter language, from JSON to conditions. Typed: what is not in this table is refused.

==============================================  ================================================
``{"f": v}``, ``{"f": {"$eq": v}}``             equal, or an array that contains ``v``; for a list
                                                ``[a, …]`` an array that contains all of them too
``{"f": {"$in": […]}}``                         equal to one of them, or an array with one of them
``{"f": {"$gt": n}}``, $gte, $lt, $lte          both are numbers; null never matches
``{"f": {"$ne": v}}``, ``{"f": {"$nin": …}}``   the contrary of the first two
``{"f": {"$exists": true}}``                    the field is there, be it null
``{"f": {"$regex": "…"}}``                      a text in which it is found, or an array of such
``{"$expr": {"$gte": ["$f", "$g"]}}``           two fields that are numbers; $gt $lt $lte $eq too
``{"$and": […]}``, ``{"$or": […]}``             filters
several keys or operators                       all of them
==============================================  ================================================

Nothing here runs what a caller wrote: there is no ``$where`` and no ``$function``, not even inside
a value, where they would be names and mean nothing. A regular expression is read by Python, so
those that could take for ever are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from chalicelib.core.documents import well_formed
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.work.conditions import (
    Among,
    Condition,
    Either,
    Every,
    Exists,
    FieldsOrdered,
    Like,
    Not,
    Ordered,
    Ordering,
    Path,
)

REGEX_CHARACTERS: Final = 256
_REPEATS: Final = re.compile(r"(?<!\\)[*+{]")
_REPEATED_GROUP: Final = re.compile(r"\)[*+{]|\\[1-9]|\(\?P=")
_LARGEST: Final = 1e300
_MOST_REPEATS: Final = 3
"""n of them look at a text of m characters about m ** n times; see ``conditions.SEEN``."""


def parse_filter(query: object) -> Condition:
    """Return the condition that the filter spells. Raises InvalidRequest."""
    return _filter(well_formed(query), "query")


def _filter(query: object, where: str) -> Condition:
    if not isinstance(query, Mapping):
        raise _bad("a filter is an object", where, query, 'send {"field": value, …}')
    conditions = [_member(name, value, f"{where}.{name}") for name, value in query.items()]
    return conditions[0] if len(conditions) == 1 else Every(tuple(conditions))


def _member(name: str, value: object, where: str) -> Condition:
    if not name.startswith("$"):
        return _field(tuple(name.split(".")), value, where)
    match name:
        case "$and":
            return Every(_filters(value, where))
        case "$or":
            return Either(_filters(value, where))
        case "$expr":
            return _fields_ordered(value, where)
        case _:
            raise _unknown(name, where)


def _filters(value: object, where: str) -> tuple[Condition, ...]:
    if not isinstance(value, list) or not value:
        raise _bad("this takes a list of filters", where, value, "give at least one")
    return tuple(_filter(each, f"{where}.{number}") for number, each in enumerate(value))


def _field(path: Path, value: object, where: str) -> Condition:
    if "" in path:
        raise _bad("a field has an empty name", where, ".".join(path), "name the field")
    if not isinstance(value, Mapping) or not any(name.startswith("$") for name in value):
        return _is_equal(path, value, where)
    conditions = []
    for name, operand in value.items():
        operator = _OPERATORS.get(name)
        if operator is None:
            raise _unknown(name, where)
        conditions.append(operator(path, operand, f"{where}.{name}"))
    return conditions[0] if len(conditions) == 1 else Every(tuple(conditions))


def _is_equal(path: Path, operand: object, where: str) -> Condition:
    _check_literal(operand, where)
    return Among(path, (operand,))


def _is_among(path: Path, operand: object, where: str) -> Condition:
    if not isinstance(operand, list):
        raise _bad("this takes a list of values", where, operand, "give a list")
    _check_literal(operand, where)
    return Among(path, tuple(operand))


def _check_literal(value: object, where: str) -> None:
    match value:
        case Mapping():
            for name, each in value.items():
                if name.startswith("$"):
                    raise _unknown(name, where)
                _check_literal(each, f"{where}.{name}")
        case list():
            for each in value:
                _check_literal(each, where)


def _exists(path: Path, operand: object, where: str) -> Condition:
    if not isinstance(operand, bool):
        raise _bad("this takes true or false", where, operand, "give one of them")
    return Exists(path) if operand else Not(Exists(path))


def _like(path: Path, operand: object, where: str) -> Condition:
    if not isinstance(operand, str) or len(operand) > REGEX_CHARACTERS:
        mend = f"give a text of at most {REGEX_CHARACTERS} characters"
        raise _bad("this takes a regular expression", where, operand, mend)
    if len(_REPEATS.findall(operand)) > _MOST_REPEATS or _REPEATED_GROUP.search(operand):
        mend = f"repeat no group, use no back reference and at most {_MOST_REPEATS} of * + {{"
        raise _bad("the expression could take for ever", where, operand, mend)
    try:
        return Like(path, re.compile(operand))
    except (re.error, RecursionError, OverflowError) as exc:
        raise _bad(f"no regular expression: {exc}", where, operand, "correct it") from exc


def _ordered(ordering: Ordering) -> Callable[[Path, object, str], Condition]:
    def compare(path: Path, operand: object, where: str) -> Condition:
        if isinstance(operand, bool) or not isinstance(operand, int | float):
            raise _bad("this compares numbers", where, operand, "give a number")
        if abs(operand) > _LARGEST:
            raise _bad("this number is too large", where, operand, "give a smaller one")
        return Ordered(path, ordering, float(operand))

    return compare


def _negated(
    of: Callable[[Path, object, str], Condition],
) -> Callable[[Path, object, str], Condition]:
    return lambda path, operand, where: Not(of(path, operand, where))


_ORDERINGS: Final[dict[str, Ordering]] = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}

_OPERATORS: Final[dict[str, Callable[[Path, object, str], Condition]]] = {
    "$eq": _is_equal,
    "$ne": _negated(_is_equal),
    "$in": _is_among,
    "$nin": _negated(_is_among),
    "$exists": _exists,
    "$regex": _like,
    **{name: _ordered(ordering) for name, ordering in _ORDERINGS.items()},
}


def _fields_ordered(value: object, where: str) -> Condition:
    if not isinstance(value, Mapping) or len(value) != 1:
        mend = 'send {"$gte": ["$attempt", "$retries"]}'
        raise _bad("this takes one comparison of two fields", where, value, mend)
    ((name, operands),) = value.items()
    ordering = {**_ORDERINGS, "$eq": "=="}.get(name)
    if ordering is None:
        raise _unknown(name, where)
    left, right = _two_fields(operands, f"{where}.{name}")
    return FieldsOrdered(left, _ordering(ordering), right)


def _ordering(text: str) -> Ordering:
    return next(each for each in (">", ">=", "<", "<=", "==") if each == text)


def _two_fields(operands: object, where: str) -> Iterator[Path]:
    is_pair = isinstance(operands, list) and len(operands) == 2
    for operand in operands if isinstance(operands, list) and is_pair else [None]:
        if not isinstance(operand, str) or not re.fullmatch(r"\$[^$.]+(\.[^$.]+)*", operand):
            raise _bad("this compares two fields", where, operands, 'send ["$one", "$other"]')
        yield tuple(operand[1:].split("."))


def _unknown(name: str, where: str) -> InvalidRequest:
    mend = f"use one of {', '.join(_OPERATORS)}, $and, $or, $expr"
    return _bad(f"there is no operator {name!r:.50} here", where, name, mend)


def _bad(message: str, where: str, value: object, mend: str) -> InvalidRequest:
    return InvalidRequest(f"{where:.200}: {message}", field=where, value=value, mend=mend)
