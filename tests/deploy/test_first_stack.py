"""The foundation: made in two steps, and of what one before it has left."""

from __future__ import annotations

import json
from types import SimpleNamespace

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from infra import destroy, foundation, leftovers, templates
from infra.account import Aws
from infra.stacks import StackFailed
from tests.deploy.fake_aws import FakeCloudFormation, FakeS3

NAME = "falsework-dev-foundation"
TOLD = {"EnvBase": "dev"}
SESSION = boto3.session.Session(region_name="us-east-1")


@pytest.fixture
def aws():
    with mock_aws():
        fake = FakeCloudFormation()
        fake.outputs = {
            "ArtifactBucket": "artifacts",
            "TableArn": "arn:aws:dynamodb:us-east-1:123456789012:table/falsework-dev",
        }
        yield Aws(fake, FakeS3(), None, None, SESSION.client)


def verbs(aws):
    return [verb for verb, _ in aws.cloudformation.asked]


def found(aws, **told):
    listed = leftovers.find(aws, templates.first(), {**TOLD, **told})
    return {each["LogicalResourceId"]: each["ResourceIdentifier"] for each in listed}


def leave(aws):
    """Make what a foundation that was deleted would have left."""
    aws.client("dynamodb").create_table(
        TableName="falsework-dev",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
    )
    aws.client("s3").create_bucket(Bucket="falsework-dev-data-123456789012-us-east-1")
    aws.client("sqs").create_queue(QueueName="falsework-dev-wake")
    aws.client("logs").create_log_group(logGroupName="/falsework/dev/jobs")
    aws.client("ecr").create_repository(repositoryName="falsework-dev-worker")
    tags = [{"Key": "Name", "Value": "falsework-dev"}]
    return aws.client("efs").create_file_system(Tags=tags)["FileSystemId"]


def test_from_nothing_it_is_made_without_alarms_and_then_gets_them_from_its_own_bucket(aws):
    place = foundation.deploy(aws, "dev", {"LogDays": "30"})
    assert place.outputs["ArtifactBucket"] == "artifacts"
    (_, made), (_, changed) = aws.cloudformation.asked
    assert verbs(aws) == ["create", "update"]
    assert len(made["TemplateBody"]) <= templates.TEMPLATE_BYTES
    assert "AWS::CloudWatch" not in made["TemplateBody"]
    ((where, content),) = aws.s3.objects.items()
    assert json.loads(content) == templates.read()
    assert changed["TemplateURL"].endswith(where.partition("/")[2])
    for asked in (made, changed):
        assert {"ParameterKey": "LogDays", "ParameterValue": "30"} in asked["Parameters"]


def test_a_foundation_that_is_as_it_should_be_is_left_alone(aws):
    foundation.deploy(aws, "dev", {})
    aws.cloudformation.template = templates.read()
    aws.cloudformation.asked.clear()
    foundation.deploy(aws, "dev", {})
    assert verbs(aws) == []


def test_a_creation_that_fails_takes_back_what_it_has_made(aws):
    """State is retained else, and its names are taken when the next deployment comes."""
    foundation.deploy(aws, "dev", {})
    assert all(asked["RetainExceptOnCreate"] for _, asked in aws.cloudformation.asked)


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "REVIEW_IN_PROGRESS"])
def test_a_stack_that_never_was_is_removed_first(aws, status):
    aws.cloudformation.stack = {"StackName": NAME, "StackStatus": status, "Parameters": []}
    foundation.deploy(aws, "dev", {})
    assert verbs(aws) == ["delete", "create", "update"]


def test_nothing_is_left_where_nothing_was(aws):
    assert found(aws) == {}


def test_what_a_deleted_foundation_has_left_is_found_by_its_names(aws):
    file_system = leave(aws)
    queue = aws.client("sqs").get_queue_url(QueueName="falsework-dev-wake")["QueueUrl"]
    assert found(aws) == {
        "Table": {"TableName": "falsework-dev"},
        "DataBucket": {"BucketName": "falsework-dev-data-123456789012-us-east-1"},
        "WakeQueue": {"QueueUrl": queue},
        "JobLogs": {"LogGroupName": "/falsework/dev/jobs"},
        "WorkerRepository": {"RepositoryName": "falsework-dev-worker"},
        "FileSystem": {"FileSystemId": file_system},
    }
    assert found(aws, EnvBase="prod") == {}


def test_what_the_foundation_would_not_make_is_not_taken_in(aws):
    file_system = leave(aws)
    assert {"DataBucket", "FileSystem"} & found(aws).keys() == {"DataBucket", "FileSystem"}
    told = {"DataBucketName": "mine", "FileSystemId": file_system}
    assert not {"DataBucket", "FileSystem"} & found(aws, **told).keys()


def test_what_is_left_is_taken_in_before_the_rest_is_made(aws):
    leave(aws)
    foundation.deploy(aws, "dev", {})
    assert verbs(aws) == ["import", "update", "update"]
    _, asked = aws.cloudformation.asked[0]
    template = json.loads(asked["TemplateBody"])
    named = {each["LogicalResourceId"] for each in asked["ResourcesToImport"]}
    assert asked["ChangeSetType"] == "IMPORT"
    assert template["Resources"].keys() == named
    assert "Outputs" not in template
    assert all(each["DeletionPolicy"] == "Retain" for each in template["Resources"].values())


def test_what_is_taken_in_names_nothing_that_is_not(aws):
    small = leftovers.only(templates.first(), {"WakeQueue", "JobLogs", "Table"})["Resources"]
    assert "RedrivePolicy" not in small["WakeQueue"]["Properties"]
    assert "KmsKeyId" not in small["JobLogs"]["Properties"]
    assert small["JobLogs"]["Properties"]["RetentionInDays"] == {"Ref": "LogDays"}
    assert small["Table"] == templates.first()["Resources"]["Table"]


def test_everything_that_is_retained_and_bears_a_name_can_be_taken_in():
    retained = {
        each["Type"]
        for each in templates.read()["Resources"].values()
        if each.get("DeletionPolicy") == "Retain"
    }
    assert retained - set(leftovers.KINDS) == {"AWS::KMS::Key"}


@pytest.mark.parametrize("parameter", ["Prefix", "EnvBase"])
def test_names_that_the_functions_would_not_bear_are_refused(aws, parameter):
    with pytest.raises(StackFailed, match=f"parameter {parameter}=mine"):
        foundation.deploy(aws, "dev", {parameter: "mine"})
    assert verbs(aws) == []


def test_what_a_foundation_has_left_can_be_destroyed_without_it(aws):
    leave(aws)
    aws.client("s3").create_bucket(Bucket="falsework-prod-data-123456789012-us-east-1")
    destroy.destroy_app(aws, "dev")
    assert destroy.destroy_foundation(aws, "dev") == []
    assert found(aws) == {}
    assert len(aws.client("s3").list_buckets()["Buckets"]) == 1
    with pytest.raises(StackFailed, match="none has left anything"):
        destroy.destroy_foundation(aws, "dev")


class Stacks(FakeCloudFormation):
    """A foundation of one file system, whose stack retains it."""

    def __init__(self, file_system):
        super().__init__()
        self.stack = {"StackStatus": "UPDATE_COMPLETE", "Outputs": []}
        self.listed = [{"ResourceType": "AWS::EFS::FileSystem", "PhysicalResourceId": file_system}]

    def get_paginator(self, _):
        listed = {"StackResourceSummaries": self.listed}
        return SimpleNamespace(paginate=lambda **_: [listed])


class FakeTable:
    """A table that is updated for as long as nobody waits; it takes no deletion then."""

    def __init__(self):
        self.status = "ACTIVE"

    def update_table(self, **_):
        self.status = "UPDATING"

    def get_waiter(self, name):
        return SimpleNamespace(wait=lambda **_: self._wait(name))

    def _wait(self, name):
        assert self.status == {"table_exists": "UPDATING", "table_not_exists": "DELETING"}[name]
        self.status = "ACTIVE" if name == "table_exists" else "GONE"

    def delete_table(self, **_):
        if self.status != "ACTIVE":
            told = {"Error": {"Code": "ResourceInUseException", "Message": self.status}}
            raise ClientError(told, "DeleteTable")
        self.status = "DELETING"


def test_a_table_is_deleted_when_its_protection_has_been_taken_away():
    table = FakeTable()
    destroy._remove_table(table, "falsework-dev")
    assert table.status == "GONE"


def test_a_file_system_goes_with_the_access_points_that_groups_have_in_it(aws):
    efs = aws.client("efs")
    ours, theirs = (efs.create_file_system()["FileSystemId"] for _ in range(2))
    for each in (ours, theirs):
        efs.create_access_point(FileSystemId=each)
    assert destroy.destroy_foundation(aws._replace(cloudformation=Stacks(ours)), "dev") == []
    assert [each["FileSystemId"] for each in efs.describe_file_systems()["FileSystems"]] == [
        theirs
    ]
    (left,) = efs.describe_access_points()["AccessPoints"]
    assert left["FileSystemId"] == theirs
