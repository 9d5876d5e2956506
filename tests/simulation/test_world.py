"""The simulated world is as strict as AWS, and shows what it found as shortly as it can."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.core.plans.plan import JobDefinition
from chalicelib.core.run import RunState
from chalicelib.core.site import Site
from chalicelib.job_ports import JobRequest
from chalicelib.simulation.batch import StrictBatch
from chalicelib.simulation.campaign import build
from chalicelib.simulation.dice import EVERYTHING, Fault, Recipe
from chalicelib.simulation.requests import draw_request
from chalicelib.simulation.shrinking import shrink, story
from chalicelib.simulation.violations import StrictnessError
from chalicelib.simulation.world import World

CALM = frozenset[Fault]()


def a_batch() -> StrictBatch:
    return World(Recipe(1, CALM)).batch


def a_job(batch: StrictBatch, **changes: Any) -> JobRequest:
    arn = batch.define(JobDefinition(name="d", image="i"))
    told = {"name": "falsework-a-b-1", "queue": "q", "definition_arn": arn}
    return JobRequest.model_validate({**told, **changes})


TOO_MUCH = {
    "a name of 129 characters": {"name": "a" * 129},
    "a name with capital letters": {"name": "Falsework"},
    "a payload of more than 30 KiB": {"tags": {"t": "x" * 31_000}},
    "overrides of more than 8,192 bytes": {"environment": {"E": "x" * 8_200}},
    "no saved intent": {},
}


@pytest.mark.parametrize("changes", TOO_MUCH.values(), ids=TOO_MUCH)
def test_a_submission_that_must_not_be_made_is_a_violation(changes):
    batch = a_batch()
    with pytest.raises(StrictnessError):
        batch.submit(a_job(batch, **changes))


def test_asking_for_more_than_a_hundred_jobs_is_a_violation():
    with pytest.raises(StrictnessError, match="101 ids"):
        a_batch().describe([f"job-{n}" for n in range(101)])


def test_more_than_fifty_submissions_in_a_second_are_a_violation():
    batch = a_batch()
    for _ in range(50):
        with pytest.raises(StrictnessError, match="no intent"):
            batch.submit(a_job(batch))
    with pytest.raises(StrictnessError, match="more than 50"):
        batch.submit(a_job(batch))


def test_a_hundred_and_thirty_runs_of_one_second_keep_the_pace_and_the_sweep_its_hundred():
    world = World(Recipe(7, CALM), Site(check_seconds=300))
    throws = world.dice.stream("requests")
    for number in range(130):
        run_id = f"run-{number}"
        document = draw_request(throws, run_id) | {"options": {}}
        world.users.plan(document, run_id, 0.0)
    world.live()
    assert world.findings.found == []
    assert {run.state for run in world.runs()} == {RunState.SUCCESS}


def test_without_faults_every_request_succeeds_at_its_first_attempt():
    for seed in range(20):
        world = World(Recipe(seed, CALM))
        document = draw_request(world.dice.stream("requests"), "run-0") | {"options": {}}
        world.users.plan(document, "run-0", 0.0)
        world.live()
        assert world.findings.found == []
        for run in world.runs():
            assert run.state is RunState.SUCCESS
            assert all(stage.attempts <= 1 for stage in run.stages)


def test_every_kind_of_fault_strikes_in_the_fixed_seeds():
    struck: set[Fault] = set()
    for seed in range(200):
        world = build(Recipe(seed))
        world.live()
        struck |= {fault for fault, _ in world.dice.strikes_seen}
    assert struck == EVERYTHING


def a_world_with_a_fault_of_ours(recipe: Recipe) -> World:
    """Its engine is taken to be at fault when a host is lost for the second time."""
    world = build(recipe)
    end = world.batch._end

    def count(job: Any, how: Any) -> None:
        end(job, how)
        lost = [j for j in world.batch.jobs.values() if "Host EC2" in (j.seen.reason or "")]
        if len(lost) == 2:
            world.findings.violate(f"run {job.run_id} lost two hosts")

    world.batch._end = count  # type: ignore[method-assign]
    return world


def test_a_failure_shrinks_to_what_it_takes():
    seed = next(s for s in range(100) if _fails(s))
    found = shrink(seed, a_world_with_a_fault_of_ours)
    assert found is not None
    struck = [fault for fault, _ in found.strikes]
    assert struck.count(Fault.SPOT) == 2
    assert len(struck) < 6
    assert "lost two hosts" in story(found)


def _fails(seed: int) -> bool:
    world = a_world_with_a_fault_of_ours(Recipe(seed))
    world.live()
    return bool(world.findings.found)
