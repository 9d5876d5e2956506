"""A pipeline, its runs and their runs survive the engine's death before and after any call.

However it died, the pipeline comes to its result, each of its runs was there once, and each job
was accepted once.
"""

from __future__ import annotations

import itertools
import json
from contextlib import suppress

import pytest

from chalicelib import calls, engine, kinds
from chalicelib.core.run import RunState
from chalicelib.kinds import connected
from tests.flow.aws_worlds import IMAGE, AwsWorld, aws_account, messages
from tests.flow.pipeline_parts import hook, pipeline, ran, says, value
from tests.flow.worlds import Killed, World

ENOUGH_ROUNDS = 40
LETTERS = str.maketrans("0189", "bcde")


def document(run_id="p1"):
    """Two runs one after the other, a run that has a job, a hook of a run, and a value."""
    return pipeline(
        ran("m", says("$.item"), for_each="$.input", at_once=1),
        ran("j", {"stages": [{"name": "i", "kind": "batch-job", "request": {"image": IMAGE}}]},
            status={"completed": hook(says("done"))}),
        value("end", "$.stages.m.result"),
        input=[1, 2],
    ) | {"run_id": run_id}  # fmt: skip


CHILDREN = 5
"""Its runs and theirs: two of ``m``, one of ``j``, of ``i`` within that, and of the hook."""


def assert_came_to_its_end(runs, run_id):
    """No run is there twice, and none is forgotten."""
    run = runs.load(run_id)
    assert (run.state, run.settled_at is None) == (RunState.SUCCESS, False), run
    assert run.stage("end").result == [1, 2]
    family = [each for each in runs.list(limit=100).runs if each.id.startswith(f"{run_id}.")]
    assert len(family) == CHILDREN, [each.id for each in family]
    assert all(each.settled_at and each.state is RunState.SUCCESS for each in family)


def connected_world(root):
    world = World(root)
    numbers = itertools.count(2222222)
    world.ports = connected(world.ports)._replace(
        mint_uid=lambda: f"{next(numbers):a>20}".translate(LETTERS)
    )
    return world


def live(world, *, is_lossy):
    """Play it through at most one death."""
    for _ in range(2):
        with suppress(Killed):
            kinds.submit_pipeline(document(), world.ports)
            break
    for _ in range(ENOUGH_ROUNDS):
        with suppress(Killed):
            for job in world.batch.finish():
                event = calls.job_changed(job, job.run_id, world.now)
                if not is_lossy:
                    engine.handle(event, world.ports)
            world.pass_time()
            engine.sweep(world.ports)
        if world.runs.load("p1").settled_at is not None:
            return


@pytest.mark.parametrize(
    "step", [4, pytest.param(1, marks=pytest.mark.campaign)], ids=["a sample", "every call"]
)
@pytest.mark.parametrize("is_lossy", [False, True], ids=["events arrive", "events are lost"])
@pytest.mark.parametrize("dies_after", [False, True], ids=["before", "after"])
def test_a_pipeline_survives_death_at_any_call(tmp_path, dies_after, is_lossy, step):
    dry = connected_world(tmp_path / "dry")
    live(dry, is_lossy=is_lossy)
    assert_came_to_its_end(dry.runs, "p1")
    assert len(dry.trace) > 100
    for die_at, name in list(enumerate(dry.trace, 1))[is_lossy::step]:
        world = connected_world(tmp_path / str(die_at))
        world.die_at, world.dies_after = die_at, dies_after
        live(world, is_lossy=is_lossy)
        assert world.calls >= die_at
        try:
            assert_came_to_its_end(world.runs, "p1")
        except AssertionError as exc:
            raise AssertionError(f"call {die_at}, {name}") from exc
        assert world.batch.accepted == {"submit": 1}, f"call {die_at}, {name}"


class TestOnAws:
    @pytest.fixture
    def world(self):
        with aws_account() as world:
            yield world

    def play(self, world: AwsWorld, run_id: str, *, is_woken: bool) -> None:
        """Submit it and let AWS do its part; without wake-ups the sweep has to do."""
        for _ in range(2):
            with suppress(Killed):
                world.restart()
                world.submit_by_queue({"kind": "pipeline", **document(run_id)})
                break
        for _ in range(ENOUGH_ROUNDS):
            with suppress(Killed):
                self.round(world, is_woken=is_woken)
                if world.run(run_id).settled_at is not None:
                    return
                continue
            world.restart()

    def round(self, world: AwsWorld, *, is_woken: bool) -> None:
        woken = world.received("wake")
        for job_id in [job for job in world.jobs if world.status(job) == "RUNNABLE"]:
            world.finish(job_id)
            if is_woken:
                world.tell(job_id, "SUCCEEDED")
        if is_woken and woken:
            world.invoke("on_wake", messages(*(message["Body"] for message in woken)))
        else:
            world.pass_time(61)
            world.sweep()

    @pytest.mark.parametrize("is_woken", [True, False], ids=["woken", "swept"])
    def test_a_pipeline_comes_in_by_the_queue_and_to_its_end(self, world, is_woken):
        self.play(world, "p1", is_woken=is_woken)
        assert_came_to_its_end(world.home.ports.runs, "p1")
        assert len(world.jobs) == 1

    def test_who_ends_wakes_its_parent_and_nothing_has_to_be_swept(self, world):
        world.submit_by_queue({"kind": "pipeline", **document()})
        for _ in range(ENOUGH_ROUNDS):
            woken = world.received("wake")
            told = [json.loads(message["Body"])["run_id"] for message in woken]
            assert all(each.startswith("p1") for each in told)
            for job_id in [job for job in world.jobs if world.status(job) == "RUNNABLE"]:
                world.finish(job_id)
                world.tell(job_id, "SUCCEEDED")
            if woken:
                world.invoke("on_wake", messages(*(message["Body"] for message in woken)))
        assert_came_to_its_end(world.home.ports.runs, "p1")

    @pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
    def test_it_survives_death_at_calls_to_aws(self, world, is_after):
        world.dying.reset()
        self.play(world, "dry", is_woken=True)
        trace = list(enumerate(world.dying.trace, 1))
        assert_came_to_its_end(world.home.ports.runs, "dry")
        assert len(trace) > 100
        for at, name in trace[:: len(trace) // 5]:
            world.dying.reset(at, is_after=is_after)
            self.play(world, f"run{at}", is_woken=True)
            assert len(world.dying.trace) >= at
            world.dying.reset()
            assert_came_to_its_end(world.home.ports.runs, f"run{at}")
            jobs = [job for job in world.jobs.values() if f"run{at}." in str(job["environment"])]
            assert len(jobs) == 1, f"call {at}, {name}"
