"""Conditions of a filter, and whether a document meets them.

Values are compared as JSON has them: 1 equals 1.0 and differs from true. A path descends into
objects, and into every object of a list; a field that is missing is like null, but for ``Exists``.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal, assert_never

Path = tuple[str, ...]
Document = Mapping[str, Any]
Ordering = Literal[">", ">=", "<", "<=", "=="]

SEEN: Final = 512
"""How many characters of a text a regular expression is shown."""


@dataclass(frozen=True)
class Among:
    """The field equals one of the values, or is an array with one of them."""

    path: Path
    values: tuple[object, ...]

    @cached_property
    def keys(self) -> frozenset[Hashable]:
        """Return what ``values`` are looked up by."""
        return frozenset(_key(value) for value in self.values)

    @cached_property
    def lists(self) -> tuple[frozenset[Hashable], ...]:
        """Return the values that are lists: an array with all of their elements matches."""
        given = [value for value in self.values if isinstance(value, list) and value]
        return tuple(frozenset(map(_key, value)) for value in given)


@dataclass(frozen=True)
class Ordered:
    """The field is a number and stands so to the bound."""

    path: Path
    ordering: Ordering
    bound: float


@dataclass(frozen=True)
class FieldsOrdered:
    """Both fields are numbers and stand so to each other."""

    left: Path
    ordering: Ordering
    right: Path


@dataclass(frozen=True)
class Exists:
    """The field is there."""

    path: Path


@dataclass(frozen=True)
class Like:
    """The field is a text in which the expression is found, or an array with such a text."""

    path: Path
    pattern: re.Pattern[str]


@dataclass(frozen=True)
class Not:
    """The condition does not hold."""

    condition: Condition


@dataclass(frozen=True)
class Every:
    """All of them hold; of none, everything."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True)
class Either:
    """One of them holds."""

    conditions: tuple[Condition, ...]


Condition = Among | Ordered | FieldsOrdered | Exists | Like | Not | Every | Either


def matches(condition: Condition, document: Document) -> bool:  # noqa: PLR0911 -- one per kind
    """Tell whether the document meets the condition."""
    match condition:
        case Among():
            return _is_among(condition, document)
        case Ordered(path, ordering, bound):
            return _holds(_numbers(document, path), ordering, [bound])
        case FieldsOrdered(left, ordering, right):
            return _holds(_numbers(document, left), ordering, _numbers(document, right))
        case Exists(path):
            return next(_values(document, path), _MISSING) is not _MISSING
        case Like(path, pattern):
            texts = (each for each in _elements(document, path) if isinstance(each, str))
            return any(pattern.search(text[:SEEN]) for text in texts)
        case Not(inner):
            return not matches(inner, document)
        case Every(conditions):
            return all(matches(each, document) for each in conditions)
        case Either(conditions):
            return any(matches(each, document) for each in conditions)
        case _:
            assert_never(condition)


_MISSING: Final = object()
_COMPARISONS: Final[dict[Ordering, Callable[[Any, Any], bool]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
}


def _is_among(condition: Among, document: Document) -> bool:
    keys = condition.keys
    is_found = False
    for value in _values(document, condition.path):
        is_found = True
        if _key(value) in keys:
            return True
        if isinstance(value, list):
            held = set(map(_key, value))
            if not held.isdisjoint(keys) or any(wanted <= held for wanted in condition.lists):
                return True
    return not is_found and _key(None) in keys


def _values(value: object, path: Path) -> Iterator[object]:
    """Yield what stands at the path; several things where it leads through a list."""
    if not path:
        yield value
    elif isinstance(value, Mapping):
        if path[0] in value:
            yield from _values(value[path[0]], path[1:])
    elif isinstance(value, list):
        for each in value:
            if isinstance(each, Mapping):
                yield from _values(each, path)


def _elements(document: Document, path: Path) -> Iterator[object]:
    for value in _values(document, path):
        if isinstance(value, list):
            yield from value
        else:
            yield value


def _numbers(document: Document, path: Path) -> list[float]:
    return [
        each
        for each in _elements(document, path)
        if isinstance(each, int | float) and not isinstance(each, bool)
    ]


def _holds(left: list[float], ordering: Ordering, right: list[float]) -> bool:
    compare = _COMPARISONS[ordering]
    return any(compare(one, other) for one in left for other in right)


def _key(value: object) -> Hashable:
    """Return something that is equal where JSON values are."""
    match value:
        case bool():
            return ("constant", value)
        case list():
            return ("list", tuple(map(_key, value)))
        case Mapping():
            return ("object", frozenset((name, _key(each)) for name, each in value.items()))
        case _:
            return value if isinstance(value, Hashable) else repr(value)
