"""The runs that a stage starts, purely: what is owed to them, and what their end does."""

from __future__ import annotations

import pytest

from chalicelib.core.commands import TendRuns, WakeParent
from chalicelib.core.events import (
    CancelRequested,
    ChildrenEnded,
    ResumeRequested,
    RunRequested,
    TimerFired,
)
from chalicelib.core.lifecycle import decide, owed
from chalicelib.core.plans.plan import Plan, RetryPolicy, StagePlan
from chalicelib.core.plans.run_actions import MakeValue, RunsAction
from chalicelib.core.run import RunState, StageStatus
from tests.unit.runs import UID, at

RUNS = RunsAction(kind="k", request={})
TENDED = TendRuns(stage="a", generation=1, attempt=1, is_over=False)


def begun(*stages, **fields):
    told = stages or (StagePlan(name="a", action=RUNS),)
    plan = Plan(stages=told, request_digest="d", **fields)
    return decide(
        None,
        RunRequested(run_id="r", at=at(0), uid=UID, kind="pipeline", group="default", plan=plan),
    )


def ended(seconds=1, **told):
    about = {"stage": "a", "generation": 1, "attempt": 1}
    return ChildrenEnded(run_id="r", at=at(seconds), **{**about, **told})


def cancelled(run, seconds=1):
    return decide(run, CancelRequested(run_id="r", at=at(seconds))).run


def test_who_begins_a_stage_tends_its_runs():
    run, commands = begun()
    assert commands == (TENDED,)
    assert run.stage("a").status is StageStatus.RUNNING
    assert owed(run, at(5)) == (TENDED,)


def test_their_end_is_the_stages_and_the_runs():
    run = begun().run
    after, commands = decide(run, ended(result=[1]))
    assert (after.state, after.stage("a").result) == (RunState.SUCCESS, [1])
    assert after.settled_at == at(1)
    assert commands == ()
    assert decide(after, ended(2, result=[1])).run is after


@pytest.mark.parametrize("other", [{"generation": 2}, {"attempt": 2}], ids=["later", "another"])
def test_the_end_of_other_runs_is_no_news(other):
    run = begun().run
    assert decide(run, ended(**other)).run is run


def test_a_failure_is_the_runs_error_with_its_cause():
    run = decide(begun().run, ended(error="run x ended in ERROR: no")).run
    assert (run.state, run.error.cause, run.error.stage) == (RunState.ERROR, "child", "a")


def test_a_cancelled_run_settles_after_them_and_tells_that_they_are_over():
    run = cancelled(begun().run)
    assert (run.state, run.settled_at) == (RunState.CANCELED, None)
    assert owed(run, at(2)) == (TENDED.model_copy(update={"is_over": True}),)
    settled = decide(run, ended(3)).run
    assert settled.settled_at == at(3)
    assert settled.next_check_at is None
    assert settled.stage("a").status is StageStatus.CANCELED


def test_a_failure_elsewhere_gives_the_stage_up_and_waits_for_them():
    run = begun(StagePlan(name="a", action=RUNS), StagePlan(name="b", action=RUNS)).run
    run = decide(run, ended(stage="b", error="no")).run
    assert (run.state, run.settled_at) == (RunState.ERROR, None)
    after = decide(run, ended(2, result=1)).run
    assert (after.stage("a").status, after.settled_at) == (StageStatus.ERROR, at(2))
    assert after.stage("a").result is None


def test_nothing_begins_again_before_those_of_the_last_generation_are_gone():
    run = cancelled(begun().run)
    again, commands = decide(run, ResumeRequested(run_id="r", at=at(2)))
    assert commands == ()
    assert owed(again, at(3)) == (TENDED.model_copy(update={"is_over": True}),)
    later, commands = decide(again, ended(4))
    assert commands == (TendRuns(stage="a", generation=2, attempt=1, is_over=False),)
    assert later.stage("a").begun_at == at(4)


def test_another_attempt_waits_for_those_of_the_one_before_and_has_its_own():
    run = begun(retry_policy=RetryPolicy.STAGE, max_attempts=2).run
    run = decide(run, ended(error="no")).run
    assert run.stage("a").status is StageStatus.RETRY
    run, commands = decide(run, TimerFired(run_id="r", at=at(100)))
    assert commands == (TENDED.model_copy(update={"attempt": 2}),)
    run = decide(run, ended(101, attempt=2, error="no")).run
    assert run.state is RunState.ERROR


def test_they_are_looked_at_soon_for_their_word_may_be_lost():
    run = begun(check_seconds=900).run
    assert run.next_check_at == at(60)
    looked = decide(run, TimerFired(run_id="r", at=at(60)))
    assert looked.run.next_check_at == at(120)
    assert TENDED in looked.commands


@pytest.mark.parametrize(
    ("action", "ending"),
    [
        (MakeValue(value=1), None),
        (RUNS, ended(1, result=1)),
        (RUNS, ended(1, error="no")),
    ],
    ids=["a call", "success", "failure"],
)
def test_the_parent_is_woken_once_when_all_is_over(action, ending):
    run, commands = begun(StagePlan(name="a", action=action), parent="p")
    woken = [command for command in commands if isinstance(command, WakeParent)]
    if ending is not None:
        assert woken == []
        run, commands = decide(run, ending)
        assert WakeParent(run_id="p", at=ending.at) in commands
        assert decide(run, ending).commands == ()
    assert decide(run, TimerFired(run_id="r", at=at(9))).commands in ((), owed(run, at(9)))


def test_the_parent_is_not_woken_by_a_cancel_that_has_not_settled():
    run = begun(StagePlan(name="a", action=RUNS), parent="p").run
    decision = decide(run, CancelRequested(run_id="r", at=at(1)))
    assert not any(isinstance(command, WakeParent) for command in decision.commands)
    assert WakeParent(run_id="p", at=at(2)) in decide(decision.run, ended(2)).commands


def test_a_closing_stage_may_start_runs_and_the_run_settles_after_them():
    hook = StagePlan(name="h", action=RUNS, is_closing=True, closes_on="error", closes_for="a")
    run = begun(StagePlan(name="a", action=RUNS), hook).run
    run, commands = decide(run, ended(error="no"))
    assert (run.state, run.settled_at) == (RunState.ERROR, None)
    assert commands == (TENDED.model_copy(update={"stage": "h"}),)
    run = decide(run, ended(2, stage="h", error="this one too")).run
    assert (run.settled_at, run.error.stage) == (at(2), "a")
