"""Parameters: names, values, the forms of inputs and outputs, filters (sections 3.1 to 3.6)."""

from __future__ import annotations

import json
import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.demand.env_names import env_name
from chalicelib.core.demand.job_params import JobParam
from chalicelib.core.demand.parameters import ExecutionParameters
from chalicelib.core.demand.resolvables import Resolvable, read_input, read_output
from chalicelib.core.errors import InvalidRequest

PREFIX = "s3://interop-bucket/out/"
NAMES = st.from_regex(r"[_a-zA-Z][_a-zA-Z0-9.\-]{0,8}", fullmatch=True)


def read(document: dict[str, Any]) -> dict[str, JobParam]:
    params = ExecutionParameters.parse(document).job_params
    return {param.name: param for param in params}


def refused(document: dict[str, Any]) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        ExecutionParameters.parse(document)
    return caught.value


@pytest.mark.parametrize(
    ("name", "expected"),
    [("in-file", "IN_FILE"), ("a.b", "A_B"), ("_x", "_X"), ("fooBar", "FOOBAR"), ("-", "_")],
)
def test_a_name_becomes_an_environment_name(name: str, expected: str) -> None:
    assert env_name(name) == expected


@pytest.mark.parametrize(
    "name",
    ["1a", "a b", "a/b", "", "é", "ß", "\u0131", "\u017fx", "a\n", "a=b", "${A}", "a" * 999 + " "],
)
def test_a_name_that_no_variable_can_have_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest):
        env_name(name)
    assert refused({"params": {name: 1}}).field == f"params.{name}"


@given(NAMES)
def test_environment_names_stay_as_they_are(name: str) -> None:
    assert env_name(env_name(name)) == env_name(name)


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"params": {"a-b": 1, "a_b": 2}}, "params.a_b"),
        ({"params": {"a": 1}, "inputs": ["b"]}, "inputs.0"),
        ({"params": {"a": "x"}, "outputs": ["a", "b"], "output_s3_prefix": PREFIX}, "outputs.1"),
        ({"params": {"a": "x"}, "inputs": ["1"]}, "inputs.0"),
        ({"params": {"a": "x"}, "inputs": ["a"], "outputs": ["A"]}, "outputs"),
        ({"params": []}, "params"),
        ({"params": {"a": float("nan")}}, "params.a"),
        ({"params": {"a": [{"b": "\ud800"}]}}, "params.a.0.b"),
        ({"params": {"a": 10**400}}, "params.a"),
        ({"inputs": "a"}, "inputs"),
        ({"output_s3_prefix": "s3://interop-bucket/${K}"}, "output_s3_prefix"),
        ({"verbosity": "loud"}, "verbosity"),
        ({"outputs_metadata": {"a": 1}}, "outputs_metadata.a"),
    ],
    ids=lambda value: str(value)[:60] if isinstance(value, str) else "",
)
def test_parameters_that_do_not_fit_are_refused(document: dict[str, Any], field: str) -> None:
    assert refused(document).field == field


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "True"),
        (None, "None"),
        (3, "3"),
        (1.0, "1.0"),
        (3.25, "3.25"),
        ([1, "a"], "[1, 'a']"),
        ({"k": None}, "{'k': None}"),
        ("", ""),
        (" kept ", " kept "),
    ],
    ids=repr,
)
def test_a_plain_value_becomes_the_text_that_python_writes(value: Any, text: str) -> None:
    parameters = ExecutionParameters.parse({"params": {"a": value}})
    assert parameters.job_params[0].value == text
    assert parameters.to_wire()["params"] == {"a": value}


@pytest.mark.parametrize(
    ("value", "local", "remote"),
    [
        ("s3://interop-bucket/i", "tmp0fea3748", "s3://interop-bucket/i"),
        ("s3://interop-bucket/k @ a/b", "a/b", "s3://interop-bucket/k"),
        ("s3://interop-bucket/k@v", "tmp2e7a9a3d", "s3://interop-bucket/k@v"),
        ("a/b @ s3://interop-bucket/k", "s3://interop-bucket/k", "a/b"),
        ({"local": "l", "remote": "s3://bkt/a b", "x": 1, "action": None}, "l", "s3://bkt/a b"),
        ({"local": "a b", "remote": "r", "action": "LOCALIZE"}, "a b", "r"),
    ],
    ids=repr,
)
def test_an_input_has_two_sides(value: Any, local: str, remote: str) -> None:
    found = read_input(value)
    assert (found.local, found.remote) == (local, remote)


BAD_SIDES: list[Any] = [
    "s3://bkt/k @ a @ b",
    "s3://bkt/k  @ a",
    "s3://bkt/k @  a",
    "s3://bkt/k @ ",
    " @ a",
    "a b",
    "a\tb",
    "",
    " ",
    None,
    True,
    [],
    {},
    {"local": "l"},
    {"remote": "r"},
    {"local": "", "remote": "r"},
    {"local": "l", "remote": ""},
    {"remote": ""},
    {"local": 1, "remote": "r"},
    {"local": "l", "remote": None},
]


@pytest.mark.parametrize(
    "value", [*BAD_SIDES, 3, {"local": "l", "remote": "r", "action": "DELOCALIZE"}], ids=repr
)
def test_other_inputs_are_refused(value: Any) -> None:
    problem = refused({"params": {"i": value}, "inputs": ["i"]})
    assert problem.field.startswith("params.i")
    assert problem.mend


@pytest.mark.parametrize(
    ("value", "prefix", "local", "remote"),
    [
        ("a/b", "s3://interop-bucket/p", "a/b", "s3://interop-bucket/p/a/b"),
        ("/a//b", "s3://interop-bucket/p//", "/a//b", "s3://interop-bucket/p/a/b"),
        ("a/", "s3://interop-bucket", "a/", "s3://interop-bucket/a/"),
        ("a/b @ s3://interop-bucket/k", None, "a/b", "s3://interop-bucket/k"),
        (3, "s3://interop-bucket/p", "3", "s3://interop-bucket/p/3"),
        ({"local": "l", "remote": "r"}, "s3://interop-bucket/p", "l", "r"),
        ({"local": "l", "remote": "r", "action": "DELOCALIZE"}, None, "l", "r"),
    ],
    ids=repr,
)
def test_an_output_has_two_sides(value: Any, prefix: str, local: str, remote: str) -> None:
    found = read_output(value, prefix)
    assert (found.local, found.remote) == (local, remote)


@pytest.mark.parametrize(
    "value",
    [*BAD_SIDES, "s3://interop-bucket/k", {"local": "l", "remote": "r", "action": "LOCALIZE"}],
    ids=repr,
)
def test_other_outputs_are_refused(value: Any) -> None:
    document = {"params": {"o": value}, "outputs": ["o"], "output_s3_prefix": PREFIX}
    assert refused(document).field.startswith("params.o")


def test_an_output_without_a_remote_side_needs_a_prefix() -> None:
    assert refused({"params": {"o": "a/b"}, "outputs": ["o"]}).field == "params.o"


@pytest.mark.parametrize("empty", ["", [], None], ids=repr)
def test_an_empty_filter_is_none(empty: Any) -> None:
    found = read_input({"local": "l", "remote": "r", "include": empty, "exclude": empty})
    assert found.filter_config is None
    assert found.to_wire() == "r @ l"


def test_filters_are_kept_as_they_were_given() -> None:
    value: dict[str, Any] = {
        "local": "l",
        "remote": "r",
        "include": ["a.*", "[[x]"],
        "exclude": "b",
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = read_input(value)
    assert found.to_wire() == {**value, "action": "LOCALIZE"}


@pytest.mark.parametrize(
    "pattern", ["(", ["a", "*"], 3, [1], {}, "x" * 5000, "(" * 2000 + ")" * 2000, "a{99999999999}"]
)
def test_a_filter_that_does_not_compile_is_refused(pattern: Any) -> None:
    value = {"local": "l", "remote": "r", "exclude": pattern}
    problem = refused({"params": {"i": value}, "inputs": ["i"]})
    assert problem.field == "params.i.exclude"
    assert "regular expression" in problem.mend


def test_a_filter_that_matches_slowly_is_only_compiled() -> None:
    assert read_input({"local": "l", "remote": "r", "include": "(a+)+$"}).include == "(a+)+$"


@pytest.mark.parametrize("reader", [read_input, lambda value: read_output(value, None)])
@given(
    local=st.text(min_size=1, max_size=6),
    remote=st.text(min_size=1, max_size=6),
    include=st.none() | st.just("a.*") | st.just(("a", "b")),
)
def test_what_is_written_of_both_sides_reads_the_same(
    reader: Any, local: str, remote: str, include: Any
) -> None:
    value = {"local": local, "remote": remote, "include": include}
    found: Resolvable = reader(value)
    assert reader(json.loads(json.dumps(found.to_wire()))) == found


def test_a_name_listed_twice_is_one_input() -> None:
    parameters = ExecutionParameters.parse(
        {"params": {"i": "s3://bkt/i", "j": "s3://bkt/j"}, "inputs": ["j", "i", "I", "j"]}
    )
    assert [param.name for param in parameters.input_params] == ["j", "i"]
    assert parameters.inputs == ("j", "i", "I", "j")


def test_many_parameters_are_read_in_reasonable_time() -> None:
    names = [f"p{index}" for index in range(4000)]
    parameters = ExecutionParameters.parse(
        {
            "params": {name: f"x/{name}" for name in names},
            "inputs": names[:2000],
            "outputs": names[2000:],
            "output_s3_prefix": PREFIX,
        }
    )
    assert len(parameters.pair_sets) == 2000
