"""Checkov and hadolint: nothing found but what is explained here.

Checkov knows the AWS rules of several catalogues; it runs offline (``--skip-download``). It is in
an environment of its own, for it wants a boto3 of its own. Where no rule is about a template's
resources (infra/group.yaml) there is no report.
"""

from __future__ import annotations

import json
import subprocess

import pytest

from infra.lambda_python import CHECKOUT

pytestmark = pytest.mark.slow
EXPLAINED = {
    "CKV_AWS_119": "DynamoDB is encrypted with AWS's key; one of our own costs per request and"
    " gains nothing where the same account owns both",
    "CKV_AWS_18": "access logs cost more than they tell here: CloudTrail's data events are for"
    " that, and every change through the API stands in the audit",
    "CKV_AWS_27": "queues are encrypted by SQS (SqsManagedSseEnabled), which the rule overlooks",
    "CKV_AWS_51": "versions are immutable; only `latest` moves, which the rule cannot read",
    "CKV_AWS_115": "reserved concurrency would be taken from an account that may have ten; SQS"
    " mappings have a maximum, and Batch paces the rest",
    "CKV_AWS_116": "the event functions have destinations, SQS brings its own dead letters, and"
    " the sweep comes again",
    "CKV_AWS_117": "functions speak to AWS only; in a VPC (FunctionMounts) they"
    " need a NAT gateway",
    "CKV_AWS_173": "the environment holds names, never secrets, and Lambda encrypts it anyway",
    "CKV_AWS_158": "functions' logs hold ids and no secret; CloudWatch encrypts them",
    "CKV_AWS_66": "the retention stands in the template: 90 days",
    "CKV_AWS_338": "90 days of functions' logs answer every question that was asked so far",
    "CKV_AWS_76": "access logs need a role for the whole account (API Gateway, CloudWatch role);"
    " the function logs every request itself",
    "CKV_AWS_120": "no answer may be cached: what is asked for is how a run is now",
    "CKV_AWS_73": "tracing is on (TracingEnabled), which the rule looks for elsewhere",
    "CKV_AWS_95": "the same as CKV_AWS_76",
    "CKV_DOCKER_2": "Batch starts the container for one job and reads its exit code",
}  # fmt: skip


def findings(checks, *files):
    words = [word for each in files for word in ("--file", str(each))]
    done = subprocess.run(
        [checks / "checkov", *words, "--quiet", "--skip-download", "--output", "json"],
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "BC_SKIP_MAPPING": "TRUE"},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    told = json.loads(done.stdout)
    reports = [each for each in (told if isinstance(told, list) else [told]) if "summary" in each]
    assert not [each for each in reports if each["summary"]["parsing_errors"]]
    return {
        (found["check_id"], found["check_name"], found["resource"])
        for each in reports
        for found in each["results"]["failed_checks"]
    }


@pytest.mark.parametrize("name", ["foundation", "group", "deployer", "pipeline"])
def test_our_templates_have_nothing_that_is_not_explained(checks, name):
    found = findings(checks, CHECKOUT / "infra" / f"{name}.yaml")
    assert not {each for each in found if each[0] not in EXPLAINED}


def test_the_applications_template_has_nothing_that_is_not_explained(checks, packaged):
    found = findings(checks, packaged / "sam.yaml")
    assert not {each for each in found if each[0] not in EXPLAINED}


def test_the_dockerfile_passes_hadolint_and_has_nothing_that_is_not_explained(checks):
    dockerfile = CHECKOUT / "infra" / "worker" / "Dockerfile"
    command = [checks / "hadolint", "--strict-labels", str(dockerfile)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    found = findings(checks, dockerfile)
    assert not {each for each in found if each[0] not in EXPLAINED}


def test_checkov_finds_a_bucket_that_is_open(checks, tmp_path):
    template = (CHECKOUT / "infra" / "foundation.yaml").read_text()
    wrong = tmp_path / "foundation.yaml"
    wrong.write_text(template.replace("BlockPublicAcls: true", "BlockPublicAcls: false"))
    assert "CKV_AWS_53" in {each[0] for each in findings(checks, wrong)}


def test_checkov_finds_a_right_over_every_role_and_key(checks, tmp_path):
    """It passes over a policy that has a form it cannot read, and says nothing."""
    template = (CHECKOUT / "infra" / "deployer.yaml").read_text()
    wrong = tmp_path / "deployer.yaml"
    sid = "          - Sid: {}\n"
    for each in ("MakeAnApi", "ServicesMakeTheirOwnRoles"):
        right = "            Effect: Allow\n            Action: iam:PutRolePolicy\n"
        everywhere = sid.format("Bad") + right + '            Resource: "*"\n'
        template = template.replace(sid.format(each), everywhere + sid.format(each))
    wrong.write_text(template)
    found = {each[2] for each in findings(checks, wrong) if each[0] == "CKV_AWS_109"}
    assert {each.rpartition(".")[2] for each in found} == {"DeployPolicy", "UnnamedPolicy"}
