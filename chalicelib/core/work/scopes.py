"""Where a store has to look for what a filter can match: the part of it that the keys know.

A scope is a promise in one direction: whatever the filter matches lies in its scope. What lies in
the scope need not match, and whoever reads it asks ``conditions.matches`` as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

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
    Path,
)
from chalicelib.core.work.model import WorkStatus

Value = TypeVar("Value")


@dataclass(frozen=True)
class Scope:
    """Which works to look at; None stands for all of them."""

    pipelines: tuple[str, ...] | None = None
    site: str | None = None
    priority: int | None = None
    statuses: tuple[WorkStatus, ...] | None = None
    ids: tuple[str, ...] | None = None
    created_from: float | None = None
    created_until: float | None = None
    """Both ends belong to it."""
    has_results: bool = True
    """Whether the documents must come with their ``results``, which may lie elsewhere."""
    is_retryable: bool = False
    """Only those that ``Work.is_retryable`` says it of."""
    overdue_at: float | None = None
    """Only those whose deadline is before this."""
    is_in_turn: bool = False
    """Only queued ones, and in the order in which they are withdrawn."""


def scope_of(condition: Condition, *, has_results: bool = True) -> Scope:
    """Return the scope of a filter; ``has_results``: whether the caller needs them anyway."""
    scope = Scope(has_results=has_results or _asks_for_results(condition))
    for each in _necessary(condition):
        match each:
            case Among(path, values):
                scope = _narrowed(scope, path, values)
            case Ordered(("creation",), ordering, bound) if ordering in (">", ">="):
                scope = replace(scope, created_from=max(bound, _or(scope.created_from, bound)))
            case Ordered(("creation",), _, bound):
                scope = replace(scope, created_until=min(bound, _or(scope.created_until, bound)))
            case _:
                pass
    return scope


def _necessary(condition: Condition) -> Iterator[Condition]:
    if isinstance(condition, Every):
        for each in condition.conditions:
            yield from _necessary(each)
    else:
        yield condition


def _narrowed(scope: Scope, path: Path, values: tuple[object, ...]) -> Scope:
    texts = tuple(sorted({value for value in values if isinstance(value, str)}))
    match path:
        case ("pipeline",):
            return replace(scope, pipelines=_both(scope.pipelines, texts))
        case ("id",):
            return replace(scope, ids=_both(scope.ids, texts))
        case ("status",):
            statuses = tuple(each for each in WorkStatus if each.value in texts)
            return replace(scope, statuses=_both(scope.statuses, statuses))
        case ("site",) if len(values) == 1 and texts:
            return replace(scope, site=texts[0])
        case ("priority",) if len(values) == 1:
            wanted = next((each for each in range(1, 6) if each == values[0]), None)
            return replace(scope, priority=wanted)
    return scope


def _or(number: float | None, otherwise: float) -> float:
    return otherwise if number is None else number


def _both(one: tuple[Value, ...] | None, other: tuple[Value, ...]) -> tuple[Value, ...]:
    return other if one is None else tuple(value for value in one if value in other)


def _asks_for_results(condition: Condition) -> bool:
    match condition:
        case Among(path) | Ordered(path) | Exists(path) | Like(path):
            return path[0] == "results"
        case FieldsOrdered(left, _, right):
            return "results" in (left[0], right[0])
        case Not(inner):
            return _asks_for_results(inner)
        case Every(conditions) | Either(conditions):
            return any(map(_asks_for_results, conditions))
