"""The runbook's commands of AWS are commands, and its events are events."""

from __future__ import annotations

import json
import re

import boto3
import pytest
from botocore import xform_name

from infra.lambda_python import CHECKOUT
from tests.flow.aws_worlds import aws_account

PAGES = [CHECKOUT / "docs" / name for name in ("runbook.md", "deploy.md")]
EVERYWHERE = {"query", "output", "cli-binary-format", "region", "profile"}
CUSTOM = {
    ("dynamodb", "wait"): {"table-name"},
    ("logs", "tail"): {"since", "filter-pattern", "follow"},
    ("cloudformation", "deploy"): {
        "template-file", "stack-name", "capabilities", "parameter-overrides",
    },
}  # fmt: skip
"""What the command line has beside the API's operations (AWS CLI command reference)."""
SESSION = boto3.session.Session(region_name="us-east-1")


def commands(page):
    text = page.read_text().replace("\\\n", " ")
    return re.findall(r"\baws ([a-z0-9]+) ([a-z-]+)((?: [^`\n]*)?)", text)


def flags_of(service, verb):
    """The operation's flags, by the API's own model."""
    if (service, verb) in CUSTOM:
        return CUSTOM[service, verb]
    client = client_of(service)
    named = {xform_name(each, "-"): each for each in client.meta.service_model.operation_names}
    assert verb in named, f"aws {service} {verb}"
    shape = client.meta.service_model.operation_model(named[verb]).input_shape
    members = shape.members if shape else {}
    switches = [f"no-{each}" for each in map(kebab, members)]
    return {*map(kebab, members), *switches}


def client_of(service):
    return SESSION.client({"s3api": "s3"}.get(service, service))


def kebab(name):
    return xform_name(name, "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_of_aws_and_their_flags_are_those_that_there_are(page):
    found = commands(page)
    assert found
    for service, verb, rest in found:
        if verb == "wait":
            assert rest.split()[0].replace("-", "_") in client_of(service).waiter_names
        told = set(re.findall(r"(?<= )--([a-z-]+)", re.sub(r"\$\(.*?\)", "", rest)))
        assert told <= flags_of(service, verb) | EVERYWHERE, (service, verb, told)


def test_the_event_that_functions_are_called_with_by_hand_is_one_of_the_clock():
    text = PAGES[0].read_text()
    (event,) = re.findall(r"^E='(.*)'$", text, re.MULTILINE)
    called = re.findall(r"lambda invoke --function-name \$D-(\w+) (.*?) /dev/stdout", text)
    assert {each for each, _ in called} == {"on_sweep", "on_cleanup_time"}
    for _, flags in called:
        assert flags == '--cli-binary-format raw-in-base64-out --payload "$E"'
    with aws_account() as world:
        for function, _ in called:
            world.invoke(function, json.loads(event))


def test_a_table_is_restored_to_a_name_that_the_deployment_may_use():
    text = PAGES[0].read_text()
    assert "--target-table-name $D-restored " in text
    assert 'PARAMETERS="TableName=falsework-dev-restored"' in text
