"""``infra/foundation.yaml``: sound, encrypted, kept, and what the application relies on."""

from __future__ import annotations

import json

import pytest

from chalicelib.core.flowserv.archive import ARCHIVE_DAYS
from chalicelib.core.limits import SQS_HIDDEN_SECONDS, VISIBILITY_FACTOR
from infra.lambda_python import CHECKOUT
from infra.outputs import VARIABLES
from infra.templates import FOUNDATION, TEMPLATE_BYTES, body, first, read
from tests.deploy.test_package import HANDLERS, lint

RESOURCES = read()["Resources"]
STATE = {
    "AWS::DynamoDB::Table",
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
    "AWS::EFS::FileSystem",
    "AWS::ECR::Repository",
    "AWS::Logs::LogGroup",
    "AWS::KMS::Key",
}
KEPT_FOR_EVER = ("works/", "results/", "runs/")


def of_kind(kind):
    return {name: each["Properties"] for name, each in RESOURCES.items() if each["Type"] == kind}


def rules(bucket):
    return of_kind("AWS::S3::Bucket")[bucket]["LifecycleConfiguration"]["Rules"]


def expiry(bucket, prefix):
    (rule,) = [each for each in rules(bucket) if each.get("Prefix") == prefix]
    return rule["ExpirationInDays"]


def test_it_passes_cfn_lint_without_a_warning():
    done = lint(FOUNDATION)
    assert (done.returncode, done.stdout) == (0, "")


def test_what_has_to_be_there_first_can_be_sent_without_a_bucket():
    assert len(body(first())) <= TEMPLATE_BYTES
    later = RESOURCES.keys() - json.loads(body(first()))["Resources"].keys()
    assert {RESOURCES[each]["Type"] for each in later} == {
        "AWS::CloudWatch::Alarm",
        "AWS::CloudWatch::Dashboard",
    }
    assert not [each for each in later if f'"{each}"' in body(first())]


def test_whoever_names_nothing_gets_everything():
    assert all("Default" in each for each in read()["Parameters"].values())


def test_every_parameter_stands_in_the_docs():
    docs = (CHECKOUT / "docs" / "deploy.md").read_text()
    names = {each for each in read()["Parameters"] if f"`{each}`" not in docs}
    assert names == {"Prefix", "EnvBase"}  # STAGE says them


def test_state_outlives_its_stack():
    for name, resource in RESOURCES.items():
        if resource["Type"] in STATE:
            kept = (resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy"))
            assert kept == ("Retain", "Retain"), name


@pytest.mark.parametrize("bucket", of_kind("AWS::S3::Bucket"))
def test_a_bucket_is_versioned_closed_encrypted_and_tells_eventbridge(bucket):
    told = of_kind("AWS::S3::Bucket")[bucket]
    assert told["VersioningConfiguration"] == {"Status": "Enabled"}
    assert set(told["PublicAccessBlockConfiguration"].values()) == {True}
    assert told["NotificationConfiguration"]["EventBridgeConfiguration"]["EventBridgeEnabled"]
    (encryption,) = told["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}  # ETags
    assert any("AbortIncompleteMultipartUpload" in rule for rule in rules(bucket))
    (policy,) = [
        each["PolicyDocument"]
        for each in of_kind("AWS::S3::BucketPolicy").values()
        if each["Bucket"] == {"Ref": bucket}
    ]
    (statement,) = policy["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_no_lifecycle_rule_touches_state():
    for rule in rules("ScratchBucket"):
        prefix = rule.get("Prefix")
        if prefix is None:
            assert "ExpirationInDays" not in rule
        else:
            assert prefix
            assert not prefix.startswith(KEPT_FOR_EVER)


def test_what_a_dead_letter_points_to_is_there_as_long_as_the_letter():
    kept_seconds = of_kind("AWS::SQS::Queue")["DeadLetterQueue"]["MessageRetentionPeriod"]
    assert expiry("ScratchBucket", "dead-letters/") * 86_400 > kept_seconds


def test_archives_are_kept_as_long_as_the_code_says():
    assert expiry("ScratchBucket", "archives/") == ARCHIVE_DAYS


def test_no_package_expires_that_an_update_may_have_to_go_back_to():
    for rule in rules("ArtifactBucket"):
        assert "ExpirationInDays" not in rule


@pytest.mark.parametrize(
    ("queue", "handler", "dead"),
    [
        ("SubmissionsQueue", "on_submission", "DeadLetterQueue"),
        ("WakeQueue", "on_wake", "DeadLetterQueue"),
        ("NoticesQueue", "on_notice", "NoticeDeadLetterQueue"),
    ],
)
def test_a_message_stays_hidden_for_six_times_as_long_as_its_function_may_work(
    queue, handler, dead
):
    told = of_kind("AWS::SQS::Queue")[queue]
    assert told["VisibilityTimeout"] == VISIBILITY_FACTOR * HANDLERS[f"app.{handler}"]
    assert told["VisibilityTimeout"] <= SQS_HIDDEN_SECONDS
    assert told["SqsManagedSseEnabled"]
    assert told["RedrivePolicy"]["deadLetterTargetArn"] == {"Fn::GetAtt": [dead, "Arn"]}


def test_a_submission_that_failed_once_wakes_nobody():
    """It comes again when it is no longer hidden."""
    hidden = of_kind("AWS::SQS::Queue")["SubmissionsQueue"]["VisibilityTimeout"]
    alarm = of_kind("AWS::CloudWatch::Alarm")["SubmissionsAgeAlarm"]
    assert alarm["Threshold"] == hidden + 900


def test_every_queue_of_jobs_lets_go_of_what_can_never_start():
    for queue in of_kind("AWS::Batch::JobQueue").values():
        actions = queue["JobStateTimeLimitActions"]
        assert {each["State"] for each in actions} == {"RUNNABLE"}
        assert len({each["Reason"] for each in actions}) == 3


def test_access_points_are_found_by_their_role_and_let_the_worker_write():
    names = set()
    for point in of_kind("AWS::EFS::AccessPoint").values():
        tags = {tag["Key"]: tag["Value"] for tag in point["AccessPointTags"]}
        assert tags["env_base"] == {"Ref": "EnvBase"}
        assert point["PosixUser"] == {"Uid": "1000", "Gid": "1000"}
        names.add(tags["Name"])
    assert names == {"scratch", "shared", "tmp"}
    dockerfile = (CHECKOUT / "infra" / "worker" / "Dockerfile").read_text()
    assert "\nUSER 1000:1000\n" in dockerfile


def test_machines_answer_version_2_of_the_metadata_service_only():
    (template,) = of_kind("AWS::EC2::LaunchTemplate").values()
    options = template["LaunchTemplateData"]["MetadataOptions"]
    assert options == {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}


def test_every_output_that_the_functions_are_told_is_given_out():
    assert set(VARIABLES.values()) <= set(read()["Outputs"])
