"""Intrinsic functions: what each gives, and what each refuses."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.errors import InvalidRequest
from chalicelib.core.states.intrinsics import Scope, check, evaluate
from chalicelib.core.states.room import Room
from chalicelib.core.states.templates import resolved
from tests.unit.states.test_paths import VALUES

SCOPE = Scope(
    {"a": "x", "n": 5, "list": [1, 2], "o": {"k": 1, "deep": {"p": 1}}, "json": '{"q": [1]}',
     "t": "[{}]"},
    {"Execution": {"Name": "run-1"}},
    mint_uuid=lambda: "a-uuid",
)  # fmt: skip


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("States.Format('{}/{}.json', $$.Execution.Name, $.n)", "run-1/5.json"),
        ("States.Format('no holes')", "no holes"),
        ("States.Format('\\{\\} \\' \\\\ {}', true)", "{} ' \\ true"),
        ("States.Format('{}', null)", "null"),
        ("States.Format($.t, 'in it')", "[in it]"),
        ("States.UUID()", "a-uuid"),
        ("States.Format('s3://{}/{}', $.a, States.UUID())", "s3://x/a-uuid"),
        (
            "States.JsonMerge($.o, States.StringToJson('{\"deep\": 2}'), false)",
            {"k": 1, "deep": 2},
        ),
        ("States.StringToJson($.json)", {"q": [1]}),
        ("States.JsonToString($.o)", '{"k":1,"deep":{"p":1}}'),
        ("States.ArrayGetItem($.list, 1)", 2),
        ("States.Array($.a, 'it\\'s', -1.5, null, States.Array())", ["x", "it's", -1.5, None, []]),
        ("$$.Execution.Name", "run-1"),
        ("$.o['k']", 1),
        ("States.Array( $.list[0] , $['a'] )", [1, "x"]),
    ],
)
def test_it_gives(expression, value):
    assert evaluate(expression, SCOPE) == value


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("States.Format('{}')", "more {} than values"),
        ("States.Format('a', 1)", "more values than {}"),
        ("States.Format('{}', $.list)", "cannot be formatted"),
        ("States.Format('{')", "lone"),
        ("States.Format($.n)", "no text"),
        ("States.JsonMerge($.o, $.o, true)", "shallow"),
        ("States.JsonMerge($.o, $.list, false)", "two objects"),
        ("States.JsonMerge($.o)", "States.JsonMerge"),
        ("States.StringToJson('{')", "States.StringToJson"),
        ("States.StringToJson($.n)", "a text"),
        ("States.StringToJson('NaN')", "NaN"),
        ("States.StringToJson('\"\\\\ud800\"')", "surrogate"),
        ('States.StringToJson(\'{"a":1,"a":2}\')', "twice"),
        (f"States.StringToJson('{'[' * 70}{']' * 70}')", "nested deeper"),
        (f"States.StringToJson('{'[' * 50_000}{']' * 50_000}')", "nested too deeply"),
        ("States.Array(1e999)", "too large a number"),
        (f"States.Array({'1' * 5000})", "too large a number"),
        ("States.ArrayGetItem($.list, 2)", "index"),
        ("States.ArrayGetItem($.list, -1)", "index"),
        ("States.ArrayGetItem($.list, true)", "index"),
        ("States.UUID(1)", "not a function"),
        ("States.System('x')", "not a function"),
        ("States.UUID", "missing"),
        ("States.Array(1", "comma or )"),
        ("States.Array(1 2)", "comma or )"),
        ("States.Array(,)", "a value is missing"),
        ("States.UUID() + 1", "nothing is expected"),
        ("States.Array(" * 12 + ")" * 12, "nested deeper"),
        ("plain", "missing"),
        ("$.none", "there is nothing"),
        ("$$.none", "there is nothing"),
    ],
)
def test_it_refuses_in_words(expression, told):
    with pytest.raises(InvalidRequest) as refused:
        evaluate(expression, SCOPE)
    assert told in str(refused.value)
    assert refused.value.mend


def test_nothing_fresh_comes_from_where_nothing_was_given():
    with pytest.raises(InvalidRequest):
        evaluate("States.UUID()", Scope({}))


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("States.Hash('x', 'MD5')", "not a function"),
        ("States.JsonMerge($.a, $.b)", "States.JsonMerge"),
        ("States.Array(States.UUID(1))", "not a function"),
        ("States.Format('{}', $.a", "comma or )"),
    ],
)
def test_what_no_value_could_mend_is_seen_before_there_are_values(expression, told):
    with pytest.raises(InvalidRequest) as refused:
        list(check(expression))
    assert told in str(refused.value)


def test_the_paths_of_an_expression_are_those_outside_of_its_texts():
    expression = "States.Format('{} $.no', States.Array($.a, $$.Execution.Name), States.UUID())"
    assert list(check(expression)) == ["$.a", "$$.Execution.Name"]


class TestRoom:
    """What may be looked up for one document is bounded, however it is asked for."""

    @pytest.mark.parametrize(
        "tree",
        [
            ["$.big"] * 11,
            "States.Array($.big, $.big, $.big, $.big, $.big, $.big)",
            "States.Format('{}{}{}{}{}{}', $.big, $.big, $.big, $.big, $.big, $.big)",
            ["States.JsonToString($.big)"] * 6,
        ],
        ids=["paths", "lists", "texts", "calls"],
    )
    def test_more_than_it_is_refused(self, tree):
        with pytest.raises(InvalidRequest) as refused:
            resolved(tree, Scope({"big": "x" * 1000}, room=Room(10_000)))
        assert "more than 10,000 bytes" in str(refused.value)
        assert refused.value.mend

    def test_a_value_that_is_only_looked_at_takes_none(self):
        scope = Scope({"big": {"inner": ["x" * 1000]}}, room=Room(900))
        assert evaluate("$.big", scope) == {"inner": ["x" * 1000]}

    @given(VALUES)
    def test_a_value_takes_no_more_than_about_what_it_is(self, value):
        size = len(json.dumps(value, ensure_ascii=False))
        assert Room(5 * size + 5).take(value) == value


@given(VALUES)
def test_a_value_as_text_and_back_is_the_value(value):
    text = evaluate("States.JsonToString($.v)", Scope({"v": value}))
    assert evaluate("States.StringToJson($.t)", Scope({"t": text})) == value
    assert json.loads(text) == value


@given(st.text())
def test_a_text_in_quotes_comes_out_as_it_was(text):
    quoted = text.replace("\\", "\\\\").replace("'", "\\'")
    assert evaluate(f"States.Array('{quoted}')", Scope({})) == [text]
