"""Which batches are done, which are left, and what each job is told of them."""

from __future__ import annotations

import json

import pytest

from chalicelib import batches, calls
from chalicelib.core.events import OutcomeRead
from chalicelib.core.lifecycle import decide
from chalicelib.core.plans.plan import DefineJobs, JobDefinition, Plan, StagePlan
from chalicelib.core.worker_documents import Outcome
from chalicelib.local.object_store import LocalObjectStore
from tests.flow.worlds import World
from tests.unit.runs import at, requested, seen, worker

HOME = "s3://falsework/out/"


@pytest.fixture
def ports(tmp_path):
    return World(tmp_path).ports


def outcome(**told):
    document = Outcome.model_validate({"job_name": "n", "job_id": "i", "attempt": 1, **told})
    return document.model_dump_json().encode()


def a_divided_run(count=4):
    """A run whose worker has divided its work, and whose array has been submitted."""
    from chalicelib.core.events import CallEnded, SubmissionStarted

    action = worker("sync").model_copy(
        update={"fan_out": worker("sync-batch").model_copy(update={"environment": {"A": "b"}})}
    )
    define = DefineJobs(definitions={"worker": JobDefinition(name="w", image="w")})
    stages = (
        StagePlan(name="define", action=define),
        StagePlan(name="sync", action=action, after=("define",)),
    )
    run = decide(None, requested(Plan(stages=stages, results_prefix=HOME))).run
    result = {"worker": "arn:w"}
    run = decide(
        run, CallEnded(run_id="r1", at=at(0), stage="define", attempt=1, result=result)
    ).run
    for serial, told in ((1, {"is_written": True, "result": {"batches": count}}), (2, None)):
        about = {"run_id": "r1", "at": at(1), "stage": "sync", "serial": serial}
        run = decide(run, SubmissionStarted(**about)).run
        if told is not None:
            run = decide(run, seen(f"job-{serial}", "SUCCEEDED", serial, ended_attempts=1)).run
            run = decide(run, OutcomeRead.model_validate({**about, **told})).run
    return run


def test_the_array_is_asked_for_with_its_size_and_where_its_children_write():
    run = a_divided_run()
    request = calls.job_request(run, run.job("sync"))
    assert (request.array_size, request.command) == (4, ("w", "sync-batch"))
    assert request.environment["FALSEWORK_OUTCOME_URI"] == f"{HOME}sync-1/"
    assert request.environment["A"] == "b"
    assert "FALSEWORK_BATCHES_LEFT" not in request.environment


def test_what_has_no_document_is_left_and_listed(ports):
    run = a_divided_run()
    for name in ("000000.json", "000002.json", "stray.txt", "000009.json"):
        ports.objects.write(f"{HOME}sync-1/{name}", outcome())
    event = calls.read_outcome(run, run.job("sync"), ports, at(5))
    assert (event.batches_left, event.error) == (2, None)
    left = ports.objects.read(f"{HOME}{run.job('sync').name}.left.json")
    assert json.loads(left) == [1, 3]


def test_the_next_job_is_told_what_the_one_before_left(ports):
    from chalicelib.core.events import SubmissionStarted, TimerFired

    run = a_divided_run(count=2)
    name = run.job("sync").name
    ports.objects.write(f"{HOME}sync-1/000001.json", outcome())
    run = decide(run, seen("job-2", "FAILED", 2, ended_attempts=1)).run
    run = decide(run, calls.read_outcome(run, run.job("sync"), ports, at(5))).run
    run = decide(run, TimerFired(run_id="r1", at=at(100))).run
    run = decide(run, SubmissionStarted(run_id="r1", at=at(100), stage="sync", serial=3)).run
    request = calls.job_request(run, run.job("sync"))
    assert request.array_size is None
    assert request.environment["FALSEWORK_BATCH_INDEX"] == "0"
    assert request.environment["FALSEWORK_BATCHES_LEFT"] == f"{HOME}{name}.left.json"


def test_the_finish_is_told_where_the_documents_are(ports):
    from chalicelib.core.events import SubmissionStarted

    run = a_divided_run(count=2)
    for number in range(2):
        ports.objects.write(f"{HOME}sync-1/{number:06d}.json", outcome())
    run = decide(run, seen("job-2", "SUCCEEDED", 2, ended_attempts=1)).run
    run = decide(run, calls.read_outcome(run, run.job("sync"), ports, at(5))).run
    run = decide(run, SubmissionStarted(run_id="r1", at=at(6), stage="sync", serial=3)).run
    request = calls.job_request(run, run.job("sync"))
    assert request.command == ("w", "sync")
    assert request.environment["FALSEWORK_BATCHES_DONE"] == f"{HOME}sync-1/"
    assert request.environment["FALSEWORK_OUTCOME_URI"].endswith("-sync-3.json")


def test_what_the_user_must_mend_is_told_unless_it_was_done_after_all(ports):
    run = a_divided_run(count=2)
    ports.objects.write(f"{HOME}sync-1/000000.error.json", outcome(error="a is gone"))
    event = calls.read_outcome(run, run.job("sync"), ports, at(5))
    assert (event.batches_left, event.error) == (2, "a is gone")
    ports.objects.write(f"{HOME}sync-1/000000.json", outcome())
    event = calls.read_outcome(run, run.job("sync"), ports, at(5))
    assert (event.batches_left, event.error) == (1, None)


def test_an_error_that_cannot_be_read_is_said_to_be_so(ports):
    run = a_divided_run(count=2)
    ports.objects.write(f"{HOME}sync-1/000001.error.json", b"?")
    assert "not an outcome" in calls.read_outcome(run, run.job("sync"), ports, at(5)).error


def test_a_generation_has_documents_of_its_own():
    run = a_divided_run()
    later = run.model_copy(update={"generation": 2})
    assert batches.documents_uri(run, "sync") != batches.documents_uri(later, "sync")


def test_reading_twice_changes_nothing(ports):
    run = a_divided_run()
    assert isinstance(ports.objects._target, LocalObjectStore)
    first = calls.read_outcome(run, run.job("sync"), ports, at(5))
    assert calls.read_outcome(run, run.job("sync"), ports, at(5)) == first
