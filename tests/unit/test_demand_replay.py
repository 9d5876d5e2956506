"""Every recorded case of the demand formats, answered as the original answered it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from chalicelib.core.demand.batch_args import (
    CreateDefinitionAndPrepareArgsRequest,
    prepare_args,
)
from chalicelib.core.demand.execution import DemandExecution
from chalicelib.core.demand.job_params import JobParam
from chalicelib.core.demand.scaffolding import (
    PrepareDemandScaffoldingRequest,
    PrepareDemandScaffoldingResponse,
    Scaffolding,
    prepare,
)
from chalicelib.core.errors import InvalidRequest
from tests.unit.demand_cases import FIXTURES, INVENTORY, REPLAY, cases, mounts_of

KINDS = {
    "scaffold": "prepare_demand_scaffolding",
    "model": "demand_execution_model",
    "batchcreate": "create_definition_and_prepare_args",
}
GOOD = {name: [case for case in cases(name) if not case["error"]] for name in KINDS}
BAD = {name: [case for case in cases(name) if case["error"]] for name in KINDS}


def by_id(case: dict[str, Any]) -> str:
    return str(case["id"])


def test_no_recorded_case_is_left_out() -> None:
    index = json.loads((FIXTURES / "index.json").read_text())["fixtures"]
    recorded = {name: [c for c in index if c["kind"] == kind] for name, kind in KINDS.items()}
    replayed = {name: [*GOOD[name], *BAD[name]] for name in KINDS}
    assert {n: sorted(map(by_id, c)) for n, c in replayed.items()} == {
        n: sorted(map(by_id, c)) for n, c in recorded.items()
    }
    assert {name: (len(GOOD[name]), len(BAD[name])) for name in KINDS} == {
        "scaffold": (30, 20),
        "model": (9, 2),
        "batchcreate": (3, 1),
    }
    assert not any("quirk" in case for found in replayed.values() for case in found)


def scaffold(case: dict[str, Any]) -> Scaffolding:
    request = PrepareDemandScaffoldingRequest.parse(case["request"])
    return prepare(request, REPLAY, INVENTORY, mounts=mounts_of(case))


def files_of(scaffolding: Scaffolding) -> dict[str, str]:
    file = scaffolding.environment_file
    return {} if file is None else {file.efs_path.partition(":")[2]: file.text}


@pytest.mark.parametrize("case", GOOD["scaffold"], ids=by_id)
def test_scaffolding_answers_what_was_recorded(case: dict[str, Any]) -> None:
    scaffolding = scaffold(case)
    assert scaffolding.response.to_wire() == case["response"]
    assert files_of(scaffolding) == case["side_effects"]["efs_files_written"]


@pytest.mark.parametrize("case", GOOD["scaffold"], ids=by_id)
def test_the_hashed_texts_are_the_recorded_ones(case: dict[str, Any]) -> None:
    response = scaffold(case).response
    job = response.setup_configs.batch_create_request
    assert (
        response.demand_execution.loose_hash_text
        == case["explain"]["job_definition_name_hash_input"]
    )
    assert response.demand_execution.strict_hash_text == case["explain"]["job_name_hash_input"]
    digest = hashlib.sha256(case["explain"]["job_name_hash_input"].encode()).hexdigest()
    assert (job.job_name or "").endswith(f"-{digest}")


@pytest.mark.parametrize("case", GOOD["scaffold"], ids=by_id)
def test_a_response_can_be_read_again(case: dict[str, Any]) -> None:
    read = PrepareDemandScaffoldingResponse.parse(case["response"])
    assert read.to_wire() == case["response"]


@pytest.mark.parametrize("case", GOOD["scaffold"], ids=by_id)
def test_scaffolding_survives_being_stored(case: dict[str, Any]) -> None:
    scaffolding = scaffold(case)
    assert Scaffolding.model_validate_json(scaffolding.model_dump_json()) == scaffolding


@pytest.mark.parametrize("case", BAD["scaffold"], ids=by_id)
def test_scaffolding_refuses_what_was_refused(case: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        scaffold(case)
    assert_told_where(caught.value, case)


@pytest.mark.parametrize("case", GOOD["model"], ids=by_id)
def test_a_demand_reads_and_writes_as_recorded(case: dict[str, Any]) -> None:
    demand = DemandExecution.parse(case["request"])
    assert demand.to_wire() == case["response"]
    assert derived(demand) == case["derived"]


@pytest.mark.parametrize("case", BAD["model"], ids=by_id)
def test_a_demand_is_refused_as_recorded(case: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        DemandExecution.parse(case["request"])
    assert_told_where(caught.value, case)


@pytest.mark.parametrize("case", GOOD["batchcreate"], ids=by_id)
def test_batch_arguments_are_those_recorded(case: dict[str, Any]) -> None:
    request = CreateDefinitionAndPrepareArgsRequest.parse(case["request"])
    name = request.job_definition_name
    arn = f"arn:aws:batch:us-west-2:123456789012:job-definition/{name}:1"
    response = prepare_args(request, REPLAY, job_definition_arn=arn, job_name="unused")
    assert response.to_wire() == case["response"]


@pytest.mark.parametrize("case", BAD["batchcreate"], ids=by_id)
def test_a_batch_create_request_is_refused_as_recorded(case: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        CreateDefinitionAndPrepareArgsRequest.parse(case["request"])
    assert_told_where(caught.value, case)


def assert_told_where(problem: InvalidRequest, case: dict[str, Any]) -> None:
    """The field is the recorded place, or lies deeper; words and a mend are there."""
    details = case["error"].get("details", [])
    recorded = [".".join(map(str, detail["loc"])) for detail in details]
    aliases = {"executionImage": "execution_image", "jobQueueName": "job_queue_name"}
    for alias, name in aliases.items():
        recorded = [path.replace(alias, name) for path in recorded]
    assert all(problem.field.startswith(path) for path in recorded)
    assert problem.field
    assert problem.mend
    assert str(problem) == problem.message != ""


def derived(demand: DemandExecution) -> dict[str, Any]:
    parameters = demand.execution_parameters
    return {
        "hash_strict": demand.strict_hash(),
        "hash_not_strict": demand.loose_hash(),
        "tag": demand.execution_metadata.tag,
        "job_params": [as_recorded(param) for param in parameters.job_params],
        "param_set_pairs": [
            {"inputs": sorted(pair.inputs), "outputs": sorted(pair.outputs)}
            for pair in parameters.pair_sets
        ],
        "param_pairs": [list(pair) for pair in parameters.pairs],
        **resolved(demand),
    }


def resolved(demand: DemandExecution) -> dict[str, Any]:
    try:
        return {"resolved_command": list(demand.execution_parameters.resolved_command({}))}
    except InvalidRequest:
        return {"resolved_command_error": "ValueError"}


def as_recorded(param: JobParam) -> dict[str, Any]:
    plain = {
        "name": param.name,
        "envname": param.env_name,
        "kind": param.kind.value,
        "value": param.value,
    }
    if param.resolvable is None:
        return plain
    sides = param.resolvable
    return plain | {"remote": sides.remote, "include": sides.include, "exclude": sides.exclude}
