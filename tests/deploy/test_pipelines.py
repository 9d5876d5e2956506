"""Both pipelines: what they run exists, what waits for approval, and that nobody keeps a key."""

from __future__ import annotations

import re

import pytest
import yaml

from infra.lambda_python import CHECKOUT
from infra.templates import read
from tests.deploy.test_package import lint

WORKFLOWS = CHECKOUT / ".github" / "workflows"
MAKEFILE = (CHECKOUT / "Makefile").read_text()


def workflow(name):
    told = yaml.safe_load((WORKFLOWS / f"{name}.yml").read_text())
    return told | {"on": told.pop(True)}  # YAML 1.1 takes "on" for a boolean


@pytest.mark.parametrize("name", ["deployer", "pipeline", "group"])
def test_the_templates_pass_cfn_lint_without_a_warning(name):
    done = lint(CHECKOUT / "infra" / f"{name}.yaml")
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", ["ci", "deploy", "deploy-stage"])
def test_no_key_is_kept_and_nothing_may_be_written(name):
    text = (WORKFLOWS / f"{name}.yml").read_text()
    assert not re.search(r"secrets\.|aws-access-key|AWS_SECRET", text, re.IGNORECASE)
    allowed = workflow(name)["permissions"]
    assert allowed.items() <= {"contents": "read", "id-token": "write"}.items()


def test_only_deploying_gets_an_identity():
    assert "id-token" not in workflow("ci")["permissions"]
    assert workflow("deploy")["permissions"]["id-token"] == "write"


def test_github_checks_then_deploys_dev_then_prod():
    jobs = workflow("deploy")["jobs"]
    assert list(jobs) == ["check", "dev", "prod"]
    assert (jobs["dev"]["needs"], jobs["prod"]["needs"]) == ("check", "dev")
    (job,) = workflow("deploy-stage")["jobs"].values()
    assert job["environment"] == "${{ inputs.stage }}"


def test_a_role_at_github_is_its_environments_only():
    role = read(CHECKOUT / "infra" / "deployer.yaml")["Resources"]["DeployRole"]["Properties"]
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    told = statement["Condition"]["StringEquals"]["token.actions.githubusercontent.com:sub"]
    assert told == {"Fn::Sub": "repo:${Repository}:environment:${EnvBase}"}


def test_codepipeline_deploys_prod_only_after_an_approval():
    resources = read(CHECKOUT / "infra" / "pipeline.yaml")["Resources"]
    stages = resources["Pipeline"]["Properties"]["Stages"]
    assert [stage["Name"] for stage in stages] == ["source", "check", "dev", "prod"]
    approve, deploy = sorted(stages[-1]["Actions"], key=lambda action: action["RunOrder"])
    assert approve["ActionTypeId"]["Category"] == "Approval"
    assert deploy["Configuration"]["ProjectName"] == {"Ref": "DeployProd"}


def test_every_command_of_a_pipeline_can_be_made():
    texts = [path.read_text() for path in WORKFLOWS.glob("*.yml")]
    texts.append((CHECKOUT / "infra" / "pipeline.yaml").read_text())
    texts.append((CHECKOUT / "docs" / "deploy.md").read_text())
    targets = {target for text in texts for target in re.findall(r"\bmake ([a-z][a-z-]*)", text)}
    assert {"deploy", "image"} <= targets
    assert targets <= set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
