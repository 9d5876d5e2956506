"""What the engine does when the world answers late, twice, or not at all."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from chalicelib import calls, engine
from chalicelib.core.errors import Refused, StaleRun, TurnedAway, Unavailable
from chalicelib.core.events import CancelRequested, TimerFired
from chalicelib.core.job_state import JobStatus
from chalicelib.core.run import Run, RunState, StageStatus
from tests.flow.worlds import World, a_demand

ROUNDS = 12


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


class Altered:
    """A port with one method of the test's own."""

    def __init__(self, port: Any, **methods: Any) -> None:
        self._port = port
        self._methods = methods

    def __getattr__(self, name: str) -> Any:
        return self._methods.get(name) or getattr(self._port, name)


def alter(world: World, port: str, **methods: Any) -> None:
    changed = Altered(getattr(world.ports, port), **methods)
    world.ports = world.ports._replace(**{port: changed})


def live(world: World) -> Run:
    for _ in range(ROUNDS):
        world.deliver("e1")
        world.pass_time()
        engine.sweep(world.ports)
    return world.runs.load("e1")


def assert_every_job_once(world: World) -> None:
    assert set(world.batch.accepted.values()) == {1}
    assert len(world.batch.accepted) == 4


def test_a_process_that_sleeps_through_half_the_grace_does_not_submit(world):
    save = world.ports.runs.save

    def slow_save(run: Run) -> Run:
        saved = save(run)
        if run.serial == 1 and run.job("stage-in").job_id is None:
            world.pass_time(6)
        return saved

    alter(world, "runs", save=slow_save)
    world.submit(a_demand())
    assert world.batch.accepted == {}
    alter(world, "runs", save=save)
    assert live(world).state is RunState.SUCCESS
    assert_every_job_once(world)


@pytest.mark.parametrize("has_effect", [False, True], ids=["not accepted", "accepted"])
def test_an_unanswered_submission_is_looked_up_and_never_repeated_blindly(world, has_effect):
    submit = world.ports.jobs.submit

    def unanswered(job: Any) -> str:
        alter(world, "jobs", submit=submit)
        if has_effect:
            submit(job)
        raise Unavailable("timed out")

    alter(world, "jobs", submit=unanswered)
    run = world.submit(a_demand())
    assert run.job("stage-in").job_id is None
    for _ in range(3):  # within the grace the sweep only looks
        world.pass_time(2)
        engine.handle(TimerFired(run_id="e1", at=world.now), world.ports)
        assert sum(world.batch.accepted.values()) == int(has_effect)
    assert live(world).state is RunState.SUCCESS
    assert_every_job_once(world)


def test_an_unanswered_submission_asks_to_be_woken_when_its_grace_ends(world):
    def unanswered(_job: Any) -> str:
        raise Unavailable("timed out")

    alter(world, "jobs", submit=unanswered)
    world.submit(a_demand())
    world.pass_time(9)
    assert world.timers.take_due(world.now) == ()
    world.pass_time(2)
    assert world.timers.take_due(world.now) == ("e1",)


def test_a_submission_that_was_turned_away_is_made_again_soon_and_not_looked_for(world):
    submit = world.ports.jobs.submit
    turned_away = []

    def busy(job: Any) -> str:
        turned_away.append(job.name)
        if len(turned_away) == 3:
            alter(world, "jobs", submit=submit)
        raise TurnedAway("TooManyRequestsException")

    alter(world, "jobs", submit=busy)
    run = world.submit(a_demand())
    assert (len(turned_away), run.job("stage-in")) == (1, None)
    assert run.next_check_at == run.stage("stage-in").retry_at > world.now
    for _ in range(3):
        world.pass_time(17)
        for run_id in world.timers.take_due(world.now):
            engine.handle(TimerFired(run_id=run_id, at=world.now), world.ports)
    assert world.batch.accepted == {"stage-in": 1}
    assert len({*turned_away, *(request.name for request in world.batch.requests.values())}) == 4
    assert live(world).state is RunState.SUCCESS
    assert_every_job_once(world)


def test_a_refused_submission_ends_the_run_with_the_backends_words(world):
    def refuse(_job: Any) -> str:
        raise Refused("the queue is disabled")

    alter(world, "jobs", submit=refuse)
    run = world.submit(a_demand())
    assert (run.state, run.error.message) == (RunState.ERROR, "the queue is disabled")


def test_what_the_pace_refuses_is_submitted_later_and_once(world):
    class Paced:
        """Admits nobody in the first five seconds."""

        def admit(self, now: Any) -> bool:
            return now.second >= 5

    world.ports = world.ports._replace(pace=Paced())
    run = world.submit(a_demand())
    assert run.stage("stage-in").status is StageStatus.CREATED
    assert world.batch.accepted == {}
    world.pass_time(6)
    assert world.timers.take_due(world.now) == ("e1",)
    engine.handle(TimerFired(run_id="e1", at=world.now), world.ports)
    assert world.batch.accepted == {"stage-in": 1}


@pytest.mark.parametrize(
    "error", [Unavailable("the object store is down"), StaleRun("others were faster")], ids=repr
)
def test_a_run_is_accepted_once_it_is_saved_whatever_happens_then(world, error):
    def down(*_: Any) -> None:
        raise error

    write = world.ports.objects.write
    alter(world, "objects", write=down)
    run = world.submit(a_demand())
    assert run.stage("scaffold").status is StageStatus.RUNNING
    alter(world, "objects", write=write)
    assert live(world).state is RunState.SUCCESS


def test_nothing_is_accepted_that_could_not_be_saved(world):
    def down(_run: Run) -> Run:
        raise Unavailable("the store is down")

    alter(world, "runs", save=down)
    with pytest.raises(Unavailable, match="nothing was accepted"):
        world.submit(a_demand())


def test_one_runs_trouble_does_not_keep_the_sweep_from_the_others(world):
    world.submit(a_demand())
    world.submit(a_demand(execution_id="e2"))
    load = world.ports.runs.load

    def cannot_load_the_first(run_id: str) -> Run:
        if run_id == "e1":
            raise Unavailable("that partition is down")
        return load(run_id)

    alter(world, "runs", load=cannot_load_the_first)
    world.batch.finish()
    world.pass_time()
    assert engine.sweep(world.ports) == 2
    assert world.runs.load("e2").stage("stage-in").status is StageStatus.COMPLETE


def test_a_batch_that_does_not_answer_keeps_no_other_run_from_the_sweep(world):
    world.submit(a_demand())
    world.batch.finish()

    def down(_ids: Any) -> Any:
        raise Unavailable("throttled")

    alter(world, "jobs", describe=down)
    world.pass_time()
    assert engine.sweep(world.ports) == 1
    assert world.runs.load("e1").stage("stage-in").status is StageStatus.RUNNING


def test_a_save_that_loses_every_time_gives_up_and_says_so(world):
    world.submit(a_demand())
    save = world.runs.save

    def always_late(run: Run) -> Run:
        save(world.runs.load(run.id))
        return save(run)

    alter(world, "runs", save=always_late)
    with pytest.raises(StaleRun, match="10 times"):
        engine.handle(CancelRequested(run_id="e1", at=world.now), world.ports)


def test_an_extra_copy_is_stopped_and_the_run_goes_on(world):
    run = world.submit(a_demand())
    (job_id,) = world.batch.jobs
    copy = world.batch.submit(world.batch.requests[job_id])
    world.batch.jobs[copy] = world.batch.jobs[copy].model_copy(update={"job_id": copy})
    seen = world.batch.find(run.job("stage-in").queue, run.job("stage-in").name)
    for job in seen:
        engine.handle(calls.job_changed(job, "e1", world.now), world.ports)
    assert world.batch.stopped == [copy]
    assert live(world).state is RunState.SUCCESS


def test_a_failed_job_ends_the_run_and_leaves_what_the_policy_keeps(world):
    world.batch.failing.add("execute")
    world.submit(a_demand())
    run = live(world)
    assert (run.state, run.error.stage) == (RunState.ERROR, "execute")
    assert world.batch.accepted == {"stage-in": 1, "execute": 1}


def test_with_always_clean_up_runs_after_a_failure_and_keeps_unsaved_outputs(world):
    world.batch.failing.add("execute")
    world.submit({**a_demand(), "options": {"cleanup": "always"}})
    run = live(world)
    assert run.state is RunState.ERROR
    assert run.stage("clean-up").status is StageStatus.COMPLETE
    (request,) = [
        request
        for request in world.batch.requests.values()
        if request.environment["FALSEWORK_STAGE"] == "clean-up"
    ]
    assert request.command == ("falsework-worker", "clean-up", "--keep-outputs")


def test_the_same_event_in_two_threads_at_once_submits_once(tmp_path):
    for number in range(40):
        world = World(tmp_path / str(number))
        world.submit(a_demand())
        (job,) = world.batch.finish()
        event = calls.job_changed(job, "e1", world.now)
        barrier = threading.Barrier(2)

        def handle(world=world, event=event, barrier=barrier):
            barrier.wait()
            engine.handle(event, world.ports)

        threads = [threading.Thread(target=handle) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert world.batch.accepted == {"stage-in": 1, "execute": 1}


def test_a_job_that_batch_has_forgotten_ends_the_run_in_words(world):
    world.submit(a_demand())
    world.deliver("e1")
    (job_id,) = [j for j, job in world.batch.jobs.items() if job.status is JobStatus.RUNNABLE]
    del world.batch.jobs[job_id]
    world.pass_time()
    engine.sweep(world.ports)
    run = world.runs.load("e1")
    assert (run.state, run.error.cause) == (RunState.ERROR, "lost")
