"""``make deploy`` and ``make destroy``: both halves in order, again, and what is left.

moto knows neither Batch's service-linked role nor SAM's macro, deletes networks in the wrong order
and tells a list of subnets wrongly: so the foundation is told of a job queue, a VPC and a file
system that are there, Chalice deploys the application, and the other way has a fake's stacks.
"""

from __future__ import annotations

import json
import shutil

import pytest

from infra import function_logs, stacks
from infra.account import Aws
from infra.deploy import deploy_app
from infra.grants import FUNCTIONS
from infra.outputs import VARIABLES, Place
from infra.templates import read
from tests.clouds.clients import client, closing_clients
from tests.deploy.fake_aws import FakeCloudFormation, FakeLogs, FakeS3
from tests.deploy.moto_for_chalice import serving
from tests.deploy.running import of_lambda

QUEUE = "JobQueueArn=arn:aws:batch:us-east-1:123456789012:job-queue/mine"


class Account:
    """An empty account, and the commands in it."""

    def __init__(self, endpoint, python, folder):
        self._endpoint, self._python, self._folder = endpoint, python, folder

    def run(self, module, *words):
        return of_lambda(
            self._python, "-m", f"infra.{module}", *words, "--into", str(self._folder),
            AWS_ENDPOINT_URL=self._endpoint,
        )  # fmt: skip

    def deploy(self, *more):
        (vpc,) = self.client("ec2").describe_vpcs()["Vpcs"]
        efs = self.client("efs")
        if not (there := efs.describe_file_systems()["FileSystems"]):
            there = [efs.create_file_system()]
        told = (QUEUE, f"VpcId={vpc['VpcId']}", f"FileSystemId={there[0]['FileSystemId']}", *more)
        words = [word for each in told for word in ("--parameter", each)]
        done = self.run("deploy", "dev", "--via", "chalice", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def configured(self):
        return (self._folder / ".chalice" / "config.json").read_text()

    def client(self, service):
        return client(service, self._endpoint)

    def mappings(self):
        listed = self.client("lambda").list_event_source_mappings()["EventSourceMappings"]
        return {each["UUID"] for each in listed}

    def functions(self):
        listed = self.client("lambda").list_functions()["Functions"]
        return {each["FunctionName"]: each for each in listed}


on_moto = pytest.mark.slow


@pytest.fixture(scope="module")
def account(lambda_python, tmp_path_factory):
    folder = tmp_path_factory.mktemp("build") / "dev"
    with serving() as endpoint, closing_clients(endpoint):
        yield Account(endpoint, lambda_python, folder)


@pytest.fixture(scope="module")
def first(account):
    return account.deploy()


@on_moto
def test_it_prints_the_apis_address_and_the_next_command(first):
    *_, address, following = first.splitlines()
    assert address.startswith("API:  https://")
    assert following.startswith("next: make image STAGE=dev")


@on_moto
@pytest.mark.usefixtures("first")
def test_the_functions_are_told_of_the_foundation(account):
    told = account.functions()["falsework-dev-on_sweep"]["Environment"]["Variables"]
    assert set(VARIABLES) <= set(told)
    assert told["FALSEWORK_TABLE"] == "falsework-dev"
    assert told["FALSEWORK_SCRATCH_BUCKET"] == "falsework-dev-scratch-123456789012-us-east-1"
    assert told["FALSEWORK_DEFAULT_JOB_QUEUE"].endswith("job-queue/mine")
    who = account.client("sts").get_caller_identity()["Arn"]
    assert json.loads(told["FALSEWORK_IDENTITIES"]) == {who: {"scopes": ["admin"], "groups": None}}


@on_moto
@pytest.mark.usefixtures("first")
def test_the_functions_logs_are_there_before_them_and_expire(account):
    told = account.client("logs").describe_log_groups(logGroupNamePrefix="/aws/lambda/")
    assert {each["logGroupName"]: each["retentionInDays"] for each in told["logGroups"]} == (
        dict.fromkeys(function_logs.names("falsework-dev"), 90)
    )


@on_moto
@pytest.mark.usefixtures("first")
def test_what_chalice_cannot_say_is_set_afterwards(account):
    about = account.client("lambda").get_function_event_invoke_config(
        FunctionName="falsework-dev-on_job_change"
    )
    kept = about["DestinationConfig"]["OnFailure"]["Destination"]
    assert kept == "arn:aws:sqs:us-east-1:123456789012:falsework-dev-event-failures"


@on_moto
@pytest.mark.usefixtures("first")
def test_another_machine_deploys_the_same_application(account, first, lambda_python, tmp_path):
    before, mappings = account.functions(), account.mappings()
    elsewhere = Account(account._endpoint, lambda_python, tmp_path / "dev")
    told = elsewhere.deploy()
    assert told.splitlines()[-2:] == first.splitlines()[-2:]
    assert {name: each["CodeSha256"] for name, each in account.functions().items()} == {
        name: each["CodeSha256"] for name, each in before.items()
    }
    assert account.mappings() == mappings


@on_moto
@pytest.mark.usefixtures("first")
def test_functions_are_put_into_the_network_and_taken_out_again(account):
    """Of the mount moto knows nothing (test_mounts.py), and of a list of subnets the first."""
    account.deploy("FunctionMounts=true")
    functions = account.functions()
    told = functions["falsework-dev-on_sweep"]
    assert told["VpcConfig"]["SecurityGroupIds"]
    assert told["Environment"]["Variables"]["EFS_MOUNT_POINT_PATH_1"] == "/mnt/efs"
    assert not functions["falsework-dev-on_notice"].get("VpcConfig", {}).get("SubnetIds")
    assert account.run("deploy", "dev", "--only-build").returncode == 0
    assert "subnet" not in account.configured()  # for Terraform, which knows no mounts
    account.deploy("FunctionMounts=false")
    for function in account.functions().values():
        assert not function.get("VpcConfig", {}).get("SubnetIds")
        assert "EFS_MOUNT_POINT_PATH_1" not in function["Environment"]["Variables"]


@on_moto
@pytest.mark.usefixtures("first")
def test_a_stage_is_destroyed_in_two_steps_and_its_data_only_by_name(account):
    wrong = account.run("destroy", "dev", "--delete-data", "falsework-prod")
    assert (wrong.returncode, len(account.functions())) == (2, len(FUNCTIONS))
    assert account.run("destroy", "dev").returncode == 0
    assert not account.functions()
    assert not account.client("logs").describe_log_groups(logGroupNamePrefix="/aws/")["logGroups"]
    account.deploy()
    assert len(account.functions()) == len(FUNCTIONS)
    assert account.run("destroy", "dev").returncode == 0
    assert account.client("dynamodb").list_tables()["TableNames"] == ["falsework-dev"]
    data = "falsework-dev-data-123456789012-us-east-1"
    account.client("s3").put_object(Bucket=data, Key="k", Body=b"")
    done = account.run("destroy", "dev", "--delete-data", "falsework-dev")
    assert done.returncode == 0, done.stdout + done.stderr
    assert account.client("dynamodb").list_tables()["TableNames"] == []
    assert account.client("s3").list_buckets()["Buckets"] == []


@pytest.mark.parametrize("stage", ["production", "dev_x", "dev-far-too-long-a-name"])
def test_a_stage_that_cannot_be_is_refused_before_anything_is_made(account, stage):
    done = account.run("deploy", stage)
    assert done.returncode == 2
    assert "dev, test or prod" in done.stderr


def test_cloudformation_is_given_the_package_and_the_template_by_their_digests(
    built, tmp_path, monkeypatch
):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    project = tmp_path / "dev"
    shutil.copytree(built, project, ignore=shutil.ignore_patterns("deployments"))
    aws = Aws(FakeCloudFormation(), FakeS3(), None, None, lambda _: FakeLogs())
    arn = "arn:aws:dynamodb:eu-west-1:111122223333:table/falsework-dev"
    told = {"ArtifactBucket": "artifacts", "TableArn": arn, "PermissionsBoundary": "arn:b"}
    assert deploy_app(aws, Place("dev", told), project) == "https://api/"
    package, template = aws.s3.objects
    told = read(project / "out" / "sam.yaml")["Resources"]["OnSweep"]["Properties"]
    assert told["CodeUri"] == f"s3://{package}"
    ((verb, asked),) = aws.cloudformation.asked
    assert "logs:CreateLogGroup" not in (project / "out" / "sam.yaml").read_text()
    key = template.partition("/")[2]
    assert asked["TemplateURL"] == f"https://artifacts.s3.eu-west-1.amazonaws.com/{key}"
    assert (verb, asked["Parameters"]) == (
        "create",
        [
            {"ParameterKey": "Name", "ParameterValue": "falsework-dev"},
            {"ParameterKey": "AccessPointArn", "ParameterValue": ""},
            {"ParameterKey": "PermissionsBoundary", "ParameterValue": "arn:b"},
        ],
    )


def test_a_stack_that_is_as_it_should_be_is_left_alone():
    fake = FakeCloudFormation()
    for _ in range(2):
        told = stacks.apply(fake, "s", {"TemplateBody": "{}"}, {"Name": "n"}, says={})
        assert told == {"EndpointURL": "https://api/"}
    assert [verb for verb, _ in fake.asked] == ["create"]


@pytest.mark.parametrize(
    ("says", "name"),
    [({"a": 1}, "n"), ({}, "m"), (None, "n")],
    ids=["template", "parameter", "nobody knows"],
)
def test_a_stack_that_changes_keeps_what_it_was_told_before(says, name):
    fake = FakeCloudFormation()
    stacks.apply(fake, "s", {"TemplateBody": "{}"}, {"Name": "n"})
    stacks.apply(fake, "s", {"TemplateURL": "u"}, {"Name": name}, says=says)
    verb, asked = fake.asked[-1]
    assert verb == "update"
    assert asked["Parameters"] == [
        {"ParameterKey": "Name", "ParameterValue": name},
        {"ParameterKey": "Kept", "ParameterValue": "1"},
    ]


def test_an_update_that_would_change_nothing_is_no_failure():
    fake = FakeCloudFormation()
    stacks.apply(fake, "s", {"TemplateURL": "u"}, {"Name": "n"})
    fake.error = "No updates are to be performed."
    assert stacks.apply(fake, "s", {"TemplateURL": "u"}, {"Name": "n"})


def test_an_update_that_cloudformation_refuses_says_so():
    fake = FakeCloudFormation()
    stacks.apply(fake, "s", {"TemplateURL": "u"}, {"Name": "n"})
    fake.error = "Stack is in UPDATE_ROLLBACK_FAILED state and can not be updated."
    with pytest.raises(stacks.StackFailed, match=r"'s' is not changed: .*ROLLBACK_FAILED"):
        stacks.apply(fake, "s", {"TemplateURL": "u"}, {"Name": "n"})


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ("UPDATE_IN_PROGRESS", "is being changed by somebody: wait"),
        ("DELETE_IN_PROGRESS", "describe-stack-events --stack-name s"),
        ("DELETE_FAILED", "`make destroy` ends that"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name s"),
    ],
)
def test_a_stack_that_takes_no_change_is_left_alone_and_the_mend_is_named(status, says):
    fake = FakeCloudFormation()
    fake.stack = {"StackName": "s", "StackStatus": status, "Parameters": []}
    with pytest.raises(stacks.StackFailed, match=f"'s' is {status}, it .*{says}"):
        stacks.apply(fake, "s", {"TemplateURL": "u"}, {})
    assert fake.asked == []


def test_a_stack_that_somebody_made_of_yaml_is_changed_and_not_taken_for_the_same():
    fake = FakeCloudFormation()
    stacks.apply(fake, "s", {"TemplateBody": "{}"}, {"Name": "n"})
    fake.template = "Resources:\n  Topic: {Type: AWS::SNS::Topic}\n"
    stacks.apply(fake, "s", {"TemplateURL": "u"}, {"Name": "n"}, says={})
    assert fake.asked[-1][0] == "update"


def test_a_stack_that_is_not_there_says_who_makes_it():
    with pytest.raises(stacks.StackFailed, match="there is no stack 'x' here: `make deploy`"):
        stacks.outputs(FakeCloudFormation(), "x")
