"""How much the sweep asks: a hundred jobs at a time, and of no run that is not due."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chalicelib import engine
from chalicelib.core.run import JobStatus
from chalicelib.ports import JobSeen
from tests.flow.worlds import World
from tests.unit import runs


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


class Watched:
    """A Batch in which every job goes on running, and that only tells how its jobs are."""

    def __init__(self):
        self.asked = []

    def describe(self, job_ids):
        self.asked.append(tuple(job_ids))
        return tuple(
            JobSeen(job_id=each, name=f"falsework-{runs.UID}-execute-2", queue="default",
                    status=JobStatus.RUNNING)
            for each in job_ids
        )  # fmt: skip

    def __getattr__(self, name):
        raise AssertionError(f"the sweep has no need of {name}")


def save_live(world, count):
    """Runs of which each has a job that runs, all of them due now."""
    run = runs.a_run(until="execute")
    for number in range(count):
        jobs = [
            job.model_copy(
                update={"job_id": f"{number}-{job.serial}", "status": JobStatus.RUNNING}
            )
            if job.stage == "execute"
            else job
            for job in run.jobs
        ]
        changes = {"id": f"r{number}", "version": 0, "jobs": tuple(jobs)}
        world.runs.save(run.model_copy(update={**changes, "next_check_at": world.now}))


@pytest.mark.parametrize(
    ("live", "calls"), [(250, [100, 100, 50]), (100, [100]), (1, [1]), (0, [])]
)
def test_the_sweep_asks_for_a_hundred_jobs_at_a_time(world, live, calls):
    save_live(world, live)
    batch = Watched()
    ports = world.ports._replace(jobs=batch)
    assert engine.sweep(ports, limit=500) == live
    assert [len(asked) for asked in batch.asked] == calls
    assert len({job_id for asked in batch.asked for job_id in asked}) == live
    assert world.runs.due(world.now) == ()


def test_a_run_that_is_not_due_costs_the_sweep_nothing(world):
    save_live(world, 3)
    run = world.runs.load("r1")
    world.runs.save(run.model_copy(update={"next_check_at": world.now + timedelta(hours=1)}))
    world.trace.clear()
    batch = Watched()
    assert engine.sweep(world.ports._replace(jobs=batch)) == 2
    assert {job_id for asked in batch.asked for job_id in asked} == {"0-2", "2-2"}
    assert world.trace.count("LocalRunStore.load") == 4
