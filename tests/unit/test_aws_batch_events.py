"""Batch's events and DescribeJobs' details, read in one way. The samples tell their sources."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chalicelib import calls
from chalicelib.aws.batch_events import read_event, read_job
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.job_state import JobStatus
from chalicelib.job_ports import JobSeen

EVENTS = Path(__file__).parents[1] / "events"
STREAM = "dev-x/default/0123456789abcdef0123456789abcdef"
SEEN = JobSeen(
    job_id="4c7599ae-0a82-49aa-ba5a-4727fcce14a8",
    name="falsework-abcdefghijklmnopqrst-execute-1",
    queue="arn:aws:batch:us-east-1:123456789012:job-queue/default",
    status=JobStatus.RUNNABLE,
    run_id="r1",
)
STARTED = {"started_at": datetime(2026, 5, 1, 12, 0, 5, 123000, tzinfo=UTC)}
STOPPED = STARTED | {"stopped_at": datetime(2026, 5, 1, 12, 0, 9, 456000, tzinfo=UTC)}


def sample(name):
    return json.loads((EVENTS / f"batch-job-{name}.json").read_text())["event"]


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("runnable", {}),
        ("running", {"status": "RUNNING", "log_stream": STREAM, **STARTED}),
        (
            "succeeded",
            {
                "status": "SUCCEEDED",
                "ended_attempts": 1,
                "exit_code": 0,
                "reason": "Essential container in task exited",
                "log_stream": STREAM,
                **STOPPED,
            },
        ),
        (
            "failed-out-of-memory",
            {
                "status": "FAILED",
                "ended_attempts": 1,
                "exit_code": 137,
                "reason": "Essential container in task exited; "
                "OutOfMemoryError: Container killed due to memory usage",
                "log_stream": STREAM,
                **STOPPED,
            },
        ),
        (
            "failed-spot-reclaim",
            {
                "status": "FAILED",
                "ended_attempts": 1,
                "reason": "Host EC2 (instance i-0123456789abcdef0) terminated.",
                "log_stream": STREAM,
                **STOPPED,
            },
        ),
        (
            "failed-before-start",
            {"status": "FAILED", "ended_attempts": 1, "reason": "canceled by falsework"},
        ),
        ("array-parent", {"status": "RUNNING"}),
        ("unknown-properties", {"status": "STARTING"}),
    ],
)
def test_an_event_tells_how_the_job_is(name, fields):
    expected = JobSeen.model_validate({**SEEN.model_dump(), **fields})
    assert read_event(sample(name)) == expected


def test_the_event_and_the_description_are_read_alike():
    event = sample("succeeded")
    assert read_job(event["detail"]) == read_event(event)


def test_what_was_read_is_news_for_the_run():
    seen = read_event(sample("failed-spot-reclaim"))
    changed = calls.job_changed(seen, "r1", datetime(2026, 5, 1, 12, 1, tzinfo=UTC))
    assert (changed.uid, changed.serial) == ("abcdefghijklmnopqrst", 1)


@pytest.mark.parametrize(
    ("status", "summary", "read"),
    [
        ("PENDING", {"RUNNABLE": 3}, "PENDING"),
        ("PENDING", {"RUNNABLE": 2, "STARTING": 1}, "RUNNING"),
        ("PENDING", {"SUCCEEDED": 3, "A-STATUS-OF-TOMORROW": 1}, "RUNNING"),
        ("SUCCEEDED", {"SUCCEEDED": 3}, "SUCCEEDED"),
        ("FAILED", {"SUCCEEDED": 2, "FAILED": 1}, "FAILED"),
        ("SUBMITTED", None, "SUBMITTED"),
    ],
)
def test_the_parent_of_an_array_is_told_by_its_children(status, summary, read):
    detail = sample("array-parent")["detail"]
    array = {"size": 3, "statusSummary": summary}
    assert read_job(detail | {"status": status, "arrayProperties": array}).status == read


def test_the_child_of_an_array_or_of_a_node_is_nobodys():
    assert read_event(sample("array-child")) is None
    child = sample("running")["detail"] | {"nodeProperties": {"nodeIndex": 0}}
    assert read_job(child) is None


def test_another_type_of_event_is_not_a_jobs():
    event = sample("running") | {"detail-type": "Batch Job Queue Blocked"}
    assert read_event(event) is None


def test_the_run_is_told_by_the_tag_where_no_environment_is_shown():
    detail = sample("running")["detail"] | {"container": None}
    assert read_job(detail).run_id == "r1"
    assert read_job(detail | {"tags": {}}).run_id is None


def test_the_last_attempt_tells_what_the_job_does_not():
    detail = sample("failed-out-of-memory")["detail"]
    kept = {"environment": detail["container"]["environment"]}
    assert read_job(detail | {"container": kept}) == read_job(detail)


def test_a_summary_is_read_with_the_queue_that_was_asked():
    summary = {"jobId": "i", "jobName": "n", "status": "SUCCEEDED", "container": {"exitCode": 3}}
    assert read_job(summary, queue="q") == JobSeen(
        job_id="i", name="n", queue="q", status="SUCCEEDED", ended_attempts=1, exit_code=3
    )


@pytest.mark.parametrize(
    "changes",
    [{"status": "PAUSED"}, {"jobId": None}, {"attempts": "two"}, {"startedAt": "yesterday"}],
    ids=["status", "id", "attempts", "time"],
)
def test_what_cannot_be_read_is_said_without_the_values(changes):
    event = sample("running")
    event["detail"] |= {**changes, "container": {"environment": [{"name": "S", "value": 7e77}]}}
    with pytest.raises(InvalidRequest, match=next(iter(changes))) as caught:
        read_event(event)
    assert "7e" not in str(caught.value)


def test_every_sample_tells_its_source():
    for path in EVENTS.glob("batch-job-*.json"):
        told = json.loads(path.read_text())
        assert told.keys() == {"source", "note", "event"}
        assert told["source"].startswith("https://docs.aws.amazon.com/")
