"""What the embedded run store remembers is what anybody else reads."""

from __future__ import annotations

import pytest

from chalicelib.core.errors import StaleRun
from chalicelib.core.plans.plan import NoAction, Plan, StagePlan
from chalicelib.core.run import RunState, Stage
from chalicelib.local.database import Database
from chalicelib.local.run_store import LocalRunStore
from chalicelib.recent import Recent
from tests.contract.openers import NOON, a_run

PLAN = Plan(stages=(StagePlan(name="one", action=NoAction()),), request={"a": [1, None, {}]})


@pytest.fixture
def stores(tmp_path):
    """Two processes' stores on one file."""
    databases = [Database(tmp_path), Database(tmp_path)]
    yield [LocalRunStore(database) for database in databases]
    for database in databases:
        database.close()


def test_what_was_saved_here_is_what_another_process_reads(stores):
    here, there = stores
    stage = Stage(stage_name="one", begun_at=NOON, result={"a": [1, 2.5, None, {"b": "é"}]})
    saved = here.save(a_run(plan=PLAN, stages=(stage,), outputs={"out": {"files": 1}}))
    saved = here.save(saved.model_copy(update={"state": RunState.RUNNING}))
    assert here.load("r1") == saved == there.load("r1")


def test_what_another_process_saved_is_seen(stores):
    here, there = stores
    here.save(a_run(plan=PLAN))
    changed = there.save(there.load("r1").model_copy(update={"state": RunState.RUNNING}))
    assert here.load("r1") == changed


def test_a_row_that_has_not_changed_is_not_read_into_a_run_again(stores):
    here, there = stores
    saved = here.save(a_run(plan=PLAN))
    assert here.load("r1") is saved
    assert there.load("r1") is there.load("r1")


def test_the_stored_plan_counts_whatever_a_later_save_says(stores):
    here, _ = stores
    saved = here.save(a_run(plan=PLAN))
    here.save(saved.model_copy(update={"plan": Plan(stages=())}))
    assert here.load("r1").plan == PLAN


def test_a_save_that_was_lost_is_not_remembered(stores):
    here, there = stores
    saved = here.save(a_run(plan=PLAN))
    there.save(there.load("r1").model_copy(update={"state": RunState.RUNNING}))
    with pytest.raises(StaleRun):
        here.save(saved.model_copy(update={"state": RunState.ERROR}))
    assert here.load("r1").state is RunState.RUNNING


def test_the_entry_that_was_used_longest_ago_is_forgotten():
    recent = Recent(2)
    recent.put("a", 1)
    recent.put("b", 2)
    assert recent.get("a") == 1
    recent.put("c", 3)
    assert [recent.get(key) for key in "abc"] == [1, None, 3]
