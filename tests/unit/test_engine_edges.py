"""The engine on a bad day: others are faster, ports are down, listings show more than one job."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest

from chalicelib import engine
from chalicelib.core.errors import Conflict, NotFound, Refused, StaleRun, TurnedAway, Unavailable
from chalicelib.core.events import (
    CancelRequested,
    ResumeRequested,
    SubmissionStarted,
    TimerFired,
)
from chalicelib.core.job_state import JobStatus
from chalicelib.core.plans.plan import (
    DefineJobs,
    JobAction,
    Plan,
    PutDocuments,
    StagePlan,
)
from chalicelib.core.run import Run, RunState, StageStatus
from tests.flow.worlds import World, a_demand
from tests.unit import runs

GRACE = 10
CALL = PutDocuments(documents={"s3://bucket/doc": "{}"})


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


class Altered:
    """A port with some methods of the test's own."""

    def __init__(self, port: Any, methods: dict[str, Any]) -> None:
        self._port = port
        self._methods = methods

    def __getattr__(self, name: str) -> Any:
        return self._methods.get(name) or getattr(self._port, name)


def alter(world: World, port: str, **methods: Any) -> None:
    changed = Altered(getattr(world.ports, port), methods)
    world.ports = world.ports._replace(**{port: changed})


def failing(error: Exception) -> Any:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


def request(world: World, *actions: Any, run_id: str = "r1") -> Run:
    """A run of stages side by side, requested and begun."""
    stages = tuple(
        StagePlan(name=name, action=action) for name, action in zip("ABC", actions, strict=False)
    )
    plan = Plan(stages=stages, submit_grace_seconds=GRACE, check_seconds=30)
    event = runs.requested(plan, run_id=run_id)
    return engine.handle(event.model_copy(update={"at": world.now}), world.ports)


def a_job() -> JobAction:
    return JobAction(definition="user", queue="default")


def look(world: World, run_id: str = "e1") -> Run:
    return engine.handle(TimerFired(run_id=run_id, at=world.now), world.ports)


def unanswered(world: World, copies: int = 1) -> Run:
    """A demand whose first submission was accepted so many times, and never answered."""
    submit = world.ports.jobs.submit

    def lose_the_answer(job: Any) -> str:
        for _ in range(copies):
            submit(job)
        raise Unavailable("timed out")

    alter(world, "jobs", submit=lose_the_answer)
    run = world.submit(a_demand())
    alter(world, "jobs", submit=submit)
    return run


class TestSubmission:
    @pytest.mark.parametrize(("slept", "accepted"), [(0, 1), (5, 1), (5.1, 0)])
    def test_it_is_made_within_half_of_the_grace_and_not_after(self, world, slept, accepted):
        save = world.ports.runs.save

        def slow_save(run: Run) -> Run:
            saved = save(run)
            if run.jobs:
                world.pass_time(slept)
            return saved

        alter(world, "runs", save=slow_save)
        world.submit(a_demand())
        assert world.batch.accepted.total() == accepted

    @pytest.mark.parametrize(
        ("error", "words"),
        [
            (TurnedAway("busy"), "job {} was turned away: busy"),
            (Unavailable("timed out"), "nobody knows whether job {} was accepted"),
        ],
        ids=["turned-away", "unavailable"],
    )
    def test_the_log_says_which_job_the_backend_did_not_take(self, world, caplog, error, words):
        caplog.set_level(logging.INFO)
        alter(world, "jobs", submit=failing(error))
        run = world.submit(a_demand())
        assert words.format(f"falsework-{run.uid}-stage-in-1") in caplog.messages


class TestLookUp:
    def test_what_bears_the_name_is_adopted_and_not_submitted_again(self, world):
        unanswered(world)
        world.pass_time(2)
        (job_id,) = world.batch.jobs
        assert look(world).job("stage-in").job_id == job_id
        world.pass_time(GRACE)
        look(world)
        assert world.batch.accepted.total() == 1

    def test_after_the_grace_it_is_still_adopted(self, world):
        unanswered(world)
        world.pass_time(GRACE + 1)
        run = look(world)
        assert (run.job("stage-in").job_id, len(run.jobs)) == ("id-1", 1)
        assert world.batch.accepted.total() == 1

    def test_within_the_grace_nothing_is_concluded_from_an_empty_listing(self, world):
        alter(world, "jobs", submit=failing(Unavailable("timed out")))
        world.submit(a_demand())
        world.pass_time(2)
        run = look(world)
        assert (run.job("stage-in").serial, run.job("stage-in").is_absent) == (1, False)

    def test_of_several_the_oldest_is_adopted_and_the_others_are_stopped(self, world):
        unanswered(world, copies=3)
        world.pass_time(2)
        run = look(world)
        assert run.job("stage-in").job_id == "id-1"
        assert sorted(world.batch.stopped) == ["id-2", "id-3"]

    def test_what_bears_no_name_of_ours_is_left_alone(self, world):
        unanswered(world)
        find = world.batch.find

        def find_more(queue: str, name: str) -> Any:
            found = find(queue, name)
            return (*found, found[0].model_copy(update={"name": "theirs", "job_id": "id-9"}))

        alter(world, "jobs", find=find_more)
        world.pass_time(2)
        assert [job.job_id for job in look(world).jobs] == ["id-1"]

    def test_each_name_is_looked_up_once_and_no_name_that_is_known(self, world):
        alter(world, "jobs", submit=failing(Unavailable("timed out")), define=lambda _: "arn:u")
        define = DefineJobs(
            definitions={"user": runs.a_plan().stages[1].action.definitions["user"]}
        )
        stages = (
            StagePlan(name="define-jobs", action=define),
            StagePlan(name="B", action=a_job(), after=("define-jobs",)),
            StagePlan(name="C", action=a_job(), after=("define-jobs",)),
        )
        plan = Plan(stages=stages, submit_grace_seconds=GRACE, check_seconds=30)
        event = runs.requested(plan)
        run = engine.handle(event.model_copy(update={"at": world.now}), world.ports)
        assert len(run.jobs) == 2
        asked = []
        alter(world, "jobs", find=lambda _, name: asked.append(name) or ())
        world.pass_time(2)
        look(world, "r1")
        assert asked == [job.name for job in run.jobs]


class TestCalls:
    @pytest.mark.parametrize("error", [Refused("no such image"), NotFound("no such image")])
    def test_what_is_refused_is_the_runs_error(self, world, error):
        alter(world, "objects", write=failing(error))
        run = request(world, CALL)
        assert (run.state, run.error.message) == (RunState.ERROR, "no such image")

    def test_a_resumed_run_makes_them_again(self, world):
        write = world.ports.objects.write
        alter(world, "objects", write=failing(Refused("no")))
        request(world, CALL)
        alter(world, "objects", write=write)
        run = engine.handle(ResumeRequested(run_id="r1", at=world.now), world.ports)
        assert (run.state, run.generation) == (RunState.SUCCESS, 2)

    def test_what_cannot_be_done_now_is_said_and_keeps_no_other_from_being_done(self, world):
        write = world.ports.objects.write

        def down_for_one(uri: str, data: bytes) -> None:
            if uri.endswith("/bad"):
                raise Unavailable("the object store is down")
            write(uri, data)

        alter(world, "objects", write=down_for_one)
        with pytest.raises(Unavailable, match="the object store is down"):
            request(world, PutDocuments(documents={"s3://bucket/bad": ""}), CALL)
        statuses = [stage.status for stage in world.runs.load("r1").stages]
        assert statuses == [StageStatus.RUNNING, StageStatus.COMPLETE]


class TestPace:
    def test_who_is_not_admitted_comes_back_between_one_and_five_seconds_later(self, world):
        class Full:
            def admit(self, _now: Any) -> bool:
                return False

        wakes = []
        alter(world, "timers", wake=lambda _, at: wakes.append((at - world.now).total_seconds()))
        world.ports = world.ports._replace(pace=Full())
        world.submit(a_demand())
        for _ in range(300):
            look(world)
        assert 1 <= min(wakes) < 1.3
        assert 4.7 < max(wakes) <= 5
        assert world.batch.accepted.total() == 0

    def test_of_many_that_are_not_admitted_the_first_sends_for_a_wake_up_for_all(self, world):
        asked: list[object] = []

        class Full:
            def admit(self, now: Any) -> bool:
                asked.append(now)
                return False

        run = runs.a_run(until="execute")
        seen = {"status": JobStatus.RUNNING, "is_own": False}
        copies = tuple(
            run.jobs[-1].model_copy(update={**seen, "job_id": f"copy-{number}"})
            for number in range(5)
        )
        world.runs.save(run.model_copy(update={"version": 0, "jobs": (*run.jobs, *copies)}))
        stopped, wakes = [], []
        alter(world, "jobs", stop=lambda job_id, _: stopped.append(job_id))
        alter(world, "timers", wake=lambda run_id, _: wakes.append(run_id))
        unpaced, world.ports = world.ports, world.ports._replace(pace=Full())
        look(world, "r1")
        assert (len(asked), wakes, stopped) == (1, ["r1"], [])
        world.ports = unpaced
        look(world, "r1")
        assert set(stopped) == {f"copy-{number}" for number in range(5)}


class TestLostSaves:
    def lose(self, world: World) -> list[float]:
        pauses: list[float] = []
        alter(world, "runs", save=failing(StaleRun("somebody was faster")))
        ports = world.ports._replace(pause=pauses.append)
        with pytest.raises(StaleRun) as caught:
            engine.handle(CancelRequested(run_id="e1", at=world.now), ports)
        assert str(caught.value) == "run e1 was saved by others 10 times in a row"
        return pauses

    def test_the_pause_grows_to_half_a_second_and_is_drawn_by_lot(self, world):
        world.submit(a_demand())
        rounds = [self.lose(world) for _ in range(60)]
        longest = [max(pauses) for pauses in zip(*rounds, strict=True)]
        bounds = [min(0.5, 0.02 * 2**n) for n in range(10)]
        assert len(longest) == 10
        assert all(0.7 * bound < one <= bound for one, bound in zip(longest, bounds, strict=True))
        assert min(min(pauses) for pauses in rounds) < 0.01


class TestSweep:
    def test_it_takes_a_hundred_runs_at_a_time(self, world):
        for number in range(101):
            run = runs.a_run(until="execute").model_copy(
                update={"id": f"r{number}", "jobs": (), "next_check_at": world.now}
            )
            world.runs.save(run.model_copy(update={"version": 0}))
        alter(world, "runs", load=failing(Unavailable("down")))
        assert engine.sweep(world.ports) == 100

    def test_everything_means_the_runs_whose_time_has_not_come_as_well(self, world):
        world.submit(a_demand())
        assert engine.sweep(world.ports) == 0
        assert engine.sweep(world.ports, everything=True) == 1

    def test_it_asks_for_known_jobs_and_looks_for_unknown_ones_in_one_go(self, world):
        unanswered(world)
        world.submit(a_demand(execution_id="e2"))
        world.batch.finish()
        world.pass_time()
        assert engine.sweep(world.ports) == 2
        assert world.runs.load("e1").job("stage-in").job_id == "id-1"
        assert world.runs.load("e2").stage("stage-in").status is StageStatus.COMPLETE

    @pytest.mark.parametrize(
        ("error", "words", "level"),
        [
            (Conflict("no"), "run e1 stays owed what this sweep could not do", "WARNING"),
            (KeyError("a fault of ours"), "run e1 cannot be swept", "ERROR"),
        ],
        ids=["trouble", "fault"],
    )
    def test_the_trouble_of_one_run_is_logged_and_costs_no_other(
        self, world, caplog, error, words, level
    ):
        world.submit(a_demand())
        world.submit(a_demand(execution_id="e2"))
        world.batch.finish()
        load = world.ports.runs.load

        def cannot_load_the_first(run_id: str) -> Run:
            if run_id == "e1":
                raise error
            return load(run_id)

        alter(world, "runs", load=cannot_load_the_first)
        world.pass_time()
        assert engine.sweep(world.ports) == 2
        assert world.runs.load("e2").stage("stage-in").status is StageStatus.COMPLETE
        said = [(record.levelname, record.getMessage()) for record in caplog.records]
        assert said == [(level, words)]

    def test_a_run_that_is_due_and_not_there_is_logged_and_costs_no_other(self, world, caplog):
        world.submit(a_demand())
        world.submit(a_demand(execution_id="e2"))
        world.batch.finish()
        load = world.ports.runs.load
        gone = failing(NotFound("gone"))
        alter(world, "runs", load=lambda run_id: gone() if run_id == "e1" else load(run_id))
        world.pass_time()
        engine.sweep(world.ports, limit=1)
        assert world.runs.load("e2").stage("stage-in").status is StageStatus.COMPLETE
        assert "run e1 is due and cannot be loaded" in caplog.messages

    def test_what_it_hears_of_a_job_is_fresh_enough_to_end_it(self, world):
        world.submit({**a_demand(), "options": {"queue_wait_timeout_seconds": 40}})
        world.pass_time(41)
        engine.sweep(world.ports)
        assert world.runs.load("e1").error.cause == "queue_wait"
        assert world.batch.stopped == ["id-1"]

    def test_so_is_what_it_finds_of_one(self, world):
        submit = world.ports.jobs.submit

        def lose_the_answer(job: Any) -> str:
            submit(job)
            raise Unavailable("timed out")

        alter(world, "jobs", submit=lose_the_answer)
        world.submit({**a_demand(), "options": {"queue_wait_timeout_seconds": 40}})
        world.pass_time(41)
        assert look(world).error.cause == "queue_wait"

    def test_a_batch_that_does_not_answer_is_logged_with_the_runs_that_wait_for_it(
        self, world, caplog
    ):
        for number in range(3):
            world.submit(a_demand(execution_id=f"e{number}"))
        alter(world, "jobs", describe=failing(Unavailable("throttled")))
        world.pass_time()
        engine.sweep(world.ports)
        assert caplog.messages == [
            "run e0 and 2 more stays owed what this sweep could not do",
        ]


def test_an_event_of_no_run_is_not_found(world):
    with pytest.raises(NotFound):
        look(world, "nowhere")


def test_a_start_that_somebody_else_made_is_not_made_again(world):
    run = world.submit(a_demand())
    event = SubmissionStarted(run_id="e1", at=world.now, stage="stage-in", serial=1)
    again = engine.handle(event, world.ports)
    assert (again, world.batch.accepted.total()) == (run, 1)


def test_a_stop_is_repeated_until_the_job_has_ended(world):
    world.submit(a_demand())
    asked = []
    alter(world, "jobs", stop=lambda job_id, reason: asked.append((job_id, reason.value)))
    engine.handle(CancelRequested(run_id="e1", at=world.now), world.ports)
    for _ in range(2):
        world.now += timedelta(seconds=31)
        engine.sweep(world.ports)
    assert set(asked) == {("id-1", "the run was canceled")}
    assert len(asked) >= 3
    world.batch.end("id-1", JobStatus.FAILED)
    for _ in range(2):
        asked.clear()
        world.now += timedelta(seconds=31)
        engine.sweep(world.ports)
    assert asked == []
    assert world.runs.load("e1").settled_at is not None


@pytest.mark.parametrize(
    ("error", "faults"),
    [(OSError("no room"), 0), (MemoryError(), 0), (KeyError("x"), 1)],
    ids=["disk", "memory", "ours"],
)
def test_what_nobody_foresaw_stays_owed_and_is_counted_unless_the_host_had_no_room(
    world, error, faults, caplog
):
    world.submit(a_demand())
    alter(world, "claims", holder=failing(error))
    with pytest.raises(Unavailable, match=f"^run e1: {type(error).__name__} in "):
        world.deliver("e1")
    stage = world.runs.load("e1").stage("stage-in")
    assert (stage.status, stage.faults) == (StageStatus.RUNNING, faults)
    assert caplog.messages.count("run e1, ReadOutcome: nobody foresaw this") == faults
