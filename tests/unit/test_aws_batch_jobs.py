"""What the runner says to Batch, how often, and what it makes of the answers."""

from __future__ import annotations

import boto3
import pytest
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)

from chalicelib.aws.batch_arguments import DIGEST_TAG, definition_arguments
from chalicelib.aws.batch_jobs import (
    PAUSE_SECONDS,
    SUBMISSIONS,
    BatchJobRunner,
    submitting_client,
)
from chalicelib.core.errors import Refused, Unavailable
from chalicelib.core.plans.plan import JobDefinition
from chalicelib.job_ports import JobRequest
from tests.unit.aws_wire import Wire

URL = {"endpoint_url": "https://batch.us-east-1.amazonaws.com"}
THROTTLED = (429, "TooManyRequestsException")
NO = (400, "ClientException")
JOB = JobRequest(
    name="falsework-job-1",
    queue="default",
    definition_arn="arn:aws:batch:us-east-1:123456789012:job-definition/dev-x:1",
    command=("falsework-worker", "stage-in"),
    environment={"FALSEWORK_RUN_ID": "r1"},
    resource_requirements=({"type": "VCPU", "value": "2"},),
    tags={"USER": "a&b", "falsework:run": "r1"},
)
DEFINITION = JobDefinition(name="dev-x", image="ghcr.io/x", command=("true",))


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    """Credentials that open nothing, and an operator who wants many retries."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "4")
    monkeypatch.setenv("AWS_RETRY_MODE", "standard")


def runner(wire, pauses=None, **options):
    batch = boto3.client("batch", region_name="us-east-1")
    logs = boto3.client("logs", region_name="us-east-1")
    return BatchJobRunner(
        wire.put_on(batch),
        wire.put_on(submitting_client("us-east-1")),
        wire.put_on(logs),
        pause=[].append if pauses is None else pauses.append,
        **options,
    )


def a_detail(job_id, name="falsework-job-1", **fields):
    return {
        "jobId": job_id,
        "jobName": name,
        "jobQueue": "arn:aws:batch:us-east-1:123456789012:job-queue/default",
        "jobDefinition": "d",
        "status": "RUNNING",
        "startedAt": 1,
        **fields,
    }


def a_summary(job_id, name="falsework-job-1", created_at=1):
    return {"jobId": job_id, "jobName": name, "createdAt": created_at, "status": "RUNNABLE"}


# --- submitting


def test_a_submission_says_everything_and_asks_for_one_attempt():
    wire = Wire(SubmitJob={"jobId": "i1", "jobName": "falsework-job-1"})
    assert runner(wire).submit(JOB) == "i1"
    assert wire.requests == [
        (
            "SubmitJob",
            {
                "jobName": "falsework-job-1",
                "jobQueue": "default",
                "jobDefinition": JOB.definition_arn,
                "containerOverrides": {
                    "command": ["falsework-worker", "stage-in"],
                    "environment": [{"name": "FALSEWORK_RUN_ID", "value": "r1"}],
                    "resourceRequirements": [{"type": "VCPU", "value": "2"}],
                },
                "retryStrategy": {"attempts": 1},
                "propagateTags": True,
                "tags": {"falsework:run": "r1", "USER": "a_b"},
            },
        )
    ]


def test_the_definitions_command_and_no_tags_are_not_mentioned():
    wire = Wire(SubmitJob={"jobId": "i1", "jobName": "n"})
    runner(wire).submit(JOB.model_copy(update={"command": None, "tags": {}}))
    (sent,) = wire.sent("SubmitJob")
    assert "tags" not in sent
    assert "command" not in sent["containerOverrides"]


@pytest.mark.parametrize(
    "answer",
    [THROTTLED, (400, "ThrottlingException"), (429, "Whatever")],
    ids=["Batch's word", "the gateway's word", "the status alone"],
)
def test_a_throttled_submission_is_sent_again_after_growing_pauses(answer):
    wire, pauses = Wire(SubmitJob=[answer, answer, {"jobId": "i1", "jobName": "n"}]), []
    assert runner(wire, pauses).submit(JOB) == "i1"
    assert len(wire.sent("SubmitJob")) == 3
    assert len(pauses) == 2
    assert all(0 <= pause <= PAUSE_SECONDS * 2**n for n, pause in enumerate(pauses))


def test_a_submission_that_is_throttled_for_long_is_given_up():
    wire, pauses = Wire(SubmitJob=THROTTLED), []
    with pytest.raises(Unavailable, match="TooManyRequests"):
        runner(wire, pauses).submit(JOB)
    assert (len(wire.sent("SubmitJob")), len(pauses)) == (SUBMISSIONS, SUBMISSIONS - 1)


UNKNOWN = [
    pytest.param((500, "ServerException"), id="server error"),
    pytest.param((503, "ServiceUnavailable"), id="unavailable"),
    pytest.param((504, "GatewayTimeout"), id="gateway timeout"),
    pytest.param((408, "RequestTimeout"), id="request timeout"),
    pytest.param(ReadTimeoutError(**URL), id="no answer in time"),
    pytest.param(ConnectTimeoutError(**URL), id="no connection in time"),
    pytest.param(ConnectionClosedError(**URL), id="connection closed"),
    pytest.param(EndpointConnectionError(error="x", **URL), id="no connection"),
]


@pytest.mark.parametrize("answer", UNKNOWN)
def test_after_an_unknown_outcome_nothing_is_sent_again(answer):
    """Not by us and not by botocore, though the environment asks for four attempts."""
    wire = Wire(SubmitJob=[answer, {"jobId": "a copy", "jobName": "n"}])
    with pytest.raises(Unavailable):
        runner(wire).submit(JOB)
    assert len(wire.sent("SubmitJob")) == 1


@pytest.mark.parametrize("answer", UNKNOWN)
def test_an_unknown_outcome_after_a_throttled_one_is_unknown(answer):
    wire = Wire(SubmitJob=[THROTTLED, answer, {"jobId": "a copy", "jobName": "n"}])
    with pytest.raises(Unavailable):
        runner(wire).submit(JOB)
    assert len(wire.sent("SubmitJob")) == 2


@pytest.mark.parametrize(
    "answer",
    [NO, (403, "AccessDeniedException"), (400, "ValidationException"), (404, "NotFound")],
    ids=lambda answer: answer[1],
)
def test_a_definite_no_is_refused(answer):
    wire = Wire(SubmitJob=answer)
    with pytest.raises(Refused, match=f"falsework-job-1: {answer[1]}"):
        runner(wire).submit(JOB)
    assert len(wire.sent("SubmitJob")) == 1


@pytest.mark.parametrize(
    "answer",
    [(403, "ExpiredTokenException"), (403, "UnrecognizedClientException")],
    ids=lambda answer: answer[1],
)
def test_credentials_that_do_not_work_are_not_the_jobs_fault(answer):
    with pytest.raises(Unavailable):
        runner(Wire(SubmitJob=answer)).submit(JOB)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"environment": {"A": "x" * 8192}}, "8192"),
        ({"tags": {f"t{n}": "v" * 256 for n in range(40)}, "queue": "q" * 20_000}, "30720"),
        ({"name": "a.b"}, "name"),
    ],
    ids=["overrides", "payload", "name"],
)
def test_what_batch_would_not_take_is_not_sent(fields, words):
    wire = Wire()
    with pytest.raises(Refused, match=words):
        runner(wire).submit(JOB.model_copy(update=fields))
    assert wire.requests == []


# --- definitions


def digest(definition):
    return definition_arguments(definition)["tags"][DIGEST_TAG]


def registered(revision, told):
    arn = f"arn:aws:batch:us-east-1:123456789012:job-definition/dev-x:{revision}"
    return {
        "jobDefinitionName": "dev-x",
        "jobDefinitionArn": arn,
        "revision": revision,
        "type": "container",
        "tags": {DIGEST_TAG: told} if told else {},
    }


def test_of_two_definitions_of_one_name_the_one_with_the_digest_is_taken_on_any_page():
    wire = Wire(
        DescribeJobDefinitions=[
            {
                "jobDefinitions": [registered(12, digest(DEFINITION)), registered(11, None)],
                "nextToken": "more",
            },
            {"jobDefinitions": [registered(9, "another"), registered(3, digest(DEFINITION))]},
        ]
    )
    assert runner(wire).define(DEFINITION).endswith("dev-x:3")
    assert wire.requests == [
        ("DescribeJobDefinitions", {"jobDefinitionName": "dev-x", "status": "ACTIVE"}),
        (
            "DescribeJobDefinitions",
            {"jobDefinitionName": "dev-x", "status": "ACTIVE", "nextToken": "more"},
        ),
    ]


def test_a_new_definition_is_registered_with_its_digest():
    wire = Wire(
        DescribeJobDefinitions={"jobDefinitions": [registered(1, "another")]},
        RegisterJobDefinition={
            "jobDefinitionName": "dev-x",
            "jobDefinitionArn": "arn:dev-x:2",
            "revision": 2,
        },
    )
    assert runner(wire).define(DEFINITION) == "arn:dev-x:2"
    assert wire.sent("RegisterJobDefinition") == [
        {
            "jobDefinitionName": "dev-x",
            "type": "container",
            "containerProperties": {
                "image": "ghcr.io/x",
                "command": ["true"],
                "resourceRequirements": [
                    {"type": "MEMORY", "value": "1024"},
                    {"type": "VCPU", "value": "1"},
                ],
                "mountPoints": [],
                "volumes": [],
                "privileged": False,
                "secrets": [],
            },
            "retryStrategy": {"attempts": 1},
            "propagateTags": True,
            "tags": {DIGEST_TAG: digest(DEFINITION)},
        }
    ]


def test_a_definition_that_batch_refuses_is_refused():
    wire = Wire(DescribeJobDefinitions={"jobDefinitions": []}, RegisterJobDefinition=NO)
    with pytest.raises(Refused, match="job definition dev-x: ClientException"):
        runner(wire).define(DEFINITION)


def test_registering_while_aws_is_down_is_unavailable():
    wire = Wire(
        DescribeJobDefinitions={"jobDefinitions": []},
        RegisterJobDefinition=ConnectTimeoutError(**URL),
    )
    with pytest.raises(Unavailable):
        runner(wire).define(DEFINITION)


# --- looking


def test_a_name_is_looked_for_on_all_pages_and_compared_exactly():
    wire = Wire(
        ListJobs=[
            {
                "jobSummaryList": [
                    a_summary("i2", created_at=2),
                    a_summary("other case", "Falsework-Job-1", 9),
                ],
                "nextToken": "more",
            },
            {
                "jobSummaryList": [
                    a_summary("longer", "falsework-job-10", 9),
                    a_summary("i3", created_at=3),
                    a_summary("i1", created_at=1),
                ]
            },
        ],
        DescribeJobs={"jobs": [a_detail("i1"), a_detail("i3", status="FAILED")]},
    )
    found = runner(wire).find("default", "falsework-job-1")
    assert [(seen.job_id, seen.status) for seen in found] == [
        ("i3", "FAILED"),
        ("i2", "RUNNABLE"),
        ("i1", "RUNNING"),
    ]
    filters = [{"name": "JOB_NAME", "values": ["falsework-job-1"]}]
    assert wire.requests == [
        ("ListJobs", {"jobQueue": "default", "filters": filters}),
        ("ListJobs", {"jobQueue": "default", "filters": filters, "nextToken": "more"}),
        ("DescribeJobs", {"jobs": ["i3", "i2", "i1"]}),
    ]


def test_more_than_a_hundred_copies_are_described_a_hundred_at_a_time():
    copies = [a_summary(f"i{n}", created_at=200 - n) for n in range(150)]
    wire = Wire(ListJobs={"jobSummaryList": copies}, DescribeJobs={"jobs": []})
    assert len(runner(wire).find("default", "falsework-job-1")) == 150
    assert [len(body["jobs"]) for body in wire.sent("DescribeJobs")] == [100, 50]


def test_a_name_with_an_asterisk_is_nobodys_and_is_not_asked_for():
    wire = Wire()
    assert runner(wire).find("default", "falsework*") == ()
    assert wire.requests == []


def test_only_a_queue_that_is_not_there_proves_that_no_job_is():
    """Batch says ClientException for missing permissions as well: then nobody knows."""
    queue = {"jobQueueName": "default", "jobQueueArn": "a", "state": "ENABLED", "priority": 1}
    nothing = Wire(ListJobs=NO, DescribeJobQueues={"jobQueues": []})
    assert runner(nothing).find("default", "falsework-job-1") == ()
    there = Wire(ListJobs=NO, DescribeJobQueues={"jobQueues": [queue]})
    with pytest.raises(Unavailable, match="ClientException"):
        runner(there).find("default", "falsework-job-1")


@pytest.mark.parametrize("answer", [THROTTLED, (403, "AccessDeniedException"), (500, "S")])
def test_looking_never_refuses(answer, monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    looking = runner(Wire(ListJobs=answer, DescribeJobs=answer, GetLogEvents=answer))
    for call in (
        lambda: looking.find("default", "falsework-job-1"),
        lambda: looking.describe(["i1"]),
        lambda: looking.log("stream", 10),
    ):
        with pytest.raises(Unavailable):
            call()


def test_children_are_shown_to_who_asks_for_them_and_what_cannot_be_read_is_told():
    child = a_detail("i1:0", arrayProperties={"index": 0})
    wire = Wire(DescribeJobs={"jobs": [child, a_detail("i2")]})
    seen = runner(wire).describe(["i1:0", "i2"])
    assert [each.job_id for each in seen] == ["i1:0", "i2"]
    strange = Wire(DescribeJobs={"jobs": [a_detail("i2", status="PAUSED")]})
    with pytest.raises(Unavailable, match="status"):
        runner(strange).describe(["i2"])


# --- stopping


def test_the_reason_of_a_stop_is_cut_to_what_batch_takes():
    wire = Wire(TerminateJob={})
    runner(wire).stop("i1", "x" * 2000)
    runner(wire).stop("i1", "")
    assert wire.sent("TerminateJob") == [
        {"jobId": "i1", "reason": "x" * 1024},
        {"jobId": "i1", "reason": "stopped"},
    ]


@pytest.mark.parametrize(
    "jobs", [[], [a_detail("i1", status="SUCCEEDED")]], ids=["unknown", "ended"]
)
def test_what_is_not_live_need_not_be_stopped(jobs):
    runner(Wire(TerminateJob=NO, DescribeJobs={"jobs": jobs})).stop("i1", "x")


def test_a_live_job_that_could_not_be_stopped_stays_owed():
    wire = Wire(TerminateJob=NO, DescribeJobs={"jobs": [a_detail("i1")]})
    with pytest.raises(Unavailable, match="stopping job i1"):
        runner(wire).stop("i1", "x")


# --- logs


def page(token, *messages):
    events = [{"timestamp": 1, "message": message, "ingestionTime": 1} for message in messages]
    return {"events": events, "nextBackwardToken": token, "nextForwardToken": "f"}


def test_a_log_is_read_backwards_through_empty_pages_to_its_beginning():
    wire = Wire(
        GetLogEvents=[page("b1", "three", "four"), page("b2"), page("b3", "one", "é"), page("b3")]
    )
    text = runner(wire).log("stream", 1000)
    assert text.decode() == "one\né\nthree\nfour\n"
    tokens = [body.get("nextToken") for body in wire.sent("GetLogEvents")]
    assert tokens == [None, "b1", "b2", "b3"]
    assert {body["logGroupName"] for body in wire.sent("GetLogEvents")} == {"/aws/batch/job"}


def test_no_more_pages_are_read_than_are_needed():
    wire = Wire(GetLogEvents=[page("b1", "three"), page("b2", "two"), page("b3", "one")])
    assert runner(wire, log_group="mine").log("stream", 8) == b"o\nthree\n"
    assert [body["logGroupName"] for body in wire.sent("GetLogEvents")] == ["mine", "mine"]
    assert runner(wire).log("stream", 0) == b""
