"""What nobody foresaw is counted in the run, and borne so often and no more. Pure."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chalicelib.core.commands import TendRuns
from chalicelib.core.events import (
    CallEnded,
    CancelRequested,
    ResumeRequested,
    RunRequested,
    StageTried,
    TimerFired,
)
from chalicelib.core.lifecycle import decide, owed
from chalicelib.core.lifecycle.faults import MOST_FAULTS
from chalicelib.core.plans.plan import Plan, PutDocuments, RetryPolicy, StagePlan
from chalicelib.core.plans.run_actions import RunsAction
from chalicelib.core.run import Run, RunState, StageStatus
from tests.unit.runs import UID, at

CALL = PutDocuments(documents={"s3://f/doc": "{}"})
RUNS = RunsAction(kind="k", request={})
MINUTE = 60


def begun(*stages: StagePlan, action=CALL, **fields) -> Run:
    told = stages or (StagePlan(name="a", action=action),)
    plan = Plan(stages=told, request_digest="d", **fields)
    event = RunRequested(run_id="r", at=at(0), uid=UID, kind="k", group="default", plan=plan)
    return decide(None, event).run


def tried(run: Run, seconds: float, **told) -> Run:
    about = {"stage": "a", "generation": 1, "attempt": 1, "fault": "KeyError in x.py, line 1"}
    return decide(run, StageTried(run_id="r", at=at(seconds), **{**about, **told})).run


def tried_often(run: Run, times: int, start: float = 0, **told) -> Run:
    for number in range(times):
        run = tried(run, start + number * MINUTE, **told)
    return run


@pytest.mark.parametrize("action", [CALL, RUNS], ids=["a call", "its runs"])
def test_the_last_fault_that_is_borne_ends_the_stage_and_says_what_it_was(action):
    run = begun(action=action, retry_policy=RetryPolicy.STAGE, max_attempts=3)
    almost = tried_often(run, MOST_FAULTS - 1)
    assert (almost.stage("a").faults, almost.state) == (MOST_FAULTS - 1, RunState.RUNNING)
    over = tried(almost, MOST_FAULTS * MINUTE)
    assert (over.state, over.error.cause, over.error.stage) == (RunState.ERROR, "fault", "a")
    assert over.error.message == (
        "an error that nobody foresaw came up 20 times in a row: KeyError in x.py, line 1; the log"
        " of the engine has the rest"
    )
    assert over.stage("a").status is StageStatus.ERROR


def test_faults_of_one_look_count_once():
    run = tried(begun(), 0)
    assert tried(run, 29.999) is run
    assert tried(run, 30).stage("a").faults == 2


@pytest.mark.parametrize("fault", ["KeyError in x.py, line 1", None], ids=["raised", "went well"])
def test_one_that_changes_nothing_has_nothing_done_again_at_once(fault):
    """Or a step that raises within the same look would be tried for as long as that lasts."""
    run = begun() if fault is None else tried(begun(), 0)
    again = StageTried(
        run_id="r", at=at(1), stage="a", generation=1, attempt=1, fault=fault
    )  # fmt: skip
    assert decide(run, again) == (run, ())


def test_a_step_that_goes_well_again_forgets_them():
    run = tried_often(begun(action=RUNS), MOST_FAULTS - 1)
    run = tried(run, 3000, fault=None)
    assert (run.stage("a").faults, run.stage("a").faulted_at) == (0, None)
    assert tried(run, 3001, fault=None) is run
    assert tried_often(run, MOST_FAULTS - 1, 4000).state is RunState.RUNNING


@pytest.mark.parametrize(
    "other", [{"attempt": 2}, {"generation": 2}], ids=["attempt", "generation"]
)
def test_a_fault_of_another_attempt_is_no_news(other):
    run = begun()
    assert tried(run, 0, **other) is run


def test_a_fault_of_a_stage_that_has_ended_is_no_news():
    run = begun()
    ended = CallEnded(run_id="r", at=at(1), stage="a", attempt=1, result=1)
    run = decide(run, ended).run
    assert tried(run, 2) is run


@pytest.mark.parametrize("error", [None, "no"], ids=["well", "badly"])
def test_a_step_that_came_to_its_end_leaves_none_behind(error):
    run = tried_often(begun(retry_policy=RetryPolicy.STAGE, max_attempts=2), 3)
    ended = CallEnded(run_id="r", at=at(200), stage="a", attempt=1, error=error)
    stage = decide(run, ended).run.stage("a")
    assert (stage.faults, stage.faulted_at) == (0, None)


def test_a_stage_with_faults_is_looked_at_soon():
    run = begun(check_seconds=900)
    assert run.next_check_at == at(900)
    assert tried(run, 10).next_check_at == at(70)
    looked = decide(tried(run, 10), TimerFired(run_id="r", at=at(70))).run
    assert looked.next_check_at == at(130)
    assert tried(looked, 71, fault=None).next_check_at == at(130)


def test_one_stage_with_faults_is_enough_to_be_looked_at_soon():
    stages = [StagePlan(name=name, action=CALL) for name in "ab"]
    assert tried(begun(*stages, check_seconds=900), 10).next_check_at == at(70)


def test_a_stage_that_has_ended_is_looked_at_no_sooner_for_the_faults_it_had():
    stages = [StagePlan(name=name, action=CALL) for name in "ab"]
    run = tried(begun(*stages, check_seconds=900), 10)
    run = decide(run, CallEnded(run_id="r", at=at(11), stage="a", attempt=1, result=1)).run
    assert decide(run, TimerFired(run_id="r", at=at(70))).run.next_check_at == at(970)


def test_runs_that_are_not_awaited_are_cancelled_first_and_then_let_go():
    run = tried_often(begun(action=RUNS), MOST_FAULTS)
    over = TendRuns(stage="a", generation=1, attempt=1, is_over=True)
    assert owed(run, at(1999)) == (over,)
    assert run.settled_at is None
    run = tried_often(run, MOST_FAULTS - 1, 2000)
    assert run.settled_at is None
    run = tried(run, 9000)
    assert (run.settled_at, run.error.cause) == (at(9000), "fault")
    assert owed(run, at(9001)) == ()


def test_a_cancelled_run_settles_although_its_runs_cannot_be_cancelled():
    run = decide(begun(action=RUNS), CancelRequested(run_id="r", at=at(1))).run
    run = tried_often(run, MOST_FAULTS, 10)
    assert (run.state, run.stage("a").status) == (RunState.CANCELED, StageStatus.CANCELED)
    assert run.settled_at is not None


def test_a_closing_stage_that_cannot_be_performed_does_not_keep_its_run_from_settling():
    closing = StagePlan(name="c", action=CALL, is_closing=True, closes_on="success")
    run = begun(StagePlan(name="a", action=CALL), closing)
    run = decide(run, CallEnded(run_id="r", at=at(1), stage="a", attempt=1, result=1)).run
    run = tried_often(run, MOST_FAULTS, 10, stage="c")
    assert (run.state, run.stage("c").status) == (RunState.SUCCESS, StageStatus.ERROR)
    assert run.settled_at is not None


def test_another_attempt_begins_without_the_faults_of_the_one_before():
    run = tried_often(begun(retry_policy=RetryPolicy.STAGE, max_attempts=2), 3)
    failed = CallEnded(run_id="r", at=at(200), stage="a", attempt=1, error="no")
    run = decide(run, failed).run
    later = at(200) + timedelta(minutes=2)
    run = decide(run, TimerFired(run_id="r", at=later)).run
    stage = run.stage("a")
    assert (stage.attempts, stage.faults, stage.faulted_at) == (2, 0, None)


def over_while_they_live(again: str) -> Run:
    """A run of which a stage is to begin anew once the runs that it started before are gone."""
    stage = StagePlan(name="a", action=RUNS, timeout_seconds=100)
    run = begun(stage, retry_policy=RetryPolicy.STAGE, max_attempts=2)
    if again == "an attempt":
        return decide(run, TimerFired(run_id="r", at=at(100))).run
    run = decide(run, CancelRequested(run_id="r", at=at(1))).run
    return decide(run, ResumeRequested(run_id="r", at=at(100))).run


@pytest.mark.parametrize("again", ["an attempt", "a generation"])
def test_nothing_begins_beside_runs_that_were_let_go(again):
    run = tried_often(over_while_they_live(again), MOST_FAULTS - 1, 200)
    assert (run.is_terminal, run.stage("a").attempts) == (False, again == "an attempt")
    run = tried(run, 9000)
    assert (run.state, run.error.cause, run.error.stage) == (RunState.ERROR, "fault", "a")
    assert (run.stage("a").children, run.settled_at) == (None, at(9000))
    assert "its runs may still be under way" in run.error.message
