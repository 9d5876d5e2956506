"""Commands that cannot go on say so in one sentence, with the mend, and their exit code is 1."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from infra import deploy
from infra.account import Aws, environment
from infra.failures import Failed, exit_code
from infra.stacks import StackFailed
from tests.deploy.running import of_lambda

NO_ACCOUNT = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_DEFAULT_REGION": ""}


def refused(code):
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "CreateStack")


@pytest.mark.parametrize(
    ("failure", "says"),
    [
        (StackFailed("there is no stack"), "there is no stack"),
        (NoCredentialsError(), "Unable to locate credentials: log in"),
        (refused("AccessDenied"), "infra/deployer.yaml"),
        (refused("ExpiredToken"), "log in"),
        (refused("ThrottlingException"), "again in a minute"),
        (refused("LimitExceededException"), "LimitExceededException"),
        (EndpointConnectionError(endpoint_url="https://x"), "https://x"),
    ],
    ids=lambda each: each if isinstance(each, str) else type(each).__name__,
)
def test_what_stops_a_command_is_one_sentence(capsys, failure, says):
    def run():
        raise failure

    assert exit_code("deploy", run) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("deploy: ")
    assert says in line


def test_a_fault_of_ours_keeps_its_traceback():
    with pytest.raises(KeyError):
        exit_code("deploy", lambda: {}["TableName"])


def test_a_command_that_goes_on_has_its_own_exit_code():
    assert exit_code("deploy", lambda: 0) == 0
    assert issubclass(StackFailed, Failed)


@pytest.mark.parametrize("command", ["deploy", "destroy", "image"])
@pytest.mark.parametrize(
    ("told", "says"),
    [({}, "set AWS_REGION"), ({"AWS_REGION": "eu-west-1"}, "log in")],
    ids=["no region", "AWS_REGION is enough, and no credentials"],
)
def test_an_environment_without_an_account_is_no_traceback(lambda_python, command, told, says):
    done = of_lambda(lambda_python, "-m", f"infra.{command}", "dev", **{**NO_ACCOUNT, **told})
    if command == "image" and told:  # it looks at dist/ first
        says = "make wheel" if "make wheel" in done.stderr else says
    assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stderr
    assert says in done.stderr


def test_a_stage_that_is_not_configured_is_refused_before_anything_is_asked(capsys, monkeypatch):
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    assert deploy.main(["test"]) == 1
    told = capsys.readouterr().err
    for word in ("stage 'test'", "it has dev, prod", "STAGES in infra/policies.py"):
        assert word in told


def test_clients_and_chalice_are_in_the_region_that_either_variable_names():
    told = {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-east-1"}
    assert Aws.of_environment(told).cloudformation.meta.region_name == "eu-west-1"
    assert environment(told)["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert environment({"AWS_DEFAULT_REGION": "us-east-1"}) == {"AWS_DEFAULT_REGION": "us-east-1"}
