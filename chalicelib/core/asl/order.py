"""What comes after what, as sequences and things side by side: all that States can say.

A set of stages falls apart into those side by side where nothing of one waits for anything of
another, and into those one after another where *everything* of one comes before everything of the
next. Where it does neither there are four stages that form an N, and no state machine for them::

    a ─▶ c ◀─ b ─▶ d        c waits for a and b, d for b alone
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from chalicelib.core.errors import InvalidRequest


class InTurn(NamedTuple):
    """One after another."""

    parts: tuple[Order, ...]


class SideBySide(NamedTuple):
    """All at once; what comes next comes after all of them."""

    parts: tuple[Order, ...]


Order = str | InTurn | SideBySide


def order_of(after: Mapping[str, Sequence[str]]) -> Order:
    """Return the order of some stages, at least one, each with those directly before it.

    Raises InvalidRequest, naming the stages, where States has no words for it.
    """
    before: dict[str, set[str]] = {}
    waiting = dict(after)
    while waiting:
        name = next(each for each, first in waiting.items() if before.keys() >= set(first))
        first = waiting.pop(name)
        before[name] = {*first, *(far for near in first for far in before[near])}
    return _order(tuple(after), before)


def names_in(order: Order) -> tuple[str, ...]:
    """Return the stages of an order."""
    if isinstance(order, str):
        return (order,)
    return tuple(name for part in order.parts for name in names_in(part))


def _order(names: tuple[str, ...], before: Mapping[str, set[str]]) -> Order:
    if len(names) == 1:
        return names[0]

    def is_ordered(one: str, other: str) -> bool:
        return one in before[other] or other in before[one]

    beside = _groups(names, is_ordered)
    if len(beside) > 1:
        return SideBySide(tuple(_order(group, before) for group in beside))
    turns = _groups(names, lambda one, other: not is_ordered(one, other))
    if len(turns) == 1:
        raise _knotted(names, before)
    turns.sort(key=lambda group: len(before[group[0]] & set(names)))
    return InTurn(tuple(_order(group, before) for group in turns))


def _groups(
    names: tuple[str, ...], touches: Callable[[str, str], bool]
) -> list[tuple[str, ...]]:  # fmt: skip
    """Return the names in groups, no two of which touch."""
    left, found = list(names), []
    while left:
        group = [left.pop(0)]
        for one in group:
            near = [other for other in left if touches(one, other)]
            group += near
            left = [other for other in left if other not in near]
        found.append(tuple(name for name in names if name in group))
    return found


def _knotted(names: tuple[str, ...], before: Mapping[str, set[str]]) -> InvalidRequest:
    a, b, c, d = next(
        (a, b, c, d)
        for c in names
        for b in before[c].intersection(names)
        for d in names
        if b in before[d] and not before[d] & {c} and not before[c] & {d} and d != c
        for a in before[c].intersection(names)
        if a not in before[d] | before[b] and b not in before[a] and d not in before[a]
    )
    return InvalidRequest(
        f"Amazon States Language cannot say that {c} waits for {a} and {b}, and {d} for {b} alone",
        field="stages",
        value=f"{a}, {b}, {c}, {d}",
        mend=f"let {d} come after {a} as well, or put {a} and {c} or {b} and {d} into a pipeline",
    )
