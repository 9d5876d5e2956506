"""What definitions and tags look like before they are sent."""

from __future__ import annotations

import pytest

from chalicelib.aws.batch_arguments import DIGEST_TAG, definition_arguments, submit_arguments
from chalicelib.aws.batch_tags import DEFINITION_TAGS, JOB_TAGS, fitting_tags
from chalicelib.core.errors import Refused
from chalicelib.core.plans.plan import JobDefinition
from chalicelib.job_ports import JobRequest

SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:x"
ROLE = "arn:aws:iam::123456789012:role/execution"
PLAIN = JobDefinition(name="dev-x", image="ghcr.io/x")


def container(**fields):
    options = fields.pop("options", {})
    definition = PLAIN.model_copy(update=fields)
    return definition_arguments(definition, **options)["containerProperties"]


@pytest.mark.parametrize("size", [None, 2, 10_000])
def test_an_array_is_submitted_with_its_size(size):
    job = JobRequest(name="x", queue="q", definition_arn="arn:x", array_size=size)
    assert submit_arguments(job).get("arrayProperties") == (size and {"size": size})


def test_a_definition_holds_what_a_job_cannot_override():
    efs = {"fileSystemId": "fs-1", "rootDirectory": "/"}
    volume = {"name": "v", "efsVolumeConfiguration": efs}
    mount = {"readOnly": True, "containerPath": "/x", "sourceVolume": "v"}
    told = container(
        command=("a", "b"),
        mount_points=(mount,),
        volumes=(volume,),
        job_role_arn="arn:role",
        privileged=True,
        secrets={"B": SECRET, "A": SECRET},
        resource_requirements=({"type": "GPU", "value": "1"}, {"type": "VCPU", "value": "4"}),
        options={"execution_role_arn": ROLE, "log_group": "/mine"},
    )
    assert told == {
        "image": "ghcr.io/x",
        "command": ["a", "b"],
        "mountPoints": [mount],
        "volumes": [
            {"name": "v", "efsVolumeConfiguration": {**efs, "transitEncryption": "ENABLED"}}
        ],
        "privileged": True,
        "jobRoleArn": "arn:role",
        "executionRoleArn": ROLE,
        "secrets": [{"name": "A", "valueFrom": SECRET}, {"name": "B", "valueFrom": SECRET}],
        "resourceRequirements": [
            {"type": "GPU", "value": "1"},
            {"type": "MEMORY", "value": "1024"},
            {"type": "VCPU", "value": "4"},
        ],
        "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/mine"}},
    }


def test_secrets_need_a_role_that_can_fetch_them():
    with pytest.raises(Refused, match="execution role"):
        container(secrets={"A": SECRET})


@pytest.mark.parametrize(
    "fields",
    [{"image": "ghcr.io/y"}, {"privileged": True}, {"tags": {"a": "b"}}, {"command": ("x",)}],
    ids=lambda fields: next(iter(fields)),
)
def test_the_digest_tells_contents_apart(fields):
    def digest(definition, **options):
        return definition_arguments(definition, **options)["tags"][DIGEST_TAG]

    assert digest(PLAIN) == digest(PLAIN.model_copy())
    assert digest(PLAIN) != digest(PLAIN.model_copy(update=fields))
    assert digest(PLAIN) != digest(PLAIN, log_group="/mine")


def test_a_request_cannot_choose_the_digest():
    forged = PLAIN.model_copy(update={"tags": {DIGEST_TAG: "f" * 64}})
    assert definition_arguments(forged)["tags"][DIGEST_TAG] != "f" * 64


def test_job_and_definition_never_have_more_than_50_tags_together():
    """With more, and propagated, Batch moves the job to FAILED."""
    many = {f"t{n}": "v" for n in range(60)}
    definition = definition_arguments(PLAIN.model_copy(update={"tags": many}))["tags"]
    job = JobRequest(name="n", queue="q", definition_arn="d", tags={**many, "falsework:run": "r1"})
    told = submit_arguments(job)["tags"]
    assert len(definition) + len(told) == 50
    assert (len(definition), len(told)) == (DEFINITION_TAGS, JOB_TAGS)
    assert DIGEST_TAG in definition
    assert told["falsework:run"] == "r1"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({"a b+-=._:/@9": "é ü"}, {"a b+-=._:/@9": "é ü"}, id="all that is allowed"),
        pytest.param({"a&b": "x\ny\t\0(z)"}, {"a_b": "x_y___z_"}, id="what is not"),
        pytest.param({"k" * 200: "v" * 300}, {"k" * 128: "v" * 256}, id="too long"),
        pytest.param({"AWS:x": "Aws:y"}, {"_AWS:x": "_Aws:y"}, id="AWS's own prefix"),
        pytest.param({"": "v", "k": ""}, {"k": ""}, id="empty"),
        pytest.param({"a&": "1", "a%": "2"}, {"a_": "1"}, id="two become one"),
        pytest.param({"\U0001f600": "\ud800"}, {"_": "_"}, id="no letter at all"),
    ],
)
def test_tags_are_bent_until_they_fit(given, expected):
    assert fitting_tags(given, 50) == expected
