"""Where inputs and outputs lie, and which places are refused (section 6.5)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chalicelib.core.demand.execution import DemandExecution
from chalicelib.core.errors import InvalidRequest
from tests.unit.demand_cases import SCRATCH, demand, environment_of, scaffold

FS = "fs-0a1000000000000a"
SHARED = "/opt/efs/shared"


def with_input(local: str) -> dict[str, Any]:
    value = {"local": local, "remote": "s3://interop-bucket/i"}
    return demand({"command": ["${I}"], "params": {"i": value}, "inputs": ["i"]})


def with_output(local: str) -> dict[str, Any]:
    value = {"local": local, "remote": "s3://interop-bucket/o"}
    return demand({"params": {"o": value}, "outputs": ["o"]})


PLACES = [
    ("a/b", f"{SCRATCH}/a/b", f"{FS}:/scratch/e1/a/b"),
    ("./a//b/", f"{SCRATCH}/a/b", f"{FS}:/scratch/e1/a/b"),
    ("a b", f"{SCRATCH}/a b", f"{FS}:/scratch/e1/a b"),
    ("a/../b", f"{SCRATCH}/a/../b", f"{FS}:/scratch/e1/b"),
    (".", SCRATCH, f"{FS}:/scratch/e1"),
    ("/opt/efs/scratch/other/x/", "/opt/efs/scratch/other/x", f"{FS}:/scratch/other/x"),
    ("/opt/efs/shared/ref", "/opt/efs/shared/ref", f"{FS}:/shared/ref"),
    ("/opt/efs/scratch/a/../b", "/opt/efs/scratch/a/../b", f"{FS}:/scratch/b"),
]


@pytest.mark.parametrize(("local", "path", "efs"), PLACES)
def test_an_input_lies_in_the_working_directory_or_below_a_mount(
    local: str, path: str, efs: str
) -> None:
    response = scaffold(with_input(local)).response
    assert response.setup_configs.batch_create_request.environment["I"] == path
    assert response.setup_configs.data_sync_requests[0].destination_path == efs
    assert response.cleanup_configs.remove_data_paths_requests[0].paths == (efs,)


@pytest.mark.parametrize(("local", "path", "efs"), PLACES)
def test_an_output_lies_there_as_well(local: str, path: str, efs: str) -> None:
    response = scaffold(with_output(local)).response
    assert response.demand_execution.execution_parameters.job_params[0].value == path
    assert response.cleanup_configs.data_sync_requests[0].source_path == efs


@pytest.mark.parametrize(
    "local",
    ["../x", "..", "a/../../x", "../e1x/y", "../e2", "/data/x", "/", "/opt/efs",
     "/opt/efs/scratchy",
     "/opt/efs/scratch/../shared/x", "/opt/efs/scratch/../../..", "/../../opt/efs/scratch/x"],
)  # fmt: skip
@pytest.mark.parametrize(("make", "name"), [(with_input, "i"), (with_output, "o")])
def test_a_place_outside_is_refused(make: Any, name: str, local: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        scaffold(make(local))
    assert caught.value.field == f"demand_execution.execution_parameters.params.{name}"
    assert caught.value.value
    assert caught.value.mend


@given(st.lists(st.sampled_from(["..", ".", "a", "/", "b"]), min_size=1).map("/".join))
def test_no_relative_place_is_ever_outside_the_working_directory(local: str) -> None:
    assume(not local.startswith("/"))
    try:
        found = scaffold(with_input(local)).response.setup_configs.data_sync_requests
    except InvalidRequest:
        return
    assert f"{found[0].destination_path}/".startswith(f"{FS}:/scratch/e1/")
    assert ".." not in found[0].destination_path


def test_shared_inputs_lie_under_the_hash_of_their_remote_text() -> None:
    parameters = {
        "params": {
            "a": "s3://interop-bucket/raw/s1.fq.gz @ ../anywhere",
            "b": {"local": "/off", "remote": "s3://interop-bucket/raw/s1.fq.gz", "include": "x"},
        },
        "inputs": ["a", "b"],
    }
    found = scaffold(demand(parameters), context={"isolate_inputs": False}).response
    digest = "a22d5e2dfc44a6012b8d2be50ed7a107a68c8df6b4f59cb309d5661da2dac415"
    values = [param.value for param in found.demand_execution.execution_parameters.job_params]
    assert values == [f"{SHARED}/{digest}"] * 2
    paths = {item.destination_path for item in found.setup_configs.data_sync_requests}
    assert paths == {f"{FS}:/shared/{digest}"}


@pytest.mark.parametrize("local", ["a b", "a @ b", "a\tb"])
def test_a_placed_demand_can_be_read_again_even_with_blanks(local: str) -> None:
    placed = scaffold(with_input(local)).response.demand_execution
    assert DemandExecution.parse(placed.to_wire()) == placed
    assert placed.execution_parameters.params["i"] == {
        "local": f"{SCRATCH}/{local}",
        "remote": "s3://interop-bucket/i",
        "action": "LOCALIZE",
    }


def test_scaffolding_a_placed_demand_again_moves_nothing() -> None:
    parameters = {
        "params": {"i": "s3://interop-bucket/i", "o": "out", "u": "${I}:${O}"},
        "inputs": ["i"],
        "outputs": ["o"],
        "output_s3_prefix": "s3://interop-bucket/p",
    }
    once = scaffold(demand(parameters)).response.demand_execution.to_wire()
    twice = scaffold(dict(once)).response.demand_execution.to_wire()
    assert once == twice


def test_a_reference_to_an_input_yields_its_place() -> None:
    parameters = {
        "command": ["${USE}"],
        "params": {"i": "s3://interop-bucket/i @ in/x", "use": "cat ${I}"},
        "inputs": ["i"],
    }
    assert environment_of(scaffold(demand(parameters)))["USE"] == f"cat {SCRATCH}/in/x"
