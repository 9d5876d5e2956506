"""Down which runs a failure came: whose message names which, and what an item is called."""

from __future__ import annotations

import pytest

from chalicelib.core.lineage import failed_below, item_text
from chalicelib.core.plans.plan import NoAction, Plan, StagePlan
from chalicelib.core.plans.run_actions import RunsAction
from chalicelib.core.run import Run, RunError, RunState, Stage, StageStatus
from tests.unit.runs import UID, at


def a_run(for_each: str | None = "$.input", given: object = None, error: object = None) -> Run:
    stages = (
        StagePlan(name="m", action=RunsAction(kind="k", request={}, for_each=for_each)),
        StagePlan(name="n", action=NoAction()),
    )
    return Run(
        id="r", uid=UID, kind="pipeline", state=RunState.ERROR, created_at=at(0), error=error,
        plan=Plan(stages=stages, request={"input": given}),
        stages=tuple(Stage(stage_name=each.name, status=StageStatus.ERROR) for each in stages),
    )  # fmt: skip


MESSAGES = {
    "failed": ("child", "run r.m.0.x ended in ERROR (States.TaskFailed): no", "r.m.0.x"),
    "cancelled": ("child", "run r.m.0.x ended in CANCELED", "r.m.0.x"),
    "never there": ("child", "item 0: the run could not be started: run x ended in ERROR", None),
    "of itself": ("user", "run r.m.0.x ended in ERROR (States.TaskFailed): no", None),
}


@pytest.mark.parametrize(("cause", "message", "found"), MESSAGES.values(), ids=MESSAGES)
def test_the_message_names_the_run_that_it_failed_of(cause, message, found):
    error = RunError(stage="m", cause=cause, message=message)
    assert failed_below(a_run(error=error)) == found


def test_a_run_that_did_not_fail_failed_of_none():
    assert failed_below(a_run()) is None


ITEMS = {
    "a text": (["x", "ä"], 1, '"ä"'),
    "an object": ([{"a": [1]}], 0, '{"a": [1]}'),
    "a long one": (["x" * 200], 0, '"' + "x" * 79 + "…"),
    "one that is gone": ([], 0, None),
    "no list any more": ({"a": 1}, 0, None),
}


@pytest.mark.parametrize(("given", "index", "text"), ITEMS.values(), ids=ITEMS)
def test_an_item_is_told_as_json_and_cut_short(given, index, text):
    assert item_text(a_run(given=given), "m", index) == text


@pytest.mark.parametrize("stage", ["m", "n"], ids=["of one run", "of none"])
def test_a_stage_that_is_not_for_each_has_no_items(stage):
    assert item_text(a_run(for_each=None, given=[1]), stage, 0) is None
