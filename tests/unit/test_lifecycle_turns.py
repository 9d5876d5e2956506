"""Whose turn it is: who must be gone first, and which branch was chosen."""

from __future__ import annotations

import pytest

from chalicelib.core.commands import Announce, MakeCall, TendRuns, WakeParent
from chalicelib.core.events import (
    Announced,
    CallEnded,
    CancelRequested,
    ChildrenEnded,
    ResumeRequested,
    RunRequested,
    StageTried,
    TimerFired,
)
from chalicelib.core.lifecycle import decide, owed
from chalicelib.core.lifecycle.deadlines import CALL_LIFE
from chalicelib.core.lifecycle.faults import MOST_FAULTS
from chalicelib.core.plans.announcements import Announcement, Target
from chalicelib.core.plans.plan import (
    Chosen,
    CleanUpPolicy,
    Plan,
    PutDocuments,
    RetryPolicy,
    StagePlan,
)
from chalicelib.core.plans.run_actions import RunsAction
from chalicelib.core.run import Run, RunState, StageStatus
from tests.unit.runs import UID, at

RUNS = StagePlan(name="runs", action=RunsAction(kind="k", request={}))


def a_call(name: str = "call", **told) -> StagePlan:
    return StagePlan(name=name, action=PutDocuments(documents={"s3://f/doc": "{}"}), **told)


def begun(*stages: StagePlan, **fields) -> Run:
    plan = Plan(stages=stages, request_digest="d", **fields)
    event = RunRequested(run_id="r", at=at(0), uid=UID, kind="k", group="default", plan=plan)
    return decide(None, event).run


def called(run: Run, seconds: float, name: str = "call", **told) -> Run:
    about = {"run_id": "r", "at": at(seconds), "stage": name, "generation": run.generation}
    return decide(run, CallEnded(**about, attempt=run.stage(name).attempts, **told)).run


def gone(seconds: float, stage: str = "runs", **told) -> ChildrenEnded:
    about = {"run_id": "r", "at": at(seconds), "stage": stage, "attempt": 1}
    return ChildrenEnded(**{**about, "generation": 1, **told})


def test_no_stage_begins_anew_before_the_runs_of_the_last_generation_are_gone():
    run = decide(begun(RUNS, a_call()), CancelRequested(run_id="r", at=at(1))).run
    run = decide(run, ResumeRequested(run_id="r", at=at(2))).run
    assert [stage.status for stage in run.stages] == [StageStatus.CREATED] * 2
    run = decide(run, gone(3)).run
    assert [stage.begun_at for stage in run.stages] == [at(3)] * 2


def test_the_runs_of_one_stage_keep_no_other_from_beginning():
    run = begun(RUNS, a_call(), a_call("next", after=("call",)))
    assert called(run, 1).stage("next").status is StageStatus.RUNNING


def test_an_attempt_does_not_begin_before_the_runs_of_the_one_before_are_gone():
    stage = RUNS.model_copy(update={"timeout_seconds": 10})
    run = begun(stage, retry_policy=RetryPolicy.STAGE, max_attempts=2)
    run = decide(run, TimerFired(run_id="r", at=at(10))).run
    run = decide(run, TimerFired(run_id="r", at=at(100))).run
    assert run.stage("runs").status is StageStatus.RETRY
    assert owed(run, at(101)) == (TendRuns(stage="runs", generation=1, attempt=1, is_over=True),)
    run, commands = decide(run, gone(102))
    assert commands == (TendRuns(stage="runs", generation=1, attempt=2, is_over=False),)
    assert run.stage("runs").begun_at == at(102)


def test_runs_may_take_longer_than_a_call():
    run = begun(RUNS)
    while run.next_check_at <= at(2 * CALL_LIFE.total_seconds()):
        run = decide(run, TimerFired(run_id="r", at=run.next_check_at)).run
    assert run.state is RunState.RUNNING


def test_no_attempt_of_a_closing_stage_begins_beside_runs_that_cannot_be_cancelled():
    told = {"name": "hook", "is_closing": True, "closes_on": "error", "timeout_seconds": 10}
    hook = RUNS.model_copy(update=told)
    run = begun(a_call(), hook, retry_policy=RetryPolicy.STAGE, max_attempts=2)
    run = called(run, 1, error="no", cause="refused")
    run = decide(run, TimerFired(run_id="r", at=at(20))).run
    assert run.stage("hook").status is StageStatus.RETRY
    about = {"run_id": "r", "stage": "hook", "generation": 1, "attempt": 1, "fault": "KeyError"}
    for minute in range(1, MOST_FAULTS + 1):
        run = decide(run, StageTried(at=at(60 * minute), **about)).run
    assert (run.stage("hook").status, run.stage("hook").attempts) == (StageStatus.ERROR, 1)
    assert run.settled_at is not None


def test_a_stage_that_was_given_up_while_its_runs_lived_says_so():
    run = called(begun(RUNS, a_call()), 1, error="no")
    run = decide(run, gone(2, result=1)).run
    (entry,) = run.stage("runs").history
    assert (entry.end_status, entry.message) == ("ERROR", "given up: another stage failed")


def test_a_parent_is_not_woken_again_by_what_its_run_is_told_later():
    told = Announcement(states=("CANCELED",), targets=(Target(kind="webhook", name="ci"),))
    run = begun(a_call(), parent="p", notices=(told,))
    run, commands = decide(run, CancelRequested(run_id="r", at=at(1)))
    assert WakeParent(run_id="p", at=at(1)) in commands
    assert decide(run, TimerFired(run_id="r", at=at(999))).commands == (
        Announce(key="1:CANCELED"),
    )
    after, commands = decide(run, Announced(run_id="r", at=at(2), keys=("1:CANCELED",)))
    assert (after.announced, commands) == (("1:CANCELED",), ())


@pytest.mark.parametrize("branch", ["left", "right"])
def test_the_stages_of_the_other_branch_are_complete_without_being_done(branch):
    ways = [
        a_call(way, after=("choice",), when=Chosen(stage="choice", branch=way))
        for way in ("left", "right")
    ]
    run = called(begun(a_call("choice"), *ways), 1, "choice", result=branch)
    other = {"left": "right", "right": "left"}[branch]
    chosen, passed = run.stage(branch), run.stage(other)
    assert owed(run, at(2)) == (MakeCall(stage=branch, attempt=1),)
    assert (chosen.status, passed.status) == (StageStatus.RUNNING, StageStatus.COMPLETE)
    (entry,) = passed.history
    assert (entry.message, passed.result, passed.attempts) == ("not chosen", None, 1)
    assert (entry.begin_ts, entry.end_ts) == ("2026-01-01T00:00:01+00:00",) * 2
    assert called(run, 2, branch).state is RunState.SUCCESS


def test_a_clean_up_waits_for_the_runs_of_every_stage():
    clean_up = a_call("clean-up", is_closing=True)
    run = begun(a_call(), RUNS, clean_up, clean_up=CleanUpPolicy.ALWAYS)
    run = decide(run, CancelRequested(run_id="r", at=at(1))).run
    assert run.stage("clean-up").status is StageStatus.CREATED
    assert decide(run, gone(2)).run.stage("clean-up").begun_at == at(2)


@pytest.mark.parametrize(
    ("hook", "failed", "is_run"),
    [
        ({"closes_on": "success"}, None, True),
        ({"closes_on": "success"}, "a", False),
        ({"closes_on": "error"}, "a", True),
        ({"closes_on": "error"}, None, False),
        ({"closes_on": "error", "closes_for": "a"}, "a", True),
        ({"closes_on": "error", "closes_for": "a"}, "b", False),
    ],
    ids=str,
)
def test_a_closing_stage_is_done_for_the_end_that_it_is_there_for(hook, failed, is_run):
    run = begun(a_call("a"), a_call("b"), a_call("hook", is_closing=True, **hook))
    for seconds, name in enumerate("ab", 1):
        error = "no" if name == failed else None
        run = called(run, seconds, name, error=error)
    assert run.is_terminal
    assert (run.stage("hook").status is StageStatus.RUNNING) == is_run
    assert (run.settled_at is None) == is_run


@pytest.mark.parametrize(("cause", "has_another"), [("child", True), ("pipeline", False)])
def test_runs_that_would_fail_the_same_way_again_are_not_tried_again(cause, has_another):
    run = begun(RUNS, retry_policy=RetryPolicy.STAGE, max_attempts=2)
    run = decide(run, gone(1, error="no", cause=cause)).run
    status = StageStatus.RETRY if has_another else StageStatus.ERROR
    assert run.stage("runs").status is status
