"""One kind of error for everything that can be wrong with a document."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import Field, ValidationError, field_validator

from chalicelib.core.documents import (
    DEEPEST,
    at_field,
    parse_document,
    shortened,
    validation_problem,
    well_formed,
)
from chalicelib.core.errors import Forbidden, InvalidRequest, TooLarge
from chalicelib.core.noun import Noun


class Inner(Noun):
    size: int = Field(default=0, le=9)
    names: tuple[str, ...] = ()

    @field_validator("size")
    @classmethod
    def _own_rule(cls, size: int) -> int:
        if size == 7:
            raise TooLarge("seven is too large", field="deep.er", value=7, mend="take six")
        return size


class Outer(Noun):
    inner: Inner


def problem(document: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        parse_document(Outer, document)
    return caught.value


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("document", "field", "value", "mend"),
    [
        ({}, "inner", None, "give this field"),
        ({"inner": 3}, "inner", 3, "give an object"),
        ({"inner": {"size": "x"}}, "inner.size", "x", "give an integer"),
        ({"inner": {"names": ["a", 2]}}, "inner.names.1", 2, "give a string"),
        ({"inner": {"names": "a"}}, "inner.names", "a", "give a list"),
        ({"inner": {"size": 10}}, "inner.size", 10, "give a number of at most 9"),
        ([1], "", "[1]", "give an object"),
    ],
    ids=repr,
)
def test_an_error_says_field_value_and_mend(
    document: Any, field: str, value: Any, mend: str
) -> None:
    found = problem(document)
    assert (found.field, found.value) == (field, value)
    assert mend in found.mend
    assert (field or "the document") in found.message
    assert "tuple" not in found.message


def test_a_rule_of_ours_keeps_its_class_and_extends_its_field() -> None:
    found = problem({"inner": {"size": 7}})
    assert isinstance(found, TooLarge)
    assert (found.field, found.value, found.mend) == ("inner.size.deep.er", 7, "take six")


def test_further_errors_are_counted() -> None:
    found = problem({"inner": {"size": "x", "names": "y", "other": 1}})
    assert found.message.endswith("(and 2 more)")
    assert str(found) == found.message


def test_a_caller_can_say_where_the_model_stood() -> None:
    with pytest.raises(ValidationError) as caught:
        Inner.model_validate({"size": "x"})
    assert validation_problem(caught.value, prefix="a.b").field == "a.b.size"


def test_a_field_is_added_around_an_error() -> None:
    with pytest.raises(Forbidden) as caught, at_field("a"), at_field("b"):
        raise Forbidden("no", field="c", value=1, mend="ask")
    assert (caught.value.field, caught.value.value, caught.value.mend) == ("a.b.c", 1, "ask")


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (float("nan"), ""),
        ({"a": [float("inf")]}, "a.0"),
        ({"a": "\udc00"}, "a"),
        ({"a": {"\udc00": 1}}, "a"),
        ({1: 2}, ""),
        ({"a": 1 << 2000}, "a"),
        ({"a": object()}, "a"),
        ({"a": b"bytes"}, "a"),
        ({"a": {1, 2}}, "a"),
    ],
    ids=[
        "NaN", "infinity", "surrogate", "surrogate key", "number key", "huge integer", "object",
        "bytes", "set",
    ],
)  # fmt: skip
def test_what_json_cannot_carry_is_refused(value: Any, field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        well_formed(value)
    assert caught.value.field == field


def test_nesting_is_bounded() -> None:
    assert well_formed(nested(DEEPEST))
    for levels in (DEEPEST + 1, 100_000):
        with pytest.raises(InvalidRequest, match="nested deeper"):
            well_formed(nested(levels))


def test_a_circle_ends() -> None:
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(InvalidRequest):
        well_formed(circle)


def test_long_keys_do_not_multiply() -> None:
    key = "k" * 1_000_000
    with pytest.raises(InvalidRequest) as caught:
        well_formed({key: [{key: [1] * 100_000}, float("nan")]})
    assert len(caught.value.field) < 300


@pytest.mark.parametrize("value", [None, True, 3, 1.5, "text"], ids=repr)
def test_short_values_are_shown_as_they_are(value: Any) -> None:
    assert shortened(value) is value


@pytest.mark.parametrize("value", ["x" * 10_000, ["x" * 10_000] * 50, {"k" * 999: nested(30)}])
def test_long_values_are_cut(value: Any) -> None:
    assert len(str(shortened(value))) <= 201
