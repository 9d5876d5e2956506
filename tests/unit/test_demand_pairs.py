"""Pairs of inputs and outputs, and the deprecated keys that they had (sections 3.7 and 3.8)."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.core.demand.parameters import ExecutionParameters
from chalicelib.core.errors import InvalidRequest

PREFIX = "s3://interop-bucket/p"


def parameters(inputs: str, outputs: str, **fields: Any) -> dict[str, Any]:
    return {
        "params": {name: f"x/{name}" for name in (*inputs, *outputs)},
        "inputs": list(inputs),
        "outputs": list(outputs),
        "output_s3_prefix": PREFIX,
        **fields,
    }


def pairs(document: dict[str, Any]) -> list[str]:
    found = ExecutionParameters.parse(document).pair_sets
    return [f"{''.join(pair.inputs)}>{''.join(pair.outputs)}" for pair in found]


@pytest.mark.parametrize(
    ("inputs", "outputs", "expected"),
    [
        ("ij", "op", ["ij>o", "ij>p"]),
        ("ij", "", ["ij>"]),
        ("", "op", [">o", ">p"]),
        ("", "", []),
    ],
)
def test_every_output_comes_from_all_inputs(
    inputs: str, outputs: str, expected: list[str]
) -> None:
    assert pairs(parameters(inputs, outputs)) == expected


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ([{"inputs": ["s"], "outputs": ["y"]}, {"input": "r"}], ["s>y", "rs>x", "r>"]),
        ([{"input": "r", "output": "x"}, {"input": "s", "output": "x"}], ["rs>y", "rs>x"]),
        ([{"input": "r"}, {"input": "s"}, {"output": "y"}], ["rs>x", "rs>", ">y"]),
        ([{"input": "R", "output": "X"}], ["rs>y", "r>x"]),
        ([{"inputs": ["s"]}], ["s>", "rs>xy"]),
        ([], ["rs>x", "rs>y"]),
        (None, ["rs>x", "rs>y"]),
    ],
    ids=repr,
)
def test_overrides_come_before_what_they_leave(overrides: Any, expected: list[str]) -> None:
    assert pairs(parameters("rs", "xy", param_pair_overrides=overrides)) == expected


@pytest.mark.parametrize(
    "overrides",
    [
        [{"input": "x"}],
        [{"output": "r"}],
        [{"inputs": ["r", "z"]}],
        [{"input": "not a name"}],
        [{"inputs": ["r"], "outputs": ["x"]}, {"inputs": ["s"], "outputs": ["X"]}],
        [{"inputs": ["r"], "outputs": ["x"]}, {"input": "s", "output": "x"}],
        [{}],
        [{"inputs": [], "outputs": []}],
        [{"input": 1}],
        [{"inputs": "r"}],
        ["r"],
        "r",
        {},
    ],
    ids=repr,
)
def test_overrides_that_do_not_fit_are_refused(overrides: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ExecutionParameters.parse(parameters("rs", "xy", param_pair_overrides=overrides))
    assert caught.value.field.startswith("param_pair_overrides")
    assert caught.value.mend


def test_deprecated_keys_are_appended_in_one_order() -> None:
    keys = [
        "input_output_pair_overrides",
        "input_output_pairs",
        "param_set_pair_overrides",
        "param_set_pairs",
        "param_pairs",
        "param_pair_overrides",
    ]
    single = {key: [{"input": name}] for key, name in zip(keys, "abcdef", strict=True)}
    found = ExecutionParameters.parse(parameters("abcdef", "", **single)).to_wire()
    assert found["param_pair_overrides"] == [{"input": name} for name in "fedcba"]
    assert not set(keys[:-1]) & set(found)


@pytest.mark.parametrize(
    ("key", "value"), [("param_pairs", {}), ("param_pairs", "a"), ("input_output_pairs", 3)]
)
def test_a_deprecated_key_that_is_no_list_is_refused(key: str, value: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ExecutionParameters.parse({key: value})
    assert caught.value.field == key


def test_no_pairs_at_all_leave_the_field_out() -> None:
    document: dict[str, Any] = {
        "param_pair_overrides": [],
        "param_pairs": None,
        "param_set_pairs": [],
    }
    assert "param_pair_overrides" not in ExecutionParameters.parse(document).to_wire()


def test_deprecated_keys_are_read_in_snake_case_only() -> None:
    found = ExecutionParameters.parse(parameters("i", "", paramPairs=[{"input": "no such"}]))
    assert found.param_pair_overrides is None
    camel = ExecutionParameters.parse(parameters("i", "", paramPairOverrides=[{"input": "i"}]))
    assert camel.to_wire()["param_pair_overrides"] == [{"input": "i"}]


def test_connections_are_listed_in_the_order_of_the_parameters() -> None:
    overrides = [{"inputs": ["s"], "outputs": ["y"]}, {"input": "r"}]
    found = ExecutionParameters.parse(parameters("rs", "xy", param_pair_overrides=overrides))
    assert found.pairs == (("r", "x"), ("r", None), ("s", "x"), ("s", "y"))
