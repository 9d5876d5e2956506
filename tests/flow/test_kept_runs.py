"""A stage that begins again keeps those of its runs that succeeded, and starts the others."""

from __future__ import annotations

import pytest

from chalicelib import engine, perform
from chalicelib.accepting import begin_again
from chalicelib.child_progress import partition_of
from chalicelib.children import page_of
from chalicelib.core.errors import Conflict
from chalicelib.core.events import CancelRequested, ResumeRequested, RollbackRequested
from chalicelib.core.plans.plan import RetryPolicy, StagePlan
from chalicelib.core.plans.run_actions import MakeValue
from chalicelib.core.run import RunState
from tests.flow.families import Family, each
from tests.flow.test_engine import Altered

PICKY = {"picky": "$.item", "value": "$.item"}


@pytest.fixture
def family(tmp_path):
    return Family(tmp_path)


def settle(family):
    """Let time pass until all that was cancelled has settled."""
    for _ in range(7):
        family.world.pass_time(2000)
        engine.sweep(family.world.ports, everything=True)
    assert family.parent.settled_at is not None
    return family.parent


def resume(family, run_id="p"):
    event = ResumeRequested(run_id=run_id, at=family.world.now)
    begin_again(event, family.world.ports)


def started_since(family, before):
    return len(set(family.started) - set(before))


def failed_at(family, *broken, **fields):
    """A run of five items, of which these have failed, one at a time."""
    family.broken = list(broken)
    family.begin(each(request=PICKY, at_once=1, **fields), given=[10, 11, 12, 13, 14])
    run = settle(family)
    assert run.state is RunState.ERROR
    return list(family.started)


def test_a_resume_starts_what_has_not_succeeded_and_has_all_results(family):
    before = failed_at(family, 13)
    assert len(set(before)) == 4
    family.broken = []
    resume(family)
    run = settle(family)
    assert run.state is RunState.SUCCESS
    assert run.stage("each").result == [10, 11, 12, 13, 14]
    assert started_since(family, before) == 2


def test_what_was_kept_once_is_kept_again(family):
    before = failed_at(family, 12)
    family.broken = [14]
    resume(family)
    assert settle(family).state is RunState.ERROR
    assert started_since(family, before) == 3
    before = list(family.started)
    family.broken = []
    resume(family)
    run = settle(family)
    assert run.stage("each").result == [10, 11, 12, 13, 14]
    assert started_since(family, before) == 1


def test_a_run_that_was_mended_by_itself_is_kept(family):
    """Its own resume came first, and there it succeeded."""
    before = failed_at(family, 10)
    child = family.started[0]
    plan = family.world.runs.load(child)
    assert plan.state is RunState.ERROR
    mended = StagePlan(name="only", action=MakeValue(value="mended"))
    broken = family.world.runs.load

    def load(run_id):
        run = broken(run_id)
        if run_id != child:
            return run
        return run.model_copy(
            update={"plan": run.plan.model_copy(update={"stages": (mended,)})}
        )  # fmt: skip

    family.world.runs.load = load
    family.world.ports = family.world.ports._replace(runs=family.world.runs)
    resume(family, child)
    assert load(child).state is RunState.SUCCESS
    resume(family)
    assert settle(family).stage("each").result == ["mended", 11, 12, 13, 14]
    assert started_since(family, before) == 4


def test_a_rollback_starts_all_of_them_again(family):
    before = failed_at(family, 14)
    family.broken = []
    event = RollbackRequested(run_id="p", at=family.world.now, stage="each")
    begin_again(event, family.world.ports)
    assert settle(family).state is RunState.SUCCESS
    assert started_since(family, before) == 5


def test_a_rollback_to_what_they_refer_to_starts_them_again_later_too(family):
    family.broken = [13]
    family.begin(
        StagePlan(name="u", action=MakeValue(value="$.input")),
        each(request=PICKY, at_once=1, after=("u",)),
        given=[10, 11, 12, 13],
    )
    settle(family)
    before = list(family.started)
    rollback = RollbackRequested(run_id="p", at=family.world.now, stage="u")
    family.broken = [10]
    begin_again(rollback, family.world.ports)
    assert settle(family).state is RunState.ERROR
    assert started_since(family, before) == 1
    family.broken = []
    resume(family)
    assert settle(family).state is RunState.SUCCESS
    assert started_since(family, before) == 5


def test_another_attempt_of_the_same_stage_keeps_them(family):
    family.broken = [12]
    stage = each(request=PICKY, at_once=1)
    family.begin(stage, given=[10, 11, 12], retry_policy=RetryPolicy.STAGE, max_attempts=2)
    for _ in range(2):
        family.look()
    before = list(family.started)
    family.broken = []
    run = settle(family)
    assert (run.state, run.stage("each").attempts) == (RunState.SUCCESS, 2)
    assert started_since(family, before) == 1


def test_a_cancel_keeps_what_was_done_before_it(family):
    request = {"value": "$.item.n", "is_slow": "$.item.slow"}
    items = [{"n": 1, "slow": False}, {"n": 2, "slow": True}]
    family.begin(each(request=request), given=items)
    engine.handle(CancelRequested(run_id="p", at=family.world.now), family.world.ports)
    settle(family)
    before = list(family.started)
    resume(family)
    family.look()
    assert started_since(family, before) == 1


MIXED = [{"n": 1, "slow": False}, {"n": 2, "slow": True}]


def cancelled_a_moment_ago(family):
    """One of its two runs has succeeded, and the other has yet to settle."""
    family.begin(each(request={"value": "$.item.n", "is_slow": "$.item.slow"}), given=MIXED)
    engine.handle(CancelRequested(run_id="p", at=family.world.now), family.world.ports)
    assert family.parent.settled_at is None
    return list(family.started)


def test_a_resume_before_all_have_settled_keeps_them_too(family):
    before = cancelled_a_moment_ago(family)
    resume(family)
    for _ in range(3):
        family.world.pass_time(2000)
        engine.sweep(family.world.ports, everything=True)
    assert started_since(family, before) == 1


def test_a_rollback_before_all_have_settled_keeps_none(family):
    before = cancelled_a_moment_ago(family)
    rollback = RollbackRequested(run_id="p", at=family.world.now, stage="each")
    begin_again(rollback, family.world.ports)
    for _ in range(3):
        family.world.pass_time(2000)
        engine.sweep(family.world.ports, everything=True)
    assert started_since(family, before) == 2


def test_an_attempt_that_is_cancelled_before_anybody_looked_forgets_nothing(family, monkeypatch):
    before = failed_at(family, 13)
    family.broken = []
    with monkeypatch.context() as patch:
        patch.setattr(perform.child_runs, "tend", lambda command, run, ports: [])
        resume(family)
    engine.handle(CancelRequested(run_id="p", at=family.world.now), family.world.ports)
    settle(family)
    resume(family)
    assert settle(family).stage("each").result == [10, 11, 12, 13, 14]
    assert started_since(family, before) == 2


def test_a_list_that_has_become_another_keeps_nothing(family):
    """It never does, as long as nothing that it refers to is done again."""
    before = failed_at(family, 13)
    partition = partition_of(family.parent)
    documents = family.world.ports.documents
    (kept,) = documents.list(partition)
    documents.save(partition, kept.key, {**kept.content, "count": 6}, version=kept.version)
    family.broken = []
    resume(family)
    assert settle(family).state is RunState.SUCCESS
    assert started_since(family, before) == 5


def test_a_hook_that_follows_a_failure_runs_again_after_the_next_one(family):
    hook = StagePlan(
        name="hook", is_closing=True, closes_on="error", action=each(for_each=None).action
    )
    hook = hook.model_copy(
        update={"action": hook.action.model_copy(update={"request": {"value": 1}})}
    )
    family.broken = [1]
    family.begin(each(request=PICKY), hook, given=[1])
    settle(family)
    before = list(family.started)
    resume(family)
    assert settle(family).state is RunState.ERROR
    assert started_since(family, before) == 2


def test_a_list_of_runs_says_no_items_of_before_a_rollback(family):
    failed_at(family, 11)
    family.broken = []
    begin_again(
        RollbackRequested(run_id="p", at=family.world.now, stage="each"), family.world.ports
    )
    settle(family)
    page = page_of(family.parent, family.world.ports, cursor=None, limit=100)
    assert {child.generation: child.item is None for child in page.children} == {1: True, 2: False}


def test_a_list_of_runs_names_each_once_where_it_was_started(family):
    failed_at(family, 13)
    family.broken = []
    resume(family)
    settle(family)
    page = page_of(family.parent, family.world.ports, cursor=None, limit=100)
    listed = [(child.generation, child.index, child.item) for child in page.children]
    old = [(1, index, str(10 + index)) for index in range(4)]
    assert listed == [*old, (2, 3, "13"), (2, 4, "14")]
    assert all(child.state is not None for child in page.children)


def test_a_run_that_ends_while_it_is_asked_to_go_on_passes_no_check_by_that(family):
    """It was still under way when it was looked at, and had ended when it was to begin again."""
    family.begin(each(request={"is_failing": True}), given=[1])
    run = settle(family)
    load = family.world.ports.runs.load
    seen = iter([run.model_copy(update={"state": RunState.RUNNING, "settled_at": None})])
    changed = Altered(
        family.world.ports.runs, load=lambda run_id: next(seen, None) or load(run_id)
    )
    family.world.ports = family.world.ports._replace(runs=changed)
    with pytest.raises(Conflict, match="only a run that has ended"):
        resume(family)
    assert family.parent == run
