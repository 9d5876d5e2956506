"""The outer parts of a demand: identity, metadata, platform, resources, and the two hashes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.demand.execution import (
    DemandExecution,
    ExecutionMetadata,
    ResourceRequirements,
)
from chalicelib.core.demand.parameters import ExecutionParameters
from chalicelib.core.demand.tags import render_tag
from chalicelib.core.errors import InvalidRequest

MINIMAL = {"execution_type": "t", "execution_id": "e1", "execution_image": "img"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
PLAIN = JSON.filter(lambda value: "$" not in str(value))
PARAMS = st.dictionaries(st.from_regex(r"[a-z]{1,6}", fullmatch=True), PLAIN, max_size=6)


@pytest.mark.parametrize("execution_id", ["e1", "A.b_c-9", "..a", "x" * 128])
def test_an_execution_id_can_name_a_directory(execution_id: str) -> None:
    demand = DemandExecution.parse(MINIMAL | {"execution_id": execution_id})
    assert demand.execution_id == execution_id


@pytest.mark.parametrize(
    "execution_id", ["", ".", "..", "../x", "a/b", "a b", "é", "a\n", "x" * 129, 7, None]
)
def test_an_execution_id_that_is_no_directory_name_is_refused(execution_id: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        DemandExecution.parse(MINIMAL | {"execution_id": execution_id})
    assert caught.value.field == "execution_id"


def test_a_value_too_long_to_show_is_cut_short_in_the_error() -> None:
    with pytest.raises(InvalidRequest) as caught:
        DemandExecution.parse(MINIMAL | {"execution_id": "x" * 100_000})
    assert len(str(caught.value.value)) < 300
    assert len(caught.value.message) < 500


@pytest.mark.parametrize(
    ("tag", "tags"),
    [
        ("a", {"a": "a"}),
        ("a=1,b", {"a": "1", "b": "b"}),
        (["a=1=2", "b,c=3", 4], {"a": "1=2", "b": "b", "c": "3", "4": "4"}),
        (7, {"7": "7"}),
        ("", {}),
        ("=x,a", {"a": "a"}),
        (None, None),
        ({"a": "b"}, None),
    ],
    ids=repr,
)
def test_the_deprecated_tag_becomes_tags(tag: Any, tags: dict[str, str] | None) -> None:
    assert ExecutionMetadata.parse({"tag": tag}).tags == tags


@pytest.mark.parametrize("tag", [True, 1.5, [None], [["a"]], [True]], ids=repr)
def test_a_tag_of_another_kind_is_refused(tag: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ExecutionMetadata.parse({"tag": tag})
    assert caught.value.field == "tag"


def test_tags_win_over_the_deprecated_tag_name_by_name() -> None:
    metadata = ExecutionMetadata.parse({"tag": "a=1,q", "tags": {"a": "2", "z": "3"}})
    assert list((metadata.tags or {}).items()) == [("a", "2"), ("q", "q"), ("z", "3")]
    assert "tag" not in metadata.to_wire()


def test_empty_tags_are_kept_and_empty_names_dropped() -> None:
    assert ExecutionMetadata.parse({"tags": {}}).to_wire() == {"tags": {}}
    assert ExecutionMetadata.parse({"tags": {"": "x", "a": ""}}).tags == {"a": ""}


@pytest.mark.parametrize("tags", [None, [], "a", {"a": 1}, {"a": None}], ids=repr)
def test_tags_must_be_an_object_of_strings(tags: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ExecutionMetadata.parse({"tags": tags})
    assert caught.value.field.startswith("tags")


def test_tags_are_written_in_their_old_form_in_order() -> None:
    assert render_tag({"flag": "flag", "k": "v=w"}) == "flag,k=v=w"
    assert render_tag({}) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("arn", "arn:aws:states:us-west-2:1234:execution:m:n"),
        ("arn", "arn:aws:states:us-west-2:123456789012:stateMachine:m"),
        ("notify_on", {"DONE": True}),
        ("notify_on", {"FAILED": "perhaps"}),
        ("notify_list", "a@example.org"),
        ("user", 7),
    ],
)
def test_metadata_of_another_form_is_refused(field: str, value: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ExecutionMetadata.parse({field: value})
    assert caught.value.field.startswith(field)


def test_metadata_is_written_as_it_was_read() -> None:
    document = {
        "user": "ada",
        "arn": "arn:aws:states:us-west-2:123456789012:execution:m:n",
        "tags": {"a": "b"},
        "notify_on": {"FAILED": True, "COMPLETED": False},
        "notify_list": ["ada@example.org"],
    }
    assert ExecutionMetadata.parse(document).to_wire() == document


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ({"gpu": 0, "memory": None, "vcpus": 2}, {"vcpus": 2}),
        ({"gpu": 0.0, "memory": False}, {}),
        ({"vcpus": "4"}, {"vcpus": 4}),
        ({"memory": 2.0}, {"memory": 2}),
        ({"gpu": "0"}, {"gpu": 0}),
        ({"gpu": True}, {"gpu": 1}),
    ],
    ids=repr,
)
def test_resources_are_whole_numbers(given_: dict[str, Any], kept: dict[str, Any]) -> None:
    assert ResourceRequirements.parse(given_).to_wire() == kept


@pytest.mark.parametrize(
    "resources", [{"memory": 1.5}, {"vcpus": ""}, {"gpu": -1}, {"vcpus": []}], ids=repr
)
def test_other_resources_are_refused(resources: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ResourceRequirements.parse(resources)
    assert caught.value.field in resources


def test_both_key_styles_may_stand_in_one_document() -> None:
    demand = DemandExecution.parse(
        {
            "executionType": "t",
            "execution_id": "e1",
            "executionImage": "img",
            "executionParameters": {"outputS3Prefix": "s3://interop-bucket/p"},
            "execution_platform": {"awsBatch": {"jobQueueName": "q", "job_role": "r"}},
        }
    )
    assert demand.execution_parameters.output_s3_prefix == "s3://interop-bucket/p"
    assert demand.to_wire()["execution_platform"] == {
        "aws_batch": {"job_queue_name": "q", "job_role": "r"}
    }


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({}, "execution_type"),
        (MINIMAL | {"execution_parameters": None}, "execution_parameters"),
        (MINIMAL | {"execution_platform": {"aws_batch": {}}}, "aws_batch.job_queue_name"),
        (MINIMAL | {"execution_platform": {"aws_batch": 1}}, "execution_platform.aws_batch"),
        (MINIMAL | {"execution_parameters": {"command": [1]}}, "execution_parameters.command.0"),
        ([], ""),
        ("text", ""),
        (None, ""),
    ],
    ids=lambda value: str(value)[-60:],
)
def test_an_error_names_its_field(document: Any, field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        DemandExecution.parse(document)
    assert caught.value.field.endswith(field)
    assert caught.value.mend


def test_the_hashes_are_the_worked_ones() -> None:
    demand = DemandExecution.parse(
        MINIMAL
        | {
            "execution_parameters": {
                "command": ["a", "b"],
                "params": {"n": 1, "i": "s3://interop-bucket/k @ x"},
                "inputs": ["i"],
            }
        }
    )
    loose = "c72feaec8f9b614d7b56340762460254aae41a1d19bed2aa4f50811949113b91"
    strict = "8b968ac47af145c7094aea30d431699a6463327201f38250e11bfc8a02854bf6"
    assert (demand.loose_hash(), demand.strict_hash()) == (loose, strict)
    accented = DemandExecution.parse(MINIMAL | {"execution_parameters": {"command": ["é"]}})
    assert accented.loose_hash() == (
        "11ef3cd70f60c2f389eefc2fe95730c12ea0962d6ea9f1f473654902f2aedc5c"
    )


def test_an_object_and_the_string_that_says_the_same_hash_differently() -> None:
    def strict(value: Any) -> str:
        parameters = {"params": {"i": value}, "inputs": ["i"]}
        return DemandExecution.parse(MINIMAL | {"execution_parameters": parameters}).strict_hash()

    as_object = {"local": "x", "remote": "s3://interop-bucket/k"}
    assert strict(as_object) != strict("s3://interop-bucket/k @ x")


@given(params=PARAMS, seed=st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_change_the_hash(params: dict[str, Any], seed: Any) -> None:
    shuffled = list(params.items())
    seed.shuffle(shuffled)
    first, second = (
        DemandExecution.parse(MINIMAL | {"execution_parameters": {"params": found}})
        for found in (params, dict(shuffled))
    )
    assert first.strict_hash() == second.strict_hash()


@given(params=PARAMS, command=st.lists(st.text(max_size=5), max_size=3))
def test_what_is_written_reads_and_writes_the_same(params: Any, command: list[str]) -> None:
    document = MINIMAL | {"execution_parameters": {"params": params, "command": command}}
    demand = DemandExecution.parse(document)
    again = DemandExecution.parse(json.loads(json.dumps(demand.to_wire())))
    assert again == demand
    assert again.to_wire() == demand.to_wire()


def test_a_demand_cannot_be_changed() -> None:
    demand = DemandExecution.parse(MINIMAL)
    with pytest.raises(ValueError, match="frozen"):
        demand.execution_id = "other"  # type: ignore[misc]


def test_defaults_are_not_shared_between_demands() -> None:
    assert ExecutionParameters().params is not ExecutionParameters().params
