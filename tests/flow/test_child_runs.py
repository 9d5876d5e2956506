"""A run that starts others: whatever dies or is late, each is started once and waited for."""

from __future__ import annotations

import itertools
from contextlib import suppress

import pytest

from chalicelib import child_runs, children, engine, perform
from chalicelib.core.commands import TendRuns
from chalicelib.core.errors import Conflict, Refused, StaleRun
from chalicelib.core.events import CancelRequested
from chalicelib.core.plans.plan import NoAction, StagePlan
from chalicelib.core.plans.run_actions import Case, Choose, Chosen, MakeValue
from chalicelib.core.run import RunState, StageStatus
from tests.flow.families import Family, each
from tests.flow.test_engine import Altered
from tests.flow.worlds import Killed


@pytest.fixture
def family(tmp_path):
    return Family(tmp_path)


def test_a_run_is_started_for_each_item_and_their_results_are_the_stages(family):
    family.begin(each(), given=[3, 1, 2])
    run = family.look()
    assert run.state is RunState.SUCCESS
    assert run.stage("each").result == [3, 1, 2]
    assert len(family.started) == len(set(family.started)) == 3


def test_no_more_than_so_many_are_under_way(family):
    family.begin(each(request={"is_slow": True}, at_once=2), given=[1, 2, 3])
    family.look()
    assert len(set(family.started)) == 2


def test_an_empty_list_is_done_at_once(family):
    family.begin(each(), given=[])
    assert (family.look().state, family.parent.stage("each").result) == (RunState.SUCCESS, [])


def test_results_go_from_stage_to_stage(family):
    family.begin(
        StagePlan(name="a", action=MakeValue(value={"n": "$.input"})),
        each("b", ("a",), for_each=None, request={"value": "$.stages.a.result.n"}),
        given=7,
    )
    assert family.look().stage("b").result == 7


def test_a_failure_cancels_the_others_and_is_told(family):
    request = {"is_slow": "$.item.slow", "is_failing": "$.item.fails"}
    items = [{"slow": True, "fails": False}, {"slow": False, "fails": True}]
    family.begin(each(request=request), given=items)
    family.look()
    family.world.pass_time(2000)
    for run_id in set(family.started):
        family.look(run_id)
    run = family.look()
    assert (run.state, run.error.cause) == (RunState.ERROR, "child")
    assert "NoChoiceMatched" in run.error.message
    assert run.settled_at is not None
    states = {family.world.runs.load(run_id).state for run_id in set(family.started)}
    assert states == {RunState.ERROR, RunState.CANCELED}


def test_a_hook_may_fail(family):
    hook = each("hook", for_each=None, request={"is_failing": True}, may_fail=True)
    family.begin(hook, StagePlan(name="z", after=("hook",), action=NoAction()))
    run = family.look()
    assert run.state is RunState.SUCCESS
    assert run.stage("hook").result["Error"] == "States.TaskFailed"


def test_what_cannot_be_started_fails_the_stage(family):
    family.begin(each(request={"is_bad": True}), given=[1])
    assert "item 0: the run could not be started: nobody wants it" in family.look().error.message


@pytest.mark.parametrize(
    "error", [StaleRun("others were faster"), Refused("no")], ids=["saved by others", "refused"]
)
def test_one_that_met_trouble_after_it_was_saved_is_waited_for(family, error):
    start = family.start

    def troubled(kind, document, ports):
        start(kind, document, ports)
        raise error

    family.world.ports = family.world.ports._replace(start=troubled)
    with suppress(StaleRun):
        family.begin(each(request={"is_slow": True}), given=[1, 2])
    for _ in range(3):
        run = family.look()
    assert (run.state, run.settled_at) == (RunState.RUNNING, None)
    assert len(children.waited_for(run, family.world.ports)["each"]) == 2


def test_who_cancels_waits_the_grace_before_he_looks_and_not_meanwhile(family):
    """He sleeps while he looks: what was not there then may have been started since."""
    family.begin(each(for_each=None, request={"is_never": True}))
    family.world.pass_time(955)
    load, world = family.world.ports.runs.load, family.world

    def slow_load(run_id):
        if run_id != "p":
            world.pass_time(10)
        return load(run_id)

    ports = family.world.ports
    family.world.ports = ports._replace(runs=Altered(ports.runs, load=slow_load))
    cancel = CancelRequested(run_id="p", at=family.world.now)
    assert engine.handle(cancel, family.world.ports).settled_at is None
    assert family.look().settled_at is not None


def test_a_cancel_reaches_the_runs_and_the_parent_settles_after_them(family):
    family.begin(each(request={"is_slow": True}), given=[1, 2])
    family.look()
    engine.handle(CancelRequested(run_id="p", at=family.world.now), family.world.ports)
    assert family.parent.state is RunState.CANCELED
    states = [family.world.runs.load(run_id).state for run_id in set(family.started)]
    assert states == [RunState.CANCELED] * 2
    assert family.parent.settled_at is None
    family.world.pass_time(2000)
    for run_id in set(family.started):
        family.look(run_id)
    assert family.look().settled_at is not None


def test_who_dies_anywhere_starts_nothing_twice_and_forgets_nothing(tmp_path):
    def play(root, die_at):
        family = Family(root)
        family.world.die_at = die_at
        died = False
        try:
            family.begin(each(at_once=2), given=[1, 2, 3])
        except Killed:
            died = True
        for _ in range(12):
            family.world.pass_time()
            try:
                family.begin(each(at_once=2), given=[1, 2, 3])
                engine.sweep(family.world.ports, everything=True)
            except Killed:
                died = True
        return family, died

    for die_at in itertools.count(1):
        family, died = play(tmp_path / str(die_at), die_at)
        run = family.parent
        assert run.state is RunState.SUCCESS, die_at
        assert run.stage("each").result == [1, 2, 3]
        assert len(set(family.started)) == 3
        if not died:
            break
    assert die_at > 20


def test_who_is_late_starts_nothing(family, monkeypatch):
    """He has loaded the run before it was cancelled; since then it has settled."""
    with monkeypatch.context() as patch:
        patch.setattr(perform.child_runs, "tend", lambda command, run, ports: [])
        old = family.begin(each(), given=[1, 2])
    engine.handle(CancelRequested(run_id="p", at=family.world.now), family.world.ports)
    assert family.look().settled_at is not None
    command = TendRuns(stage="each", generation=1, attempt=1, is_over=False)
    assert child_runs.tend(command, old, family.world.ports) == []
    assert family.started == []


def test_a_choice_leaves_the_other_branch_out(family):
    rule = {"Variable": "$.input", "NumericGreaterThan": 5}
    choice = Choose(cases=(Case(when=rule, then="big"),), default="small")
    family.begin(
        StagePlan(name="c", action=choice),
        StagePlan(name="b", after=("c",), when=Chosen(stage="c", branch="big"),
                  action=MakeValue(value="b")),
        StagePlan(name="s", after=("c",), when=Chosen(stage="c", branch="small"),
                  action=MakeValue(value="s")),
        given=9,
    )  # fmt: skip
    run = family.look()
    assert [run.stage(name).result for name in "cbs"] == ["big", "b", None]
    assert run.stage("s").history[0].message == "not chosen"


@pytest.mark.parametrize(("ends_in", "ran"), [("error", True), ("success", False)])
def test_a_closing_stage_may_belong_to_one_end(family, ends_in, ran):
    family.begin(
        StagePlan(name="task", action=Choose(cases=())),
        StagePlan(name="hook", is_closing=True, closes_on=ends_in, action=MakeValue(value=1)),
    )
    run = family.look()
    assert run.state is RunState.ERROR
    assert (run.stage("hook").status is StageStatus.COMPLETE) is ran
    assert run.settled_at is not None


def test_a_timeout_cancels_what_was_started(family):
    slow = each(request={"is_slow": True}).model_copy(update={"timeout_seconds": 5})
    family.begin(slow, given=[1])
    family.look()
    family.world.pass_time(100)
    run = family.look()
    assert (run.state, run.error.cause) == (RunState.ERROR, "timeout")
    assert family.world.runs.load(family.started[0]).state is RunState.CANCELED
    with pytest.raises(Conflict):
        family.world.runs.delete("p")
