"""How values are typed for DynamoDB, and what they weigh."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.aws.attributes import from_attribute, from_item, size_bytes, to_attribute, to_item


@pytest.mark.parametrize(
    ("value", "attribute"),
    [
        (None, {"NULL": True}),
        (True, {"BOOL": True}),
        ("", {"S": ""}),
        (0, {"N": "0"}),
        (-(10**38) + 1, {"N": "-" + "9" * 38}),
        (10**38, {"S": "1" + "0" * 38}),
        (0.1, {"N": "0.1"}),
        (0.0, {"N": "0.0"}),
        (1e-200, {"S": "1e-200"}),
        (1e300, {"S": "1e+300"}),
        (float("inf"), {"S": "inf"}),
        ([1, "a"], {"L": [{"N": "1"}, {"S": "a"}]}),
        ({"a": ()}, {"M": {"a": {"L": []}}}),
    ],
    ids=repr,
)
def test_values_are_typed(value, attribute):
    assert to_attribute(value) == attribute


def test_what_no_attribute_can_hold_is_a_mistake_of_ours():
    with pytest.raises(TypeError, match="bytes"):
        to_attribute(b"")


@pytest.mark.parametrize(
    ("number", "value"), [("1", 1), ("-12", -12), ("0.5", 0.5), ("1E+2", 100.0)]
)
def test_a_whole_number_is_an_int(number, value):
    found = from_attribute({"N": number})
    assert (found, type(found)) == (value, type(value))


@given(st.floats(allow_nan=False))
def test_a_float_is_written_in_a_form_that_dynamodb_holds_exactly(value):
    ((kind, text),) = to_attribute(value).items()
    assert float(text) == value
    if kind == "N":
        number = Decimal(text)
        assert len(number.as_tuple().digits) <= 38
        assert number == 0 or Decimal("1e-130") <= abs(number) < Decimal("9.9e125")


@pytest.mark.parametrize(
    ("value", "expected"),
    [("ü", 2), (None, 1), ([], 3), ({}, 3), ({"ab": ["c"]}, 3 + 2 + (3 + 1 + 1) + 1)],
    ids=repr,
)
def test_sizes_are_counted_as_aws_says(value, expected):
    assert size_bytes(value) == expected


def test_an_item_comes_back():
    values = {"a": [1, 0.5, "x", None, True], "b": {"c": {}}}
    assert from_item(to_item(values)) == values
