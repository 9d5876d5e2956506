"""What comes after what, said with sequences and things side by side alone."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.asl.order import InTurn, SideBySide, names_in, order_of
from chalicelib.core.errors import InvalidRequest


@st.composite
def orders(draw, depth=3):
    """An order, and the stages directly before each, as a document would have them."""
    counter = iter(range(1000))

    def built(level):
        kind = draw(st.sampled_from(["one", "turn", "side"])) if level else "one"
        if kind == "one":
            name = f"s{next(counter)}"
            return {name: ()}, (name,), (name,)
        parts = [built(level - 1) for _ in range(draw(st.integers(2, 3)))]
        after = {name: first for part, _, _ in parts for name, first in part.items()}
        if kind == "side":
            firsts = tuple(name for _, first, _ in parts for name in first)
            return after, firsts, tuple(name for _, _, last in parts for name in last)
        for (_, _, last), (_, first, _) in itertools.pairwise(parts):
            after |= {name: (*after[name], *last) for name in first}
        return after, parts[0][1], parts[-1][2]

    return built(depth)[0]


def precedes(order):
    """Return every (before, after) that the order says."""
    match order:
        case InTurn(parts):
            inner = {pair for part in parts for pair in precedes(part)}
            names = [names_in(part) for part in parts]
            return inner | {
                (one, other)
                for place, before in enumerate(names)
                for after in names[place + 1 :]
                for one in before
                for other in after
            }
        case SideBySide(parts):
            return {pair for part in parts for pair in precedes(part)}
        case _:
            return set()


def closure(after):
    found = {(one, name) for name, first in after.items() for one in first}
    while more := {(a, d) for a, b in found for c, d in found if b == c} - found:
        found |= more
    return found


@given(orders())
def test_an_order_says_all_that_the_stages_say_and_nothing_more(after):
    found = order_of(after)
    assert sorted(names_in(found)) == sorted(after)
    assert precedes(found) == closure(after)


def test_what_is_said_twice_changes_nothing():
    assert order_of({"a": (), "b": ("a",), "c": ("b", "a")}) == InTurn(("a", "b", "c"))


def test_what_stands_first_in_the_document_may_come_later():
    assert order_of({"b": ("a",), "a": ()}) == InTurn(("a", "b"))


@pytest.mark.parametrize(
    "after",
    [
        {"a": (), "b": (), "c": ("a", "b"), "d": ("b",)},
        {"z": (), "b": ("z",), "a": ("z",), "d": ("b",), "c": ("a", "b"), "e": ("c", "d")},
    ],
    ids=["an N", "an N within"],
)
def test_stages_that_form_an_n_are_refused_by_their_names(after):
    with pytest.raises(InvalidRequest) as refused:
        order_of(after)
    assert refused.value.value == "a, b, c, d"
    assert "c waits for a and b, and d for b alone" in refused.value.message
    assert refused.value.mend
