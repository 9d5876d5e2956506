"""The functions' log groups: made before the functions, deleted after them, by nobody else."""

from __future__ import annotations

import json
import shutil

import boto3
import pytest
from moto import mock_aws

from infra import function_logs
from infra.grants import FUNCTIONS
from infra.lambda_python import CHECKOUT
from infra.stacks import StackFailed

NAME = "falsework-dev"


@pytest.fixture
def logs():
    with mock_aws():
        yield boto3.session.Session(region_name="us-east-1").client("logs")


def there(logs):
    told = logs.describe_log_groups()["logGroups"]
    return {each["logGroupName"]: each.get("retentionInDays") for each in told}


def test_they_are_made_once_and_expire_also_those_that_functions_made(logs):
    logs.create_log_group(logGroupName="/aws/lambda/falsework-dev-on_wake")
    for _ in range(2):
        function_logs.make(logs, NAME)
    assert there(logs) == dict.fromkeys(function_logs.names(NAME), 90)
    assert len(function_logs.names(NAME)) == len(FUNCTIONS)


def test_they_are_deleted_and_no_others(logs):
    function_logs.make(logs, NAME)
    logs.create_log_group(logGroupName="/aws/lambda/falsework-dev-somebody")
    for _ in range(2):
        function_logs.remove(logs, NAME)
    assert list(there(logs)) == ["/aws/lambda/falsework-dev-somebody"]


def test_one_that_a_stack_could_not_make_is_named_before_anything_is_made(logs):
    logs.create_log_group(logGroupName="/aws/lambda/falsework-dev-somebody")
    function_logs.check(logs, NAME)
    logs.create_log_group(logGroupName="/aws/lambda/falsework-dev-on_sweep")
    with pytest.raises(StackFailed, match=r"delete-log-group .*/falsework-dev-on_sweep$"):
        function_logs.check(logs, NAME)


def test_no_function_that_we_deploy_may_make_its_own(tmp_path):
    shutil.copytree(CHECKOUT / ".chalice", tmp_path / ".chalice")
    function_logs.take_from_functions(tmp_path)
    for path in (tmp_path / ".chalice").glob("policy-*.json"):
        assert "logs:CreateLogGroup" not in path.read_text()
        before = json.loads((CHECKOUT / ".chalice" / path.name).read_text())["Statement"]
        assert len(json.loads(path.read_text())["Statement"]) == len(before) - 1
