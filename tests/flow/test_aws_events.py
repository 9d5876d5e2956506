"""Batch's events twice, late, in any order, or not at all: every job once, and the same end."""

from __future__ import annotations

import itertools
import json

import pytest

from chalicelib.core.run import RunState, StageStatus
from tests.flow.aws_worlds import (
    ORDER,
    a_request,
    assert_succeeded,
    aws_account,
    event,
    job_event,
    play,
)

EVENTS = ("RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED")


@pytest.fixture(scope="module")
def world():
    """One account for all; every test names runs of its own."""
    with aws_account() as world:
        yield world


def without_data(run_id):
    """A demand with nothing to bring home and nothing to remove."""
    parameters = {"command": ["align"], "params": {}, "inputs": [], "outputs": []}
    return a_request(run_id, execution_parameters=parameters, options={"cleanup": "never"})


@pytest.mark.parametrize("stage", ["stage-in", "execute"], ids=["a worker's", "the user's"])
def test_any_order_of_a_jobs_events_ends_its_stage_once(world, stage):
    """Every other order has every event twice. Between two of them the run's item is put back."""
    run_id = f"ordered-{stage}"
    start(world, run_id, stage)
    (job_id,) = world.waiting(run_id)
    world.finish(job_id)
    item = world.item(run_id)
    for number, order in enumerate(itertools.permutations(EVENTS)):
        world.put_back(item)
        before = world.accepted(run_id)
        for status in order:
            for _ in range(1 + number % 2):
                world.tell(job_id, status)
        run = world.run(run_id)
        assert run.stage(stage).status is StageStatus.COMPLETE, order
        assert len(run.stage(stage).history) == 1, order
        following = {"execute": 1} if stage == "stage-in" else {}
        assert world.accepted(run_id) - before == following, order


def start(world, run_id, stage):
    """Bring a run to where that stage's job waits."""
    if stage == "stage-in":
        world.submit_by_queue(a_request(run_id))
        return
    world.submit_by_queue(without_data(run_id))
    (job_id,) = world.waiting(run_id)
    world.finish(job_id)
    world.tell(job_id, "SUCCEEDED")


def test_every_event_twice(world):
    world.submit_by_queue(a_request("twice"))
    for _ in ORDER:
        (job_id,) = world.waiting("twice")
        world.finish(job_id)
        for status in EVENTS:
            told = job_event(world.jobs[job_id], status)
            world.invoke("on_job_change", told)
            world.invoke("on_job_change", told)
    assert_succeeded(world, world.run("twice"))


def test_yesterdays_events_after_the_end_change_nothing(world):
    world.submit_by_queue(a_request("over"))
    run = play(world, "over")
    for job_id, status in itertools.product(list(world.jobs), EVENTS):
        if world.jobs[job_id]["environment"]["FALSEWORK_RUN_ID"] == "over":
            world.tell(job_id, status)
    assert world.run("over") == run


def test_a_wake_up_call_is_a_sweep_of_one_run(world):
    world.submit_by_queue(a_request("woken"))
    for _ in ORDER:
        (job_id,) = world.waiting("woken")
        world.finish(job_id)
        world.pass_time()
        body = {"run_id": "woken", "at": world.now.isoformat()}
        wake = world.lambdas.events.generate_sqs_event([json.dumps(body)])
        assert world.invoke("on_wake", wake) is None
        assert world.invoke("on_wake", wake) is None
    assert_succeeded(world, world.run("woken"))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"jobName": "falsework-nothing-of-ours"}, id="no name of ours"),
        pytest.param({"container": {"environment": []}}, id="no run"),
        pytest.param(
            {"container": {"environment": [{"name": "FALSEWORK_RUN_ID", "value": "gone"}]}},
            id="a run that is not there",
        ),
        pytest.param({"arrayProperties": {"index": 1}}, id="a child of an array"),
    ],
)
def test_what_is_about_nothing_that_we_know_is_left(world, changes):
    world.submit_by_queue(without_data("quiet"))
    before = world.run("quiet")
    job = next(j for j in world.jobs.values() if j["environment"]["FALSEWORK_RUN_ID"] == "quiet")
    detail = {**job_event(job, "SUCCEEDED")["detail"], **changes}
    told = event("aws.batch", "Batch Job State Change", detail)
    assert world.invoke("on_job_change", told) is None
    assert world.run("quiet") == before


def test_a_job_with_the_name_of_another_is_stopped_and_moves_nothing(world):
    world.submit_by_queue(without_data("copied"))
    (job_id,) = world.waiting("copied")
    copy = {**world.jobs[job_id], "id": "another"}
    world.invoke("on_job_change", job_event(copy, "SUCCEEDED"))
    run = world.run("copied")
    assert run.state is RunState.RUNNING
    assert [job.is_own for job in run.jobs if job.serial == 1] == [True, False]
