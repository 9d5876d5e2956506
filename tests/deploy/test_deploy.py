"""The real ``chalice deploy`` against moto: from nothing, again, with a changed handler, gone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from infra.grants import FUNCTIONS
from infra.lambda_python import CHECKOUT
from tests.clouds.clients import client, closing_clients
from tests.deploy.moto_for_chalice import serving
from tests.deploy.running import in_project

NAMES = {
    "falsework-dev" if name == "api_handler" else f"falsework-dev-{name}" for name in FUNCTIONS
}


class Account:
    """An account, and a project that is deployed to it."""

    def __init__(self, endpoint: str, project: Path, python: Path) -> None:
        self.endpoint = endpoint
        self.project = project
        self._python = python
        for queue in ("submissions", "wake", "notices"):
            self.client("sqs").create_queue(QueueName=f"falsework-dev-{queue}")

    def client(self, service: str) -> Any:
        return client(service, self.endpoint)

    def chalice(self, *words: str) -> None:
        told = {"AWS_ENDPOINT_URL": self.endpoint}
        done = in_project(self._python, self.project, *words, "--stage", "dev", **told)
        assert done.returncode == 0, done.stdout + done.stderr

    def functions(self) -> dict[str, dict[str, Any]]:
        listed = self.client("lambda").list_functions()["Functions"]
        return {each["FunctionName"]: each for each in listed}

    def everything(self) -> dict[str, Any]:
        """What there is, without what tells when it was made."""
        functions = {
            name: (each["CodeSha256"], each["Role"], each["Environment"], each["Timeout"])
            for name, each in self.functions().items()
        }
        iam, events = self.client("iam"), self.client("events")
        return {
            "functions": functions,
            "roles": {
                role["RoleName"]: iam.get_role_policy(
                    RoleName=role["RoleName"], PolicyName=role["RoleName"]
                )["PolicyDocument"]
                for role in iam.list_roles()["Roles"]
            },
            "mappings": {
                (each["UUID"], each["EventSourceArn"], each["FunctionArn"])
                for each in self.client("lambda").list_event_source_mappings()[
                    "EventSourceMappings"
                ]
            },
            "rules": {
                rule["Name"]: (
                    rule.get("ScheduleExpression"),
                    rule.get("EventPattern"),
                    [
                        target["Arn"]
                        for target in events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
                    ],
                )
                for rule in events.list_rules()["Rules"]
            },
            "apis": [each["id"] for each in self.client("apigateway").get_rest_apis()["items"]],
        }


@pytest.fixture(scope="module")
def account(built, packaged, lambda_python, tmp_path_factory):
    """An account after the first deployment."""
    project = tmp_path_factory.mktemp("project") / "dev"
    shutil.copytree(built, project)
    with serving() as endpoint, closing_clients(endpoint):
        account = Account(endpoint, project, lambda_python)
        account.chalice("deploy")
        yield account


@pytest.fixture(scope="module")
def found(account):
    return account.everything()


def test_every_function_is_there_with_its_own_role(found):
    assert set(found["functions"]) == NAMES
    assert len({role for _, role, _, _ in found["functions"].values()}) == len(NAMES)
    for name in FUNCTIONS:
        file = CHECKOUT / ".chalice" / f"policy-dev-{name.replace('_', '-')}.json"
        assert found["roles"][f"falsework-dev-{name}"] == json.loads(file.read_text())


def test_the_queues_have_their_functions(found):
    pairs = {
        (source.rpartition(":")[2], function.rpartition(":")[2])
        for _, source, function in found["mappings"]
    }
    assert pairs == {
        ("falsework-dev-submissions", "falsework-dev-on_submission"),
        ("falsework-dev-wake", "falsework-dev-on_wake"),
        ("falsework-dev-notices", "falsework-dev-on_notice"),
    }


def test_a_flood_in_a_queue_starts_no_more_functions_than_are_of_use(account):
    told = account.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    assert {each["FunctionArn"].rpartition("-")[2]: each["ScalingConfig"] for each in told} == {
        "on_submission": {"MaximumConcurrency": 10},
        "on_wake": {"MaximumConcurrency": 10},
        "on_notice": {"MaximumConcurrency": 5},
    }


def test_the_bus_and_the_clock_have_their_functions(found):
    told = {
        targets[0].rpartition("-")[2]: (
            schedule,
            json.loads(pattern)["source"] if pattern else None,
        )
        for schedule, pattern, targets in found["rules"].values()
    }
    assert told == {
        "on_object_created": (None, ["aws.s3"]),
        "on_job_change": (None, ["aws.batch"]),
        "on_sweep": ("rate(1 minute)", None),
        "on_cleanup_time": ("cron(0 9 * * ? *)", None),
    }


def test_there_is_one_api_with_every_route(account, found):
    (api,) = found["apis"]
    gateway = account.client("apigateway")
    paths = {
        item["path"]
        for page in gateway.get_paginator("get_resources").paginate(restApiId=api)
        for item in page["items"]
    }
    assert {"/runs", "/runs/{run_id}", "/demand-executions"} <= paths
    assert gateway.get_stages(restApiId=api)["item"][0]["stageName"] == "api"


def test_deploying_again_changes_nothing(account, found):
    account.chalice("deploy")
    assert account.everything() == found


def test_a_changed_handler_is_deployed_and_nothing_is_made_twice(account, found):
    source = account.project / "app.py"
    source.write_text(source.read_text() + "\nCHANGED = True\n")
    account.chalice("deploy")
    after = account.everything()
    assert {each[0] for each in after["functions"].values()}.isdisjoint(
        each[0] for each in found["functions"].values()
    )
    for what in ("roles", "mappings", "rules", "apis"):
        assert after[what] == found[what]


def test_deleting_leaves_nothing(account):
    account.chalice("delete")
    left = account.everything()
    assert not any(left.values())


@pytest.mark.slow
def test_a_checkout_can_be_deployed_as_it_is(lambda_python, tmp_path):
    """``chalice deploy`` by hand: Chalice itself installs what requirements.txt says."""
    project = tmp_path / "checkout"
    ignored = shutil.ignore_patterns("__pycache__", "deployments", "deployed")
    for folder in ("chalicelib", ".chalice"):
        shutil.copytree(CHECKOUT / folder, project / folder, ignore=ignored)
    for file in ("app.py", "requirements.txt"):
        shutil.copy(CHECKOUT / file, project)
    with serving() as endpoint, closing_clients(endpoint):
        account = Account(endpoint, project, lambda_python)
        account.chalice("deploy")
        assert set(account.functions()) == NAMES
