"""Which runs of a stage stay when it begins again, purely: what ``former`` says of them."""

from __future__ import annotations

import pytest

from chalicelib.core.events import (
    CancelRequested,
    ResumeRequested,
    RollbackRequested,
    StageTried,
)
from chalicelib.core.lifecycle import decide
from chalicelib.core.lifecycle.faults import MOST_FAULTS
from chalicelib.core.run import Children, Run, RunState
from tests.unit.runs import at
from tests.unit.test_lifecycle_turns import RUNS, a_call, begun, called, gone

FIRST = Children(generation=1, attempt=1)


def failed(*before, **told) -> Run:
    """A run whose stage ``runs`` has failed with some of its runs."""
    stage = RUNS.model_copy(update={"after": tuple(each.name for each in before)})
    run = begun(*before, stage, **told)
    for each in before:
        run = called(run, 1, each.name)
    return decide(run, gone(2, error="no")).run


def resumed(run: Run, seconds: float = 3) -> Run:
    return decide(run, ResumeRequested(run_id="r", at=at(seconds))).run


def rolled_back(run: Run, stage: str) -> Run:
    return decide(run, RollbackRequested(run_id="r", at=at(3), stage=stage)).run


@pytest.mark.parametrize("before", [(), (a_call(),)], ids=["first", "after one that stays"])
def test_a_resume_keeps_them(before):
    assert resumed(failed(*before)).stage("runs").former == FIRST


def test_a_rollback_to_their_stage_keeps_none():
    assert rolled_back(failed(), "runs").stage("runs").former is None


def test_a_rollback_to_a_stage_before_theirs_keeps_none():
    assert rolled_back(failed(a_call()), "call").stage("runs").former is None


def test_a_rollback_while_they_live_keeps_none_when_they_are_gone():
    run = rolled_back(decide(begun(RUNS), CancelRequested(run_id="r", at=at(1))).run, "runs")
    run = decide(run, gone(4)).run
    assert (run.stage("runs").former, run.stage("runs").begun_at) == (None, at(4))


def test_a_resume_while_they_live_keeps_them_and_those_kept_once_are_kept_again():
    run = resumed(decide(begun(RUNS), CancelRequested(run_id="r", at=at(1))).run)
    run = decide(run, gone(4)).run
    assert run.stage("runs").former == FIRST
    assert run.stage("runs").children == Children(generation=2, attempt=1)
    run = decide(run, gone(5, generation=2, error="no")).run
    assert resumed(run, 6).stage("runs").former == Children(generation=2, attempt=1)


def test_a_closing_stage_starts_all_of_its_runs_again():
    hook = RUNS.model_copy(update={"name": "hook", "is_closing": True, "closes_on": "error"})
    run = called(begun(a_call(), hook), 1, error="no")
    run = decide(run, gone(2, "hook", result=1)).run
    assert (run.state, run.stage("hook").former) == (RunState.ERROR, FIRST)
    assert resumed(run).stage("hook").former is None


def test_runs_that_were_let_go_are_kept_as_well_if_they_succeed_all_the_same():
    run = decide(begun(RUNS), CancelRequested(run_id="r", at=at(1))).run
    about = {"run_id": "r", "stage": "runs", "generation": 1, "attempt": 1, "fault": "KeyError"}
    for minute in range(1, MOST_FAULTS + 1):
        run = decide(run, StageTried(at=at(60 * minute), **about)).run
    assert run.settled_at is not None
    assert resumed(run, 9000).stage("runs").former == FIRST
