"""Rules of a choice that could never hold are refused; the others hold or do not."""

from __future__ import annotations

import pytest

from chalicelib.core.errors import InvalidRequest
from chalicelib.core.states.choices import check_rule, holds
from chalicelib.core.states.intrinsics import Scope

SCOPE = Scope({"n": 3, "t": "a.b", "yes": True, "at": "2026-01-02T03:04:05Z", "none": None})


def rule(variable, **operator):
    return {"Variable": variable, **operator}


@pytest.mark.parametrize(
    ("given", "is_so"),
    [
        (rule("$.n", NumericGreaterThan=2), True),
        (rule("$.n", NumericEqualsPath="$.n"), True),
        (rule("$.t", NumericEquals=3), False),
        (rule("$.t", StringMatches="a.*"), True),
        (rule("$.at", TimestampLessThan="2026-01-03T00:00:00+00:00"), True),
        (rule("$.yes", BooleanEquals=True), True),
        (rule("$.none", IsNull=True), True),
        (rule("$.gone", IsPresent=False), True),
        ({"Not": rule("$.yes", BooleanEquals=True)}, False),
        ({"And": [rule("$.gone", IsPresent=True), rule("$.gone", IsNull=True)]}, False),
        ({"Or": [rule("$.n", NumericEquals=4), rule("$.n", NumericEquals=3)]}, True),
    ],
)
def test_a_rule_holds_or_does_not(given, is_so):
    check_rule(given)
    assert holds(given, SCOPE) is is_so


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (rule("n", NumericEquals=3), "Variable"),
        (rule("$.n", NumericEquals="3"), "NumericEquals"),
        (rule("$.n", NumericEquals=True), "NumericEquals"),
        (rule("$.n", NumericEqualsPath="n"), "NumericEqualsPath"),
        (rule("$.t", StringEquals=1), "StringEquals"),
        (rule("$.t", StringMatches=None), "StringMatches"),
        (rule("$.at", TimestampEquals="yesterday"), "TimestampEquals"),
        (rule("$.yes", BooleanEquals="true"), "BooleanEquals"),
        (rule("$.yes", BooleanEqualsPath=True), "BooleanEqualsPath"),
        (rule("$.n", IsPresent="yes"), "IsPresent"),
        ({"Not": rule("$.n", IsNull=1)}, "Not.IsNull"),
    ],
)
def test_what_could_never_be_compared_is_refused(given, field):
    with pytest.raises(InvalidRequest) as refused:
        check_rule(given)
    assert refused.value.field == field
    assert refused.value.mend
