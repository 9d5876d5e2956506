"""Both pipelines: what they run exists, what waits for approval, and that nobody keeps a key."""

from __future__ import annotations

import re
import subprocess

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
    told = workflow(name)
    for each in (told, *told["jobs"].values()):
        allowed = each.get("permissions", {})
        assert allowed.items() <= {"contents": "read", "id-token": "write"}.items()


def test_only_deploying_gets_an_identity():
    deploy = workflow("deploy")
    assert "id-token" not in {**workflow("ci")["permissions"], **deploy["permissions"]}
    having = {name for name, job in deploy["jobs"].items() if "id-token" in str(job)}
    assert having == {"dev", "prod"}


def test_an_action_is_named_by_its_commit_which_nobody_can_move():
    texts = [path.read_text() for path in WORKFLOWS.glob("*.yml")]
    used = [each for text in texts for each in re.findall(r"uses: ([^.\n]\S*)(.*)", text)]
    assert len(used) > 5
    for action, comment in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action)
        assert re.fullmatch(r"  # v\d+\.\d+\.\d+", comment)


def test_what_the_workflows_name_is_kept_up_to_date():
    told = yaml.safe_load((CHECKOUT / ".github" / "dependabot.yml").read_text())["updates"]
    assert {"github-actions", "pip", "docker"} == {each["package-ecosystem"] for each in told}


def test_github_checks_then_deploys_dev_then_prod():
    jobs = workflow("deploy")["jobs"]
    assert list(jobs) == ["check", "dev", "prod"]
    assert (jobs["dev"]["needs"], jobs["prod"]["needs"]) == ("check", "dev")
    (job,) = workflow("deploy-stage")["jobs"].values()
    assert job["environment"] == "${{ inputs.stage }}"


def test_a_stage_that_waits_for_approval_holds_up_no_other():
    assert "concurrency" not in workflow("deploy")
    assert "concurrency" not in workflow("deploy-stage")
    (job,) = workflow("deploy-stage")["jobs"].values()
    assert job["concurrency"]["group"] == "deploy-${{ inputs.stage }}"
    assert job["concurrency"]["cancel-in-progress"] is False


def test_the_image_is_there_before_the_functions_that_submit_jobs_with_it():
    steps = workflow("deploy-stage")["jobs"]["deploy"]["steps"]
    commands = [step["run"].split()[1] for step in steps if "run" in step]
    assert commands == ["stage", "image", "deploy"]
    resources = read(CHECKOUT / "infra" / "pipeline.yaml")["Resources"]
    for stage in ("dev", "prod"):
        source = resources[f"Deploy{stage.capitalize()}"]["Properties"]["Source"]
        told = yaml.safe_load(source["BuildSpec"]["Fn::Sub"])["phases"]["build"]["commands"]
        assert [each.split()[:3] for each in told] == [
            ["make", each, f"STAGE={stage}"] for each in ("stage", "image", "deploy")
        ]


def test_both_pipelines_tell_the_foundation_of_the_boundary():
    """It is told before anything is made, and kept."""
    bound = "arn:{}:policy/falsework-{}-boundary"
    resources = read(CHECKOUT / "infra" / "pipeline.yaml")["Resources"]
    for stage in ("dev", "prod"):
        source = resources[f"Deploy{stage.capitalize()}"]["Properties"]["Source"]
        arn = bound.format("${AWS::Partition}:iam::${AWS::AccountId}", stage)
        told = f'make stage STAGE={stage} PARAMETERS="PermissionsBoundary={arn}"'
        assert told in source["BuildSpec"]["Fn::Sub"]
    steps = workflow("deploy-stage")["jobs"]["deploy"]["steps"]
    (making,) = [step["run"] for step in steps if step.get("run", "").startswith("make stage")]
    done = subprocess.run(
        ["sh", "-c", making.replace("make", "printf '%s\\n'", 1)],
        env={"STAGE": "dev", "ROLE": "arn:aws:iam::111122223333:role/falsework-github-dev"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    arn = bound.format("aws:iam::111122223333", "dev")
    assert done.stdout.split() == ["stage", "STAGE=dev", f"PARAMETERS=PermissionsBoundary={arn}"]


def test_a_runner_of_github_lets_bwrap_make_its_namespaces_before_it_is_used():
    steps = workflow("ci")["jobs"]["check"]["steps"]
    commands = [step["run"] for step in steps if "run" in step]
    allowing = "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
    assert commands == [allowing, ".ci/run"]


def test_a_build_asks_docker_hub_for_nothing():
    told = (CHECKOUT / "infra" / "worker" / "Dockerfile").read_text()
    bases = re.findall(r"^FROM (\S+)", told, re.MULTILINE)
    assert bases == ["public.ecr.aws/docker/library/python:3.13-slim-trixie"] * 2


DEPLOYER = read(CHECKOUT / "infra" / "deployer.yaml")


def test_a_role_at_github_is_its_environments_only():
    role = DEPLOYER["Resources"]["DeployRole"]["Properties"]
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    told = statement["Condition"]["StringEquals"]["token.actions.githubusercontent.com:sub"]
    assert told == {"Fn::Sub": "repo:${Repository}:environment:${EnvBase}"}


@pytest.mark.parametrize(
    ("repository", "is_one"),
    [
        ("", True),
        ("octocat/my-repo", True),
        ("octocat@123456/my-repo@456789", True),
        ("octocat", False),
        ("octocat/*", False),
        ("octocat/my-repo:ref", False),
        ("octocat@/my-repo@1", False),
    ],
)
def test_a_repository_is_named_with_the_ids_that_its_tokens_have_or_without(repository, is_one):
    pattern = DEPLOYER["Parameters"]["Repository"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, repository)) is is_one


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
