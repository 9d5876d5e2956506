"""How much the sweep asks: a hundred jobs at a time, and of no run that is not due."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chalicelib import engine
from chalicelib.core.errors import NotFound
from chalicelib.core.job_state import JobStatus
from chalicelib.job_ports import JobSeen
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


def test_runs_that_nobody_can_load_do_not_keep_the_others_from_being_swept(world):
    """Their plans are gone; they stay due, and come first."""
    save_live(world, 3)
    unloadable = {f"gone{number}" for number in range(7)}
    for run_id in sorted(unloadable):
        run = world.runs.load("r0").model_copy(update={"id": run_id, "version": 0})
        world.runs.save(run.model_copy(update={"next_check_at": world.now - timedelta(days=1)}))
    batch = Watched()
    ports = world.ports._replace(jobs=batch, runs=Unloadable(world.runs, unloadable))
    assert engine.sweep(ports, limit=2) == 8
    assert engine.sweep(ports, limit=5) == 9
    assert [job_id for asked in batch.asked for job_id in asked] == ["0-2", "1-2", "2-2"]


def test_everything_is_swept_once_in_a_sweep_of_everything(world):
    save_live(world, 7)
    batch = Watched()
    assert engine.sweep(world.ports._replace(jobs=batch), limit=3, everything=True) == 3
    assert engine.sweep(world.ports._replace(jobs=batch), limit=100, everything=True) == 7


class Unloadable:
    """A store that has lost some runs' plans."""

    def __init__(self, runs, lost):
        self._runs = runs
        self._lost = lost

    def load(self, run_id):
        if run_id in self._lost:
            raise NotFound(f"the plan of run {run_id!r} is gone")
        return self._runs.load(run_id)

    def __getattr__(self, name):
        return getattr(self._runs, name)
