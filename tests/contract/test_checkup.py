"""The check-up of a deployment, on moto: whole, and with one thing broken at a time."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest

from chalicelib.aws.checkup import check_up
from chalicelib.aws.checkup.account import ON_DEMAND_VCPUS, SPOT_VCPUS
from chalicelib.aws.checkup.alarms import ALARMS
from chalicelib.aws.checkup.deployment import Deployment
from chalicelib.aws.checkup.functions import BY_QUEUE, BY_RULE, FUNCTIONS, REPORTS
from chalicelib.aws.checkup.policies import needed
from chalicelib.aws.checkup.queues import FED, LAST
from chalicelib.aws.clients import Clients
from chalicelib.core.findings import Finding, Verdict, skew
from infra import policies, templates
from tests.clouds.foundation import table_properties
from tests.contract.aws_places import ACCOUNT, REGION, SESSION, make_queue, moto_account

NAME = "falsework-dev"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{NAME}-worker:latest"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
SECRET = "hunter2"


class _Answered(NamedTuple):
    """What botocore looks at of an answer's envelope."""

    status_code: int


class Account:
    """A deployment as ``make deploy`` leaves it, made by hand where moto cannot."""

    def __init__(self) -> None:
        self.clients = Clients(REGION, session=SESSION)
        self.mappings: dict[str, str] = {}
        self.answers: dict[tuple[str, str], dict[str, Any]] = {}
        self._answer("lambda", "GetFunctionRecursionConfig", {"RecursiveLoop": "Allow"})
        limits = {"UnreservedConcurrentExecutions": 1000}
        self._answer("lambda", "GetAccountSettings", {"AccountLimit": limits})
        self._answer("service-quotas", "GetServiceQuota", {"Quota": {"Value": 256.0}})
        self._answer("service-quotas", "GetAWSDefaultServiceQuota", {"Quota": {"Value": 5.0}})
        self._make_table()
        self._make_queues()
        self._make_alarms()
        make_queue(f"{NAME}-spot")
        for handler in FUNCTIONS:
            self._make_function(handler)
        for handler in BY_RULE:
            self._make_rule(handler)
        for queue, handler in FED.items():
            self._make_mapping(queue, handler)
        ecr = self.get("ecr")
        ecr.create_repository(repositoryName=f"{NAME}-worker")
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": {"digest": "sha256:0"},
                "layers": [],
            }
        )
        ecr.put_image(repositoryName=f"{NAME}-worker", imageManifest=manifest, imageTag="latest")

    def get(self, service: str) -> Any:
        return self.clients.get(service)

    def _answer(self, service: str, operation: str, answer: dict[str, Any]) -> None:
        """Answer in the place of moto, which does not know what is asked."""
        self.answers[service, operation] = answer

        def told(**_: Any) -> tuple[Any, dict[str, Any]]:
            found = self.answers[service, operation]
            return _Answered(400 if "Error" in found else 200), found

        self.get(service).meta.events.register(f"before-call.{service}.{operation}", told)

    def _make_alarms(self) -> None:
        sns = self.get("sns")
        self.topic = sns.create_topic(Name=f"{NAME}-alarms")["TopicArn"]
        queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{NAME}-dead-letters"
        made = sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=queue)
        self.subscription = made["SubscriptionArn"]
        for name in ALARMS:
            self.make_alarm(name, AlarmActions=[self.topic])

    def make_alarm(self, name: str, **told: Any) -> None:
        self.get("cloudwatch").put_metric_alarm(
            AlarmName=f"{NAME}-{name}", Namespace="N", MetricName="M", Statistic="Sum",
            Period=300, EvaluationPeriods=1, ComparisonOperator="GreaterThanThreshold",
            Threshold=0, **told,
        )  # fmt: skip

    def check(self) -> dict[str, Finding]:
        found = check_up(Deployment(NAME, self.clients, lambda: datetime.now(UTC)))
        return {each.about: each for each in found}

    def faults(self) -> set[str]:
        return {about for about, each in self.check().items() if each.verdict is Verdict.FAULT}

    def _make_table(self) -> None:
        known = {
            "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes",
            "LocalSecondaryIndexes", "BillingMode", "DeletionProtectionEnabled",
        }  # fmt: skip
        told = {key: value for key, value in table_properties().items() if key in known}
        dynamodb, table = self.get("dynamodb"), {"TableName": NAME}
        dynamodb.create_table(**table, **told)
        dynamodb.update_time_to_live(
            **table, TimeToLiveSpecification={"AttributeName": "expires_at", "Enabled": True}
        )
        dynamodb.update_continuous_backups(
            **table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )

    def _make_queues(self) -> None:
        for queue in LAST:
            self.get("sqs").create_queue(QueueName=f"{NAME}-{queue}")
        letters = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{NAME}-dead-letters"
        policy = json.dumps({"deadLetterTargetArn": letters, "maxReceiveCount": 5})
        for queue, seconds in (("submissions", 1800), ("wake", 360), ("notices", 720)):
            self.get("sqs").create_queue(
                QueueName=f"{NAME}-{queue}",
                Attributes={"VisibilityTimeout": str(seconds), "RedrivePolicy": policy},
            )

    def _make_function(self, handler: str) -> None:
        name = f"{NAME}-{handler}" if handler else NAME
        iam = self.get("iam")
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        policy = policies.policy(handler or "api_handler", "dev")
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(policy))
        told = {
            "FALSEWORK_TABLE": NAME,
            "FALSEWORK_WORKER_IMAGE": IMAGE,
            "FALSEWORK_DEFAULT_JOB_QUEUE": f"{NAME}-spot",
            "SOME_PASSWORD": SECRET,
            **({REPORTS: "true"} if handler in BY_QUEUE else {}),
        }
        self.get("lambda").create_function(
            FunctionName=name,
            Role=role,
            Runtime="python3.13",
            Handler=f"app.{handler or 'app'}",
            Code={"ZipFile": _zip()},
            Timeout=300 if handler == "on_submission" else 60,
            Environment={"Variables": told},
        )

    def _make_rule(self, handler: str) -> None:
        events = self.get("events")
        arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{NAME}-{handler}"
        events.put_rule(Name=f"{NAME}-{handler}-rule", ScheduleExpression="rate(1 minute)")
        events.put_targets(Rule=f"{NAME}-{handler}-rule", Targets=[{"Id": "1", "Arn": arn}])

    def _make_mapping(self, queue: str, handler: str) -> None:
        made = self.get("lambda").create_event_source_mapping(
            EventSourceArn=f"arn:aws:sqs:{REGION}:{ACCOUNT}:{NAME}-{queue}",
            FunctionName=f"{NAME}-{handler}",
            FunctionResponseTypes=["ReportBatchItemFailures"],
        )
        self.mappings[handler] = made["UUID"]


def _zip() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("app.py", "")
    return content.getvalue()


@pytest.fixture
def account():
    with moto_account(**{"lambda": {"use_docker": False}}):
        account = Account()
        yield account
        account.clients.close()


def test_nothing_must_be_mended_of_a_whole_deployment(account):
    found = account.check()
    assert {about for about, each in found.items() if each.verdict is Verdict.FAULT} == set()
    fine = {about for about, each in found.items() if each.verdict is Verdict.OK}
    assert {
        "table", "index by_group", "index by_work_turn", "expiry", "recovery",
        "queue submissions", "queue wake: visibility", "queue dead-letters",
        "function falsework-dev", "mapping of on_wake", "mapping of on_submission: failures",
        "rule of on_sweep", "policy of falsework-dev-on_sweep", "worker image",
        "job queue falsework-dev-spot", "wake-ups that follow each other", "alarms",
        "topic falsework-dev-alarms", "Spot vCPUs", "on-demand vCPUs",
    } <= fine  # fmt: skip


def test_no_finding_holds_what_the_functions_are_told(account):
    assert SECRET not in str(list(account.check().values()))


def _break_table(account: Account) -> None:
    dynamodb = account.get("dynamodb")
    dynamodb.update_table(TableName=NAME, DeletionProtectionEnabled=False)
    dynamodb.delete_table(TableName=NAME)


def _drop_index(account: Account) -> None:
    change = [{"Delete": {"IndexName": "by_check_time"}}]
    account.get("dynamodb").update_table(TableName=NAME, GlobalSecondaryIndexUpdates=change)


def _stop_expiry(account: Account) -> None:
    told = {"AttributeName": "expires_at", "Enabled": False}
    account.get("dynamodb").update_time_to_live(TableName=NAME, TimeToLiveSpecification=told)


def _stop_recovery(account: Account) -> None:
    told = {"PointInTimeRecoveryEnabled": False}
    account.get("dynamodb").update_continuous_backups(
        TableName=NAME, PointInTimeRecoverySpecification=told
    )


def _hide_briefly(account: Account) -> None:
    _set_queue(account, {"VisibilityTimeout": "1799"})


def _lose_letters(account: Account) -> None:
    _set_queue(account, {"RedrivePolicy": ""})


def _set_queue(account: Account, told: dict[str, str]) -> None:
    sqs = account.get("sqs")
    url = sqs.get_queue_url(QueueName=f"{NAME}-submissions")["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes=told)


def _drop_flag(account: Account) -> None:
    uuid = account.mappings["on_submission"]
    client = account.get("lambda")
    client.delete_event_source_mapping(UUID=uuid)
    client.create_event_source_mapping(
        EventSourceArn=f"arn:aws:sqs:{REGION}:{ACCOUNT}:{NAME}-submissions",
        FunctionName=f"{NAME}-on_submission",
    )


def _stop_mapping(account: Account) -> None:
    uuid = account.mappings["on_wake"]
    account.get("lambda").delete_event_source_mapping(UUID=uuid)


def _switch_mapping_off(account: Account) -> None:
    uuid = account.mappings["on_wake"]
    account.get("lambda").update_event_source_mapping(UUID=uuid, Enabled=False)


def _disable_rule(account: Account) -> None:
    account.get("events").disable_rule(Name=f"{NAME}-on_sweep-rule")


def _drop_function(account: Account) -> None:
    account.get("lambda").delete_function(FunctionName=f"{NAME}-on_cleanup_time")


def _tell_another_table(account: Account) -> None:
    account.get("lambda").update_function_configuration(
        FunctionName=f"{NAME}-on_job_change",
        Environment={"Variables": {"FALSEWORK_TABLE": "another"}},
    )


def _narrow_policy(account: Account) -> None:
    document = policies.policy("on_sweep", "dev")
    kept = [each for each in document["Statement"] if each["Action"] != ["batch:SubmitJob"]]
    document = {**document, "Statement": kept}
    account.get("iam").put_role_policy(
        RoleName=f"{NAME}-on_sweep", PolicyName="own", PolicyDocument=json.dumps(document)
    )


def _drop_image(account: Account) -> None:
    named = [{"imageTag": "latest"}]
    account.get("ecr").batch_delete_image(repositoryName=f"{NAME}-worker", imageIds=named)


def _disable_queue(account: Account) -> None:
    account.get("batch").update_job_queue(jobQueue=f"{NAME}-spot", state="DISABLED")


def _forbid_recursion(account: Account) -> None:
    account.answers["lambda", "GetFunctionRecursionConfig"] = {"RecursiveLoop": "Terminate"}


def _drop_alarm(account: Account) -> None:
    account.get("cloudwatch").delete_alarms(AlarmNames=[f"{NAME}-sweep-lag"])


def _switch_alarm_off(account: Account) -> None:
    account.make_alarm("sweep-lag", AlarmActions=[account.topic], ActionsEnabled=False)


def _tell_nobody(account: Account) -> None:
    account.make_alarm("sweep-lag")


def _drop_subscription(account: Account) -> None:
    account.get("sns").unsubscribe(SubscriptionArn=account.subscription)


def _drop_topic(account: Account) -> None:
    account.get("sns").delete_topic(TopicArn=account.topic)


def _have_no_machines(account: Account) -> None:
    account.answers["service-quotas", "GetServiceQuota"] = {"Quota": {"Value": 0.0}}


def _tell_of_a_mount(account: Account) -> None:
    told = {"FALSEWORK_TABLE": NAME, "EFS_MOUNT_POINT_PATH_1": "/mnt/efs"}
    account.get("lambda").update_function_configuration(
        FunctionName=f"{NAME}-on_job_change", Environment={"Variables": told}
    )


BROKEN = {
    "no-table": (_break_table, {"table"}),
    "no-index": (_drop_index, {"index by_check_time"}),
    "nothing-expires": (_stop_expiry, {"expiry"}),
    "no-recovery": (_stop_recovery, {"recovery"}),
    "visible-too-soon": (_hide_briefly, {"queue submissions: visibility"}),
    "no-dead-letters": (_lose_letters, {"queue submissions"}),
    "no-flag": (_drop_flag, {"mapping of on_submission: failures"}),
    "no-mapping": (_stop_mapping, {"mapping of on_wake"}),
    "mapping-off": (_switch_mapping_off, {"mapping of on_wake"}),
    "rule-off": (_disable_rule, {"rule of on_sweep"}),
    "no-function": (_drop_function, {"function falsework-dev-on_cleanup_time"}),
    "another-table": (_tell_another_table, {"function falsework-dev-on_job_change"}),
    "narrow-policy": (_narrow_policy, {"policy of falsework-dev-on_sweep"}),
    "no-image": (_drop_image, {"worker image"}),
    "queue-off": (_disable_queue, {"job queue falsework-dev-spot"}),
    "no-recursion": (_forbid_recursion, {"wake-ups that follow each other"}),
    "no-alarm": (_drop_alarm, {"alarms"}),
    "alarm-off": (_switch_alarm_off, {"alarm sweep-lag"}),
    "alarm-without-action": (_tell_nobody, {"alarm sweep-lag"}),
    "nobody-hears": (_drop_subscription, {"topic falsework-dev-alarms"}),
    "no-topic": (_drop_topic, {"topic falsework-dev-alarms"}),
    "no-machines": (_have_no_machines, {"Spot vCPUs", "on-demand vCPUs"}),
    "no-mount": (_tell_of_a_mount, {"mount of falsework-dev-on_job_change"}),
}


@pytest.mark.parametrize(("break_it", "faults"), BROKEN.values(), ids=BROKEN)
def test_what_is_broken_is_found_and_nothing_else(account, break_it, faults):
    break_it(account)
    assert account.faults() == faults
    assert all(each.mend for each in account.check().values() if each.about in faults)


def test_the_table_that_the_functions_are_told_of_is_looked_at(account):
    """After a restore it is another one than the deployment's own."""
    told = {"Variables": {"FALSEWORK_TABLE": f"{NAME}-restored"}}
    account.get("lambda").update_function_configuration(
        FunctionName=f"{NAME}-on_sweep", Environment=told
    )
    assert f"there is no table {NAME}-restored" in account.check()["table"].says


def test_an_alarm_that_rings_is_a_warning_and_names_its_page(account):
    account.get("cloudwatch").set_alarm_state(
        AlarmName=f"{NAME}-sweep-lag", StateValue="ALARM", StateReason="late"
    )
    found = account.check()["alarm sweep-lag"]
    assert (found.verdict, found.mend) == (Verdict.WARNING, "see docs/runbook.md, sweep-lag")


def test_the_alarms_that_are_looked_for_are_those_of_the_foundation():
    names = {
        each["Properties"]["AlarmName"]["Fn::Sub"].partition("EnvBase}-")[2]
        for each in templates.read()["Resources"].values()
        if each["Type"] == "AWS::CloudWatch::Alarm"
    }
    assert names == set(ALARMS)


@pytest.mark.parametrize(
    ("code", "verdict"),
    [("NoSuchResourceException", Verdict.WARNING), ("AccessDeniedException", Verdict.UNKNOWN)],
    ids=["AWS's own counts", "nobody may ask"],
)
def test_a_quota_that_cannot_be_told_says_what_to_do_and_the_others_are_looked_at(
    account, code, verdict
):
    error = {"Error": {"Code": code, "Message": "x"}}
    account.answers["service-quotas", "GetServiceQuota"] = error
    found = account.check()
    for about, quota in (("Spot vCPUs", SPOT_VCPUS), ("on-demand vCPUs", ON_DEMAND_VCPUS)):
        assert found[about].verdict is verdict
        assert f"--quota-code {quota} --desired-value" in found[about].mend
    assert found["functions at a time"].verdict is Verdict.OK


def test_letters_in_the_last_queue_are_a_warning(account):
    sqs = account.get("sqs")
    url = sqs.get_queue_url(QueueName=f"{NAME}-dead-letters")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="x")
    found = account.check()["queue dead-letters"]
    assert (found.verdict, found.says) == (Verdict.WARNING, "1 messages are in it")


def test_what_aws_refuses_to_tell_is_said_and_the_rest_is_looked_at(account):
    client = account.get("sqs")
    from botocore.exceptions import ClientError

    def denied(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": SECRET}}, "GetQueueUrl")

    client.meta.events.register("before-parameter-build.sqs.GetQueueUrl", denied)
    found = account.check()
    assert found["queues"].verdict is Verdict.UNKNOWN
    assert "AccessDenied" in found["queues"].says
    assert SECRET not in found["queues"].says
    assert found["rule of on_sweep"].verdict is Verdict.OK


@pytest.mark.parametrize(
    ("seconds", "verdict"),
    [(0, Verdict.OK), (59, Verdict.OK), (61, Verdict.WARNING), (301, Verdict.FAULT)],
    ids=["same", "a-little", "more", "signatures-refused"],
)
def test_clocks_that_differ_are_noticed(seconds, verdict):
    now = datetime(2026, 5, 1, 12, tzinfo=UTC) + timedelta(seconds=seconds)
    assert skew("Fri, 01 May 2026 12:00:00 GMT", now).verdict is verdict


@pytest.mark.parametrize("handler", FUNCTIONS, ids=[each or "api" for each in FUNCTIONS])
def test_what_is_looked_for_is_what_the_policies_grant(handler):
    document = policies.policy(handler or "api_handler", "dev")
    granted = {action for each in document["Statement"] for action in each["Action"]}
    assert set(needed(handler)) <= granted
