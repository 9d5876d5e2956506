"""A stage whose work is divided: planner, arrays of what is left, finish."""

from __future__ import annotations

import pytest

from chalicelib.core.commands import StartJob
from chalicelib.core.events import OutcomeRead
from chalicelib.core.lifecycle.attempts import MAX_SPOILT
from chalicelib.core.limits import BATCH_ARRAY_CHILDREN
from chalicelib.core.plans.plan import Plan, StagePlan
from chalicelib.core.run import RunState
from tests.unit.runs import GRACE, at, worker
from tests.unit.test_lifecycle_attempts import Player, attempts, statuses


def a_player(**plan):
    action = worker("sync").model_copy(update={"fan_out": worker("sync-batch")})
    stages = (StagePlan(name="sync", action=action),)
    told = {"stages": stages, "submit_grace_seconds": GRACE, "check_seconds": 30, **plan}
    return Player(Plan.model_validate(told))


def do(player, exit_code=0, **told):
    """Let the stage's next job be submitted, end, and be read."""
    serial = player.submit()
    player.end(serial, exit_code)
    about = {"run_id": "r1", "at": at(player.now), "stage": "sync", "serial": serial}
    player.apply(OutcomeRead.model_validate({**about, **told}))
    return player.run


def divide(player, batches):
    return do(player, is_written=True, result={"batches": batches, "plan": "s3://f/plan/"})


def finish(player):
    return do(player, is_written=True, result={"bytes": 7})


def children(run):
    return [(job.children, job.follows) for job in run.jobs]


def test_what_fits_one_job_needs_no_other():
    run = finish(a_player())
    assert (run.state, run.stages[0].result, len(run.jobs)) == (RunState.SUCCESS, {"bytes": 7}, 1)


def test_what_does_not_is_divided_done_and_finished():
    player = a_player()
    divide(player, 3)
    assert (statuses(player.run), attempts(player.run)) == (["RUNNING"], (1,))
    do(player, batches_left=0)
    run = finish(player)
    assert (run.state, run.stages[0].result, attempts(run)) == (
        RunState.SUCCESS,
        {"bytes": 7},
        (1,),
    )
    assert children(run) == [(None, None), (3, None), (None, run.jobs[1].name)]


def test_only_the_batches_that_failed_are_done_again_and_for_free():
    player = a_player(retry_policy="NONE")
    divide(player, 5)
    run = do(player, exit_code=1, batches_left=1)
    assert statuses(run) == ["RETRY"]
    assert run.stages[0].history[-1].message.startswith("1 of 5 batches failed")
    player.wait()
    do(player, batches_left=0)
    run = finish(player)
    assert (run.state, attempts(run)) == (RunState.SUCCESS, (2,))
    assert children(run)[2] == (1, run.jobs[1].name)


def test_an_array_that_ended_well_and_left_some_undone_did_not_do_its_part():
    player = a_player()
    divide(player, 5)
    assert statuses(do(player, batches_left=2)) == ["RETRY"]


def test_more_than_an_array_holds_are_several_one_after_the_other():
    player = a_player()
    divide(player, BATCH_ARRAY_CHILDREN + 2)
    assert statuses(do(player, batches_left=2)) == ["RUNNING"]
    do(player, batches_left=0)
    run = finish(player)
    assert (run.state, attempts(run)) == (RunState.SUCCESS, (1,))
    assert [count for count, _ in children(run)] == [None, BATCH_ARRAY_CHILDREN, 2, None]


def test_batches_that_fail_again_and_again_end_the_stage():
    player = a_player()
    divide(player, 2)
    for _ in range(MAX_SPOILT + 1):
        do(player, exit_code=1, batches_left=1)
        player.wait()
    assert (player.run.state, player.run.error.cause) == (RunState.ERROR, "worker")


def test_what_the_user_must_mend_ends_the_stage_at_once():
    player = a_player()
    divide(player, 2)
    run = do(player, exit_code=1, error="a is gone", batches_left=1)
    assert (run.state, run.error.message) == (RunState.ERROR, "a is gone")


def test_a_finish_that_fails_is_made_again_without_the_batches():
    player = a_player()
    divide(player, 2)
    do(player, batches_left=0)
    do(player, exit_code=2)
    player.wait()
    assert [c for c in player.commands if isinstance(c, StartJob)]
    run = finish(player)
    assert (run.state, [count for count, _ in children(run)]) == (
        RunState.SUCCESS,
        [None, 2, None, None],
    )


@pytest.mark.parametrize("result", [None, 7, [], {}, {"bytes": 1}])
def test_a_result_that_names_no_batches_is_the_result(result):
    run = do(a_player(), is_written=True, result=result)
    assert (run.state, run.stages[0].result) == (RunState.SUCCESS, result)


def test_nothing_to_do_is_a_plan_of_no_batches():
    player = a_player()
    divide(player, 0)
    assert finish(player).state is RunState.SUCCESS
    assert children(player.run) == [(None, None), (None, None)]
