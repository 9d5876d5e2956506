"""From a batch-create request to a definition and SubmitJob's arguments (section 7)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.core.demand.batch_args import (
    CreateDefinitionAndPrepareArgsRequest,
    is_registry_image,
    prepare_args,
)
from chalicelib.core.demand.overrides import (
    OVERRIDES_RESERVE_BYTES,
    container_overrides,
    has_room,
    overrides_bytes,
)
from chalicelib.core.errors import InvalidRequest, TooLarge
from tests.unit.demand_cases import OURS

MINIMAL = {"image": "img", "job_definition_name": "d", "job_queue_name": "q"}


def read(**fields: Any) -> CreateDefinitionAndPrepareArgsRequest:
    return CreateDefinitionAndPrepareArgsRequest.parse({**MINIMAL, **fields})


def test_everything_but_image_name_and_queue_has_a_default() -> None:
    assert read().to_wire() == {
        **MINIMAL,
        "command": [],
        "environment": {},
        "job_definition_tags": {},
        "resource_requirements": [],
        "mount_points": [],
        "volumes": [],
        "privileged": False,
    }


@pytest.mark.parametrize("missing", sorted(MINIMAL))
def test_what_has_no_default_must_be_given(missing: str) -> None:
    document = {key: value for key, value in MINIMAL.items() if key != missing}
    with pytest.raises(InvalidRequest) as caught:
        CreateDefinitionAndPrepareArgsRequest.parse(document)
    assert caught.value.field == missing


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"GPU": 1, "MEMORY": 1024, "VCPU": 4}, ["GPU=1", "MEMORY=1024", "VCPU=4"]),
        ({"VCPU": "4", "GPU": 0, "MEMORY": None, "OTHER": 3}, ["VCPU=4"]),
        ([{"type": "VCPU", "value": "0.5"}, {"type": "GPU", "value": 2}], ["VCPU=0.5", "GPU=2"]),
    ],
    ids=repr,
)
def test_resources_are_a_list_or_an_object(given: Any, kept: list[str]) -> None:
    found = read(resource_requirements=given).requirement_pairs()
    assert [f"{kind}={value}" for kind, value in found] == kept


@pytest.mark.parametrize(
    "given",
    [
        [{"type": "CPU", "value": "1"}],
        [{"type": "GPU", "value": "one"}],
        [{"type": "GPU", "value": True}],
        {"MEMORY": "much"},
        "VCPU",
    ],
    ids=repr,
)
def test_other_resources_are_refused(given: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(resource_requirements=given)
    assert caught.value.field.startswith("resource_requirements")


@pytest.mark.parametrize(
    "image",
    [
        "docker.io/library/python:3.11",
        "public.ecr.aws/docker/library/python",
        "ghcr.io/org/image@sha256:0",
        "123456789012.dkr.ecr.us-west-2.amazonaws.com/tools/a:1",
    ],
)
def test_an_image_of_a_known_registry_is_taken_as_it_is(image: str) -> None:
    assert is_registry_image(image)


@pytest.mark.parametrize(
    "image",
    ["python", "tools/a:1", "docker.io", "docker.io/", "quay.io/a/b", "docker.io.evil.org/a",
     "evil.org/docker.io/a", "12345.dkr.ecr.us-west-2.amazonaws.com/a",
     "123456789012.dkr.ecr.us-west-2.amazonaws.com.evil.org/a", ""],
)  # fmt: skip
def test_any_other_image_is_a_repository_of_the_account(image: str) -> None:
    assert not is_registry_image(image)


def test_a_request_without_a_job_name_gets_the_callers() -> None:
    given = prepare_args(read(), OURS, job_definition_arn="arn", job_name="d-1234")
    own = prepare_args(read(job_name="own"), OURS, job_definition_arn="arn", job_name="d-1234")
    assert (given.job_name, own.job_name) == ("d-1234", "own")
    assert given.to_wire() == {
        "job_name": "d-1234",
        "job_definition_arn": "arn",
        "job_queue_arn": "q",
        "parameters": {},
        "container_overrides": {
            "Environment": [
                {"Name": "AWS_REGION", "Value": "us-west-2"},
                {"Name": "ENV_BASE", "Value": "dev-interop"},
            ],
            "ResourceRequirements": [],
        },
    }


def test_an_environment_that_batch_has_no_room_for_is_refused() -> None:
    request = read(environment={"A": "x" * 8000})
    with pytest.raises(TooLarge) as caught:
        prepare_args(request, OURS, job_definition_arn="arn", job_name="n")
    assert caught.value.field == "environment"
    assert caught.value.mend


def test_room_is_counted_to_the_byte() -> None:
    requirements = [("VCPU", "1")]
    empty = overrides_bytes(container_overrides({"A": ""}, requirements))
    fits = 8192 - OVERRIDES_RESERVE_BYTES - empty
    assert has_room({"A": "x" * fits}, requirements)
    assert not has_room({"A": "x" * (fits + 1)}, requirements)
    assert not has_room({"A": "\n" * (fits // 2 + 1)}, requirements)
    document = container_overrides({"A": "é"}, requirements)
    assert json.loads(json.dumps(document)) == {
        "environment": [{"name": "A", "value": "é"}],
        "resourceRequirements": [{"type": "VCPU", "value": "1"}],
    }
