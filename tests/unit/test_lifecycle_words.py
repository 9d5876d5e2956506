"""What a run says of itself to people, word for word: refusals, and why it ended."""

from __future__ import annotations

import pytest

from chalicelib.core.errors import Conflict, InvalidRequest, NotFound
from chalicelib.core.events import (
    CallEnded,
    CancelRequested,
    JobNotFound,
    OutcomeRead,
    ResumeRequested,
    RollbackRequested,
    SubmissionRefused,
    SubmissionStarted,
    TimerFired,
)
from chalicelib.core.job_state import JobStatus
from chalicelib.core.lifecycle import decide, prompt
from chalicelib.core.lifecycle.stages import begin
from chalicelib.core.plans.plan import JobAction, Plan, StagePlan
from chalicelib.core.run import RunError
from tests.unit.runs import UID, a_plan, a_run, at, requested, seen, worn_out
from tests.unit.test_lifecycle_attempts import Player, a_chain

EXECUTE = f"falsework-{UID}-execute-2"
ONCE = f"falsework-{UID}-a-1"


def failed(run, **told):
    return decide(run, seen("job-2", JobStatus.FAILED, 2, ended_attempts=1, **told)).run


def resume(run, when=50, **told):
    return decide(run, ResumeRequested(run_id="r1", at=at(when), **told)).run


def rollback(run, stage="execute", **told):
    return decide(run, RollbackRequested(run_id="r1", at=at(50), stage=stage, **told)).run


def cancel(run, when=7):
    return decide(run, CancelRequested(run_id="r1", at=at(when))).run


def spent():
    player = Player(a_chain("A", retry_policy="GLOBAL", max_attempts=1))
    return player.play([1])


REFUSALS = {
    "no-run": (
        lambda: decide(None, TimerFired(run_id="r1", at=at(0))),
        "there is no run r1",
    ),
    "another-request": (
        lambda: decide(a_run(), requested(a_plan(digest="other"))),
        "run r1 exists already, with another request; choose another id",
    ),
    "another-kind": (
        lambda: decide(a_run(), requested(kind="data-sync")),
        "run r1 exists already, with another request; choose another id",
    ),
    "canceled-when-over": (
        lambda: cancel(a_run()),
        "run r1 has ended already: SUCCESS",
    ),
    "canceled-when-canceled-and-settled": (
        lambda: cancel(cancel(decide(None, requested()).run)),
        "run r1 has ended already: CANCELED",
    ),
    "resumed-under-way": (
        lambda: resume(a_run(until="execute")),
        "run r1 is RUNNING: only a run that has ended can be resumed",
    ),
    "resumed-after-success": (
        lambda: resume(a_run()),
        "run r1 has succeeded: nothing is left to resume; roll it back",
    ),
    "resumed-without-attempts": (
        lambda: resume(spent()),
        (
            "run r1 has 0 of its 1 attempts left (retry_policy GLOBAL), and 1 stages would have to"
            " run; submit it again under another id"
        ),
    ),
    "rolled-back-under-way": (
        lambda: rollback(a_run(until="execute")),
        "run r1 is RUNNING: only a run that has ended can be rolled back",
    ),
    "resumed-after-a-rollback": (
        lambda: resume(rollback(a_run(), generation=1), generation=1, when=51),
        (
            "run r1 has left generation 1 already, by another request (rollback to execute);"
            " generation 2 is RUNNING: look at it, and name 2 to leave that one"
        ),
    ),
    "resumed-from-a-generation-whose-successor-has-ended": (
        lambda: resume(cancel(resume(cancel(a_run(until="execute"))), 60), generation=1, when=70),
        (
            "run r1 has left generation 1 already; generation 2 is CANCELED: look at it, and name"
            " 2 to leave that one"
        ),
    ),
    "rolled-back-from-another-generation": (
        lambda: rollback(a_run(), generation=5),
        "run r1 is in generation 1, not 5",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_says_what_is_so_and_what_to_do(name):
    act, words = REFUSALS[name]
    with pytest.raises((Conflict, NotFound)) as caught:
        act()
    assert str(caught.value) == words


def test_a_transition_that_is_not_in_the_table_names_the_stage_and_both_statuses():
    run = begin(decide(None, requested(a_chain("A"))).run, "A", at(0))
    with pytest.raises(Conflict) as caught:
        begin(run, "A", at(1))
    assert str(caught.value) == "stage A is RUNNING and cannot become RUNNING"


def test_a_rollback_to_nowhere_names_the_stages_that_there_are():
    with pytest.raises(InvalidRequest) as caught:
        rollback(a_run(), "clean-up")
    assert str(caught.value).startswith("run r1 cannot be rolled back to 'clean-up'")
    assert caught.value.mend == "name one of scaffold, define-jobs, stage-in, execute, stage-out"


def an_unconfirmed_job(**told):
    player = Player(a_chain("A", **told))
    player.apply(SubmissionStarted(run_id="r1", at=at(0), stage="A", serial=1))
    return player


def lost(days):
    player = an_unconfirmed_job()
    player.apply(JobNotFound(run_id="r1", at=at(days * 24 * 3600), stage="A", serial=1))
    return player.run


def forgotten():
    run = a_run(until="execute")
    return decide(
        run, JobNotFound(run_id="r1", at=at(99), stage="execute", serial=2, job_id="job-2")
    ).run


def ended_worker(**told):
    run = worn_out(a_run(until="stage-in"), "stage-in")
    run = decide(run, seen("job-1", JobStatus.SUCCEEDED, 1, ended_attempts=1)).run
    about = {"run_id": "r1", "at": at(6), "stage": "stage-in", "serial": 1}
    return decide(run, OutcomeRead.model_validate({**about, **told})).run


def given_up_call():
    run = decide(None, requested()).run
    for _ in range(200):
        run = decide(run, TimerFired(run_id="r1", at=run.next_check_at)).run
        if run.is_terminal:
            return run
    raise AssertionError(run)


def waited(**told):
    player = Player(a_chain("A", queue_wait_timeout_seconds=60))
    player.run = worn_out(player.run, "A")
    player.submit()
    player.see(1, JobStatus.RUNNABLE)
    player.see(1, JobStatus.RUNNABLE, **told)
    player.wait(60)
    player.ask(1, JobStatus.RUNNABLE)
    return player.run


def refused():
    player = an_unconfirmed_job()
    about = {"run_id": "r1", "at": at(2), "stage": "A", "serial": 1}
    player.apply(SubmissionRefused(**about, message="no such queue"))
    return player.run


def call_failed():
    event = CallEnded(run_id="r1", at=at(1), stage="scaffold", attempt=1, error="no room")
    return decide(decide(None, requested()).run, event).run


ERRORS = {
    "the-users-job": (
        lambda: failed(a_run(until="execute"), exit_code=3, reason="Essential"),
        ("execute", "user", f"job {EXECUTE} failed with exit code 3: Essential"),
    ),
    "canceled": (
        lambda: cancel(a_run(until="execute")),
        (None, "canceled", "canceled by request"),
    ),
    "refused": (refused, ("A", "refused", "no such queue")),
    "call": (call_failed, ("scaffold", "call", "no room")),
    "call-for-an-hour": (
        given_up_call,
        ("scaffold", "call", "it could not be performed for 1:00:00"),
    ),
    "lost": (
        lambda: lost(6),
        (
            "A",
            "lost",
            (
                f"it is unknown whether job {ONCE} ran: its submission at"
                " 2026-01-01T00:00:00+00:00 was never confirmed, and Batch forgets ended"
                " jobs after about a week; it is not submitted again"
            ),
        ),
    ),
    "forgotten": (
        forgotten,
        ("execute", "lost", f"job {EXECUTE}: the backend no longer knows the job"),
    ),
    "worker-without-document": (
        ended_worker,
        (
            "stage-in",
            "worker",
            f"job falsework-{UID}-stage-in-1 ended without its result document",
        ),
    ),
    "worker-with-an-error": (
        lambda: ended_worker(is_written=True, error="input x: nothing there"),
        ("stage-in", "worker", "input x: nothing there"),
    ),
    "queue-wait": (
        waited,
        ("A", "queue_wait", f"job {ONCE} waited 60 seconds in queue spot for a host"),
    ),
    "queue-wait-with-a-reason": (
        lambda: waited(reason="CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY"),
        (
            "A",
            "queue_wait",
            (
                f"job {ONCE} waited 60 seconds in queue spot for a host; its queue said:"
                " CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY"
            ),
        ),
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_a_run_says_which_stage_failed_of_what_and_how(name):
    act, (stage, cause, message) = ERRORS[name]
    assert act().error == RunError(stage=stage, cause=cause, message=message)


def test_what_was_refused_is_told_of_the_job_as_well():
    (job,) = refused().jobs
    assert (job.is_absent, job.reason) == (True, "no such queue")


def test_a_forgotten_job_says_when_and_why_it_is_taken_for_ended():
    job = forgotten().job("execute")
    assert (job.reason, job.stopped_at) == ("the backend no longer knows the job", at(99))


def test_what_a_call_says_at_length_is_cut_to_what_a_run_has_room_for():
    event = CallEnded(run_id="r1", at=at(1), stage="scaffold", attempt=1, error="x" * 500_000)
    run = decide(decide(None, requested()).run, event).run
    assert len(run.model_dump_json(exclude={"plan"})) < 20_000


def test_the_history_of_a_stage_that_waits_says_that_another_failed():
    action = JobAction(definition="user", queue="spot")
    stages = tuple(StagePlan(name=name, action=action) for name in "AB")
    player = Player(Plan(stages=stages, retry_policy="STAGE", max_attempts=2))
    for serial, stage in enumerate("AB", 1):
        player.apply(SubmissionStarted(run_id="r1", at=at(0), stage=stage, serial=serial))
    player.end(1, 1)
    player.see(2, JobStatus.FAILED, ended_attempts=1, reason="its stage has ended")
    history = player.run.stage("A").history
    assert [entry.begin_status for entry in history] == ["CREATED", "RETRY"]
    assert history[-1].message == "given up: another stage failed"
    assert prompt(player.run) == ()


def test_the_history_of_a_canceled_stage_says_so():
    run = cancel(a_run(until="execute"))
    assert run.stage("execute").history[-1].message == "canceled"


def test_the_history_tells_when_an_execution_began_and_when_it_ended():
    run = failed(a_run(until="execute"), exit_code=1)
    (entry,) = run.stage("execute").history
    assert (entry.begin_ts, entry.end_ts, entry.run_time_seconds) == (
        "2026-01-01T00:00:01+00:00",
        "2026-01-01T00:00:05+00:00",
        4.0,
    )


def test_a_cancel_says_who_wanted_it():
    run = decide(a_run(until="execute"), CancelRequested(run_id="r1", at=at(7))).run
    assert run.error.message == "canceled by request"
    event = CancelRequested(run_id="r1", at=at(7), reason="the budget is used up")
    run = decide(a_run(until="execute"), event).run
    assert run.error.message == "the budget is used up"
