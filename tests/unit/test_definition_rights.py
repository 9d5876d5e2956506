"""What a job definition may not have unless the site allows it: its machine, another's role."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.core.batch_job_requests import parse_batch_job
from chalicelib.core.definition_rights import check_found_role, check_host_volumes, check_rights
from chalicelib.core.demand.batch_args import CreateDefinitionAndPrepareArgsRequest
from chalicelib.core.errors import Forbidden
from chalicelib.core.function_requests import parse_function_request
from chalicelib.core.plans.plan import JobDefinition
from chalicelib.core.site import Site
from chalicelib.worker.demand_steps import define_and_prepare

SITE = Site(prefix="falsework-dev")
LENIENT = Site(allow_host_volumes=True)
MACHINE = {"name": "v", "host": {"sourcePath": "/"}}
NOBODY: Any = None
"""Nothing is asked of it."""
ROLE = "arn:aws:iam::123456789012:role/"


def of_role(role):
    return JobDefinition(name="theirs", image="i", job_role_arn=role)


@pytest.mark.parametrize(
    "volume",
    [MACHINE, {"Name": "v", "Host": {"SourcePath": "/"}}, {"name": "v", "host": "/"}],
    ids=["the SDK's spelling", "state machines' spelling", "no form that Batch knows"],
)
def test_the_machines_own_folders_are_mounted_only_where_the_site_allows_it(volume):
    with pytest.raises(Forbidden) as refused:
        check_host_volumes([{"name": "w"}, volume], SITE)
    assert (refused.value.field, refused.value.value) == ("volumes.1.host.sourcePath", "/")
    assert "allow_host_volumes" in refused.value.mend
    check_host_volumes([volume], LENIENT)


@pytest.mark.parametrize(
    "volume",
    [
        {"name": "v"},
        {"name": "v", "host": {}},
        {"name": "v", "host": None},
        {"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-0a100000"}},
    ],
    ids=["nothing told", "an empty one of Docker's", "null", "a file system"],
)
def test_other_volumes_harm_nobody(volume):
    check_host_volumes([volume], SITE)


REQUESTS = {
    "batch-job": lambda body, site: parse_batch_job({"command": ["true"], **body}, site),
    "batch-lambda": lambda body, site: parse_function_request(
        "batch-lambda", {"handler": "h.h", "payload": {}, **body}, site
    ),
    "batch-executor": lambda body, site: parse_function_request(
        "batch-executor", {"executor": "e", "payload": {}, **body}, site
    ),
}


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_request_that_mounts_its_machine_is_refused_before_anything_is_made(kind):
    mount = {"containerPath": "/m", "sourceVolume": "v"}
    body = {"image": "busybox", "volumes": [MACHINE], "mount_points": [mount]}
    with pytest.raises(Forbidden) as refused:
        REQUESTS[kind](body, SITE)
    assert refused.value.field == "volumes.0.host.sourcePath"
    assert REQUESTS[kind](body, LENIENT).request.volumes == (MACHINE,)


def test_our_workers_handler_registers_no_definition_that_mounts_its_machine():
    request = CreateDefinitionAndPrepareArgsRequest(
        image="i", job_definition_name="d", job_queue_name="q", volumes=(MACHINE,)
    )
    with pytest.raises(Forbidden) as refused:
        define_and_prepare(request, SITE, NOBODY, NOBODY)
    assert refused.value.field == "volumes.0.host.sourcePath"


def test_a_definition_that_was_there_may_not_mount_its_machine_either():
    there = JobDefinition(name="theirs", image="i", volumes=(MACHINE,))
    with pytest.raises(Forbidden):
        check_rights(there, SITE)
    check_rights(there, LENIENT)


@pytest.mark.parametrize(
    ("role", "listed", "is_allowed"),
    [
        (None, None, True),
        (ROLE + "falsework-dev-user-imaging", None, True),
        (ROLE + "team/falsework-dev-user-imaging", (), True),
        (ROLE + "billing", None, False),
        (ROLE + "billing", (ROLE + "other",), False),
        (ROLE + "billing", (ROLE + "billing",), True),
        (ROLE + "falsework-prod-user-imaging", None, False),
        (ROLE + "falsework-dev-user-x/billing", None, False),
    ],
    ids=[
        "none", "of the name", "below a path", "another team's", "another is listed", "listed",
        "of another stage", "the name only in its path",
    ],
)  # fmt: skip
def test_a_definition_that_was_there_brings_only_roles_of_users_jobs(role, listed, is_allowed):
    if is_allowed:
        check_found_role(of_role(role), SITE, listed)
        return
    with pytest.raises(Forbidden) as refused:
        check_found_role(of_role(role), SITE, listed)
    assert (refused.value.field, refused.value.value) == ("job_definition", role)
    assert "falsework-dev-user-…" in refused.value.mend


def test_on_ones_own_machine_a_role_is_only_a_word():
    check_found_role(of_role(ROLE + "billing"), Site(has_local_paths=True), None)
