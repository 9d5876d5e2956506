"""References between parameters (section 3.3): what they yield, and what they may not do."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.demand.parameters import ExecutionParameters
from chalicelib.core.demand.references import MAX_RESOLVED_CHARACTERS, resolve_all
from chalicelib.core.errors import InvalidRequest, TooLarge


def resolved(document: dict[str, Any]) -> dict[str, Any]:
    """Return env name → value, and → (value, remote) for inputs and outputs."""
    params = ExecutionParameters.parse(document).job_params
    return {
        param.env_name: (param.value, param.resolvable.remote) if param.resolvable else param.value
        for param in params
    }


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (
            {"params": {"x": "${Y}/${Z}_f", "y": "${z}_${Z}", "z": "q"}},
            {"X": "q_q/q_f", "Y": "q_q", "Z": "q"},
        ),
        (
            {
                "params": {
                    "b": "interop-bucket",
                    "i": "s3://${B}/k @ in/${B}",
                    "use": "cat ${I}",
                },
                "inputs": ["i"],
            },
            {
                "B": "interop-bucket",
                "I": ("in/interop-bucket", "s3://interop-bucket/k"),
                "USE": "cat in/interop-bucket",
            },
        ),
        (
            {
                "params": {"n": "7", "o": "res/${N}"},
                "outputs": ["o"],
                "output_s3_prefix": "s3://interop-bucket/out/",
            },
            {"N": "7", "O": ("res/7", "s3://interop-bucket/out/res/7")},
        ),
        (
            {
                "params": {"o": "res", "u": "--out ${O}"},
                "outputs": ["o"],
                "output_s3_prefix": "s3://interop-bucket/out/",
            },
            {"O": ("res", "s3://interop-bucket/out/res"), "U": "--out res"},
        ),
        ({"params": {"REFerence-B": 1, "x": "${refERENCE_b}"}}, {"REFERENCE_B": "1", "X": "1"}),
        ({"params": {"l": ["${N}"], "n": 2}}, {"L": "['2']", "N": "2"}),
        (
            {"params": {"a": "1", "x": "$A ${in-file} ${} $${A}"}},
            {"A": "1", "X": "$A ${in-file} ${} $1"},
        ),
        ({"params": {"a": "$", "b": "${A}{C}", "c": "d"}}, {"A": "$", "B": "d", "C": "d"}),
    ],
    ids=["nested", "input", "output", "to-output", "any-case", "in-list", "plain-text", "met"],
)
def test_references_are_replaced(document: dict[str, Any], expected: dict[str, Any]) -> None:
    assert resolved(document) == expected


def test_a_local_name_that_is_made_up_comes_from_the_text_as_given() -> None:
    document = {"params": {"b": "bkt", "i": "s3://${B}/k"}, "inputs": ["i"]}
    plain = {"params": {"i": "s3://bkt/k"}, "inputs": ["i"]}
    assert resolved(document)["I"][1] == resolved(plain)["I"][1]
    assert resolved(document)["I"][0] != resolved(plain)["I"][0]


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"x": "${Y}", "y": "${X}"}, "params.x"),
        ({"x": "${X}"}, "params.x"),
        ({"a": "b", "x": "${HOME}"}, "params.x"),
        ({"a": "$", "b": "${A}{B}"}, "params.b"),
        ({"a": "$", "b": "${A}{C}"}, "params.b"),
        ({"a": "s3://bkt/${NO}"}, "params.a"),
    ],
    ids=["cycle", "self", "unknown", "made-self", "made-unknown", "in-remote"],
)
def test_a_reference_that_leads_nowhere_is_refused(params: dict[str, Any], field: str) -> None:
    inputs = [name for name, value in params.items() if value.startswith("s3://")]
    with pytest.raises(InvalidRequest) as caught:
        ExecutionParameters.parse({"params": params, "inputs": inputs})
    assert caught.value.field == field
    assert caught.value.mend


def test_values_that_multiply_are_refused_before_they_are_built() -> None:
    laughs = {f"l{index}": f"${{L{index + 1}}}" * 2 for index in range(40)}
    with pytest.raises(TooLarge) as caught:
        ExecutionParameters.parse({"params": laughs | {"l40": "ha" * 10}})
    assert str(MAX_RESOLVED_CHARACTERS) in caught.value.message
    assert caught.value.field.startswith("params.l")


@pytest.mark.parametrize("side", ["x/${BIG}", "s3://bkt/${BIG} @ a"], ids=["local", "remote"])
def test_the_sides_of_inputs_count_too(side: str) -> None:
    many = {f"i{index}": side for index in range(20)}
    with pytest.raises(TooLarge):
        ExecutionParameters.parse({"params": {"big": "x" * 100_000, **many}, "inputs": list(many)})


def test_text_without_references_is_bounded_as_well() -> None:
    with pytest.raises(TooLarge):
        ExecutionParameters.parse({"params": {"a": "x" * (MAX_RESOLVED_CHARACTERS + 1)}})


def test_a_long_chain_is_no_circle() -> None:
    chain = {f"V{index}": f"${{V{index + 1}}}" for index in range(3000)}
    assert set(resolve_all(chain | {"V3000": "end"}).values()) == {"end"}


NAMES = st.sampled_from("ABCDEF")
TEXTS = st.lists(NAMES.map(lambda name: f"${{{name}}}") | st.sampled_from("$ {}x"), max_size=4)


@given(st.dictionaries(NAMES, TEXTS.map("".join), max_size=6))
def test_resolution_ends_and_what_it_returns_is_resolved(values: dict[str, str]) -> None:
    try:
        found = resolve_all(values)
    except InvalidRequest:
        return
    assert list(found) == list(values)
    assert resolve_all(found) == found


def test_a_command_is_resolved_by_parameters_before_the_environment() -> None:
    parameters = ExecutionParameters.parse(
        {"command": ["${A}-${HOME}", "$HOME", "${odd}"], "params": {"a": 1}}
    )
    environment = {"HOME": "/root", "A": "not me", "odd": "${UNKNOWN}"}
    assert parameters.resolved_command(environment) == ("1-/root", "$HOME", "${UNKNOWN}")
    with pytest.raises(InvalidRequest):
        parameters.resolved_command({})
