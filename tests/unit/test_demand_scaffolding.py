"""Scaffolding on a site of ours, and what it refuses (sections 6.7 to 6.11)."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core.demand.scaffolding import (
    PrepareDemandScaffoldingRequest,
    Scaffolding,
    prepare,
)
from chalicelib.core.errors import Forbidden, InvalidRequest
from tests.unit.demand_cases import INVENTORY, OURS, REPLAY, demand, environment_of, scaffold

PARAMETERS = "demand_execution.execution_parameters"
FS = "fs-0a1000000000000a"
FILES = {
    "params": {"i": "s3://interop-bucket/i", "o": "out"},
    "inputs": ["i", "I"],
    "outputs": ["o"],
    "output_s3_prefix": "s3://interop-bucket/p/",
}


def refused(document: dict[str, Any], **given: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        scaffold(document, **given)
    assert caught.value.field
    assert caught.value.mend
    return caught.value


def test_by_default_nothing_is_privileged_and_nothing_is_deleted_at_a_destination() -> None:
    response = scaffold(demand(FILES)).response
    assert response.setup_configs.batch_create_request.to_wire()["privileged"] is False
    output = response.cleanup_configs.data_sync_requests[0]
    assert output.to_wire() == {
        "source_path": f"{FS}:/scratch/e1/out",
        "destination_path": "s3://interop-bucket/p/out",
        "max_concurrency": 25,
        "retain_source_data": False,
        "delete": False,
        "require_lock": False,
        "force": False,
        "size_only": True,
        "fail_if_missing": True,
        "include_detailed_response": False,
        "remote_to_local_config": {"use_custom_tmp_dir": False},
        "batch_size_bytes_limit": 80530636800,
    }


@pytest.mark.parametrize(
    ("is_allowed", "wanted", "is_privileged"),
    [(False, None, False), (False, False, False), (True, None, True), (True, False, False),
     (True, True, True)],
)  # fmt: skip
def test_a_container_is_privileged_where_site_and_request_agree(
    is_allowed: bool, wanted: bool | None, is_privileged: bool
) -> None:
    site = OURS.model_copy(update={"allow_privileged": is_allowed})
    job = scaffold(demand(), site, privileged=wanted).response.setup_configs.batch_create_request
    assert job.privileged is is_privileged


def test_privilege_that_the_site_has_not_is_forbidden() -> None:
    problem = refused(demand(), privileged=True)
    assert isinstance(problem, Forbidden)
    assert problem.field == "options.privileged"


def test_an_input_listed_twice_is_transferred_and_removed_once() -> None:
    response = scaffold(demand(FILES)).response
    assert len(response.setup_configs.data_sync_requests) == 1
    assert len(response.cleanup_configs.remove_data_paths_requests[0].paths) == 1
    assert response.demand_execution.execution_parameters.inputs == ("i", "I")


def test_default_tags_stand_under_the_tags_of_the_request() -> None:
    site = OURS.model_copy(update={"default_tags": {"team": "ops", "cost": "1"}})
    own = scaffold(demand(execution_metadata={"tags": {"cost": "2"}}), site)
    assert own.response.demand_execution.execution_metadata.tags == {"team": "ops", "cost": "2"}
    none = scaffold(demand(), site)
    assert none.response.demand_execution.execution_metadata.tags == site.default_tags
    assert scaffold(demand()).response.demand_execution.execution_metadata.tags is None
    without = scaffold(demand()).response.setup_configs.batch_create_request
    assert own.response.setup_configs.batch_create_request.job_name == without.job_name


def test_the_scaffolding_says_where_the_run_lives() -> None:
    found = scaffold(demand(), files={"tmp": {}})
    assert found.working_directory == "/opt/efs/scratch/e1"
    assert found.working_directory_efs == f"{FS}:/scratch/e1"
    volumes = [
        (item.role.value, item.container_path, item.access_point_path, item.read_only)
        for item in found.volumes
    ]
    assert volumes == [
        ("scratch", "/opt/efs/scratch", "/scratch", False),
        ("shared", "/opt/efs/shared", "/shared", True),
        ("tmp", "/opt/efs/tmp", "/tmp", False),
    ]
    assert environment_of(found)["TMPDIR"] == "/opt/efs/tmp"


@pytest.mark.parametrize(
    ("context", "removals"),
    [
        ({}, [[f"{FS}:/scratch/e1/tmp0fea3748"], [f"{FS}:/scratch/e1"]]),
        ({"cleanup_inputs": False}, [[f"{FS}:/scratch/e1"]]),
        ({"cleanupWorkingDir": False}, [[f"{FS}:/scratch/e1/tmp0fea3748"]]),
        ({"cleanup_inputs": False, "cleanup_working_dir": False}, []),
    ],
    ids=repr,
)
def test_what_is_removed_can_be_chosen(context: Any, removals: list[list[str]]) -> None:
    found = scaffold(demand(FILES), context=context).response.cleanup_configs
    assert [list(item.paths) for item in found.remove_data_paths_requests] == removals


@pytest.mark.parametrize("user", [None, "", "ada"])
def test_the_definition_says_who_asked(user: str | None) -> None:
    found = scaffold(demand(execution_metadata={"user": user})).response
    tags = found.setup_configs.batch_create_request.job_definition_tags
    assert tags == {"USER": user or "unknown"}


def test_resources_that_are_not_asked_for_are_left_out() -> None:
    resources = {"gpu": "0", "memory": 512, "vcpus": 2}
    job = scaffold(demand(resource_requirements=resources)).response.setup_configs
    assert job.batch_create_request.to_wire()["resource_requirements"] == [
        {"type": "MEMORY", "value": "512"},
        {"type": "VCPU", "value": "2"},
    ]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"execution_parameters": {"command": []}}, f"{PARAMETERS}.command"),
        ({"execution_parameters": {"command": ["a\0"]}}, f"{PARAMETERS}.command.0"),
        ({"execution_platform": {}}, "demand_execution.execution_platform.aws_batch"),
        ({"execution_type": "t" * 44}, "demand_execution.execution_type"),
        (
            {"execution_parameters": {"command": ["m"], "inputs": ["i"],
                                      "params": {"i": "a/b @ s3://interop-bucket/k"}}},
            f"{PARAMETERS}.params.i",
        ),
        (
            {"execution_parameters": {"command": ["m"], "outputs": ["o"],
                                      "params": {"o": "out @ /not/s3"}}},
            f"{PARAMETERS}.params.o",
        ),
        (
            {"execution_parameters": {"command": ["m"], "outputs": ["o"], "params": {"o": "a#"},
                                      "output_s3_prefix": "s3://interop-bucket/p"}},
            f"{PARAMETERS}.params.o",
        ),
    ],
    ids=["empty", "nul", "platform", "budget", "input", "output", "prefix"],
)  # fmt: skip
def test_a_demand_that_cannot_be_surrounded_is_refused(
    changes: dict[str, Any], field: str
) -> None:
    assert refused(demand(**changes)).field == field


def test_a_name_may_use_the_whole_budget_and_no_more() -> None:
    assert scaffold(demand(execution_type="t" * 43))
    assert "1" in refused(demand(execution_type="t" * 44)).mend
    shorter = {"scratch": {"container_path": "/s"}, "shared": {"container_path": "/t"}}
    assert scaffold(demand(execution_type="t" * 48), files=shorter)


def test_of_many_faults_the_first_of_the_order_is_told() -> None:
    faults: dict[str, Any] = {
        "command": [],
        "inputs": ["i"],
        "params": {"i": "x @ /off", "working-dir": "/x", "o": "o @ x", "big": "n" * 9000},
        "outputs": ["o"],
    }
    steps = [
        ({}, "file_system_configurations.scratch.0.access_point"),
        ({"files": {}}, f"{PARAMETERS}.params.i"),
        ({"params": faults["params"] | {"i": "x @ in"}}, f"{PARAMETERS}.params.working-dir"),
        ({"params": {"i": "x @ in", "o": "o @ x", "big": "n" * 9000}}, f"{PARAMETERS}.command"),
        ({"command": ["m"]}, "demand_execution.execution_platform.aws_batch"),
        ({"platform": {"aws_batch": {"job_queue_name": "q"}}}, "demand_execution.execution_type"),
        ({"type": "t"}, f"{PARAMETERS}.params.o"),
        (
            {"params": {"i": "x @ in", "o": "o @ s3://interop-bucket/o", "big": "n" * 9000}},
            f"{PARAMETERS}.params.i",
        ),
        (
            {"params": {"i": "s3://interop-bucket/i", "o": "o @ s3://bkt/o", "big": "n" * 9000}},
            f"{PARAMETERS}.params",
        ),
    ]
    given: dict[str, Any] = {
        "files": {"scratch": {"access_point": "nope"}},
        "platform": {},
        "type": "t" * 99,
        **faults,
    }
    for change, field in steps:
        given |= change
        parameters = {key: given[key] for key in ("command", "params", "inputs", "outputs")}
        document = demand(
            parameters, execution_platform=given["platform"], execution_type=given["type"]
        )
        context = {"env_file_write_mode": "NEVER"}
        assert refused(document, files=given["files"], context=context).field == field


def test_what_is_wrong_with_a_document_is_told_before_anything_else() -> None:
    document = demand({"params": {"a": "${B}"}})
    problem = refused(document, files={"scratch": {"access_point": "nope"}})
    assert problem.field == f"{PARAMETERS}.params.a"


def test_the_same_request_gives_the_same_scaffolding() -> None:
    files = {"scratch": [{}, {"access_point": "scratch-b"}]}
    first, second = (scaffold(demand(FILES), files=files) for _ in range(2))
    assert first == second


def test_the_requests_own_document_reads_and_writes_the_same() -> None:
    request = PrepareDemandScaffoldingRequest.parse(
        {
            "demand_execution": demand(FILES),
            "fileSystemConfigurations": {"scratch": {"containerPath": "/s"}, "tmp": None},
            "contextManagerConfiguration": {
                "inputDataSyncConfiguration": {"temporaryRequestPayloadPath": "s3://bkt//t"}
            },
        }
    )
    again = PrepareDemandScaffoldingRequest.parse(request.to_wire())
    assert again == request
    assert prepare(again, REPLAY, INVENTORY) == prepare(request, REPLAY, INVENTORY)
    written = request.to_wire()["file_system_configurations"]
    assert written == {
        "scratch": [{"container_path": "/s"}],
        "shared": [{}],
        "tmp": [],
        "selection_strategy": "RANDOM",
    }


def test_each_transfer_gets_a_folder_for_its_batches() -> None:
    root = {"temporary_request_payload_path": "s3://bkt"}
    found = scaffold(
        demand(FILES),
        context={"input_data_sync_configuration": root, "output_data_sync_configuration": root},
    ).response
    paths = [
        item.temporary_request_payload_path
        for configs in (found.setup_configs, found.cleanup_configs)
        for item in configs.data_sync_requests
    ]
    assert paths == ["s3://bkt/input_0/", "s3://bkt/output_0/"]


WHOLE = {
    "demand_execution": demand(
        {
            "command": ["m", "${I}"],
            "params": {
                "i": {"local": "in", "remote": "s3://interop-bucket/i", "include": ["a.*"]},
                "o": "out @ s3://interop-bucket/o",
                "x": "${I}",
            },
            "inputs": ["i"],
            "outputs": ["o"],
            "output_s3_prefix": "s3://interop-bucket/p",
            "param_pair_overrides": [{"input": "i"}, {"inputs": ["i"], "outputs": ["o"]}],
        },
        execution_metadata={"user": "u", "tag": "a=1", "tags": {"b": "c"}},
        resource_requirements={"gpu": 1, "memory": 2, "vcpus": 3},
    ),
    "file_system_configurations": {
        "scratch": [{"file_system": "dev-interop-fs", "container_path": "/s"}],
        "tmp": {"access_point": "tmp"},
    },
    "context_manager_configuration": {
        "isolate_inputs": True,
        "env_file_write_mode": "IF_REQUIRED",
        "input_data_sync_configuration": {"temporary_request_payload_path": "s3://bkt/t"},
    },
}
JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(["${I}", "${X}${X}", "a @ b", "s3://bkt", "..", "/", "\0", "\ud800", "é b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=4,
)


def places_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    keys: list[Any] = []
    if isinstance(value, dict):
        keys = list(value)
    elif isinstance(value, list):
        keys = list(range(len(value)))
    below = [place for key in keys for place in places_in(value[key], (*path, key))]
    return [*([path] if path else []), *below]


@settings(max_examples=400, deadline=None)
@given(place=st.sampled_from(places_in(WHOLE)), junk=JUNK)
def test_whatever_a_document_holds_it_is_prepared_or_refused(
    place: tuple[Any, ...], junk: Any
) -> None:
    document: Any = copy.deepcopy(WHOLE)
    parent = document
    for key in place[:-1]:
        parent = parent[key]
    parent[place[-1]] = junk
    answer = prepared_or_refused(document)
    if isinstance(answer, InvalidRequest):
        assert answer.field
        assert answer.mend
    else:
        assert answer.response.to_wire()


def prepared_or_refused(document: Any) -> Scaffolding | InvalidRequest:
    try:
        request = PrepareDemandScaffoldingRequest.parse(document)
        assert PrepareDemandScaffoldingRequest.parse(request.to_wire()) == request
        return prepare(request, OURS, INVENTORY)
    except InvalidRequest as problem:
        return problem
