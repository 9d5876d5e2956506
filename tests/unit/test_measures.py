"""What is measured of runs, and the lines that CloudWatch makes metrics of."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import pairwise

import pytest

from chalicelib import calls, engine, intake
from chalicelib.aws.emf import EmfLines
from chalicelib.core.errors import NotFound, StaleRun, Unavailable
from chalicelib.core.events import CancelRequested, SubmissionDeferred
from chalicelib.core.job_state import ChildTimes, JobStatus
from chalicelib.core.lifecycle import decide
from chalicelib.core.measures import LONG_OVER, Measure, Metric, changes, looked_at
from chalicelib.core.run import HistoryEntry, Run, RunState, StageStatus
from tests.flow.worlds import World, a_demand
from tests.unit import runs
from tests.unit.test_costs import a_job, a_run


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


@pytest.fixture
def measured(world):
    found: list[Measure] = []
    world.ports = world.ports._replace(measure=found.extend)
    return found


def of(measured: list[Measure], metric: Metric) -> list[tuple[float, dict[str, str]]]:
    return [(each.value, dict(each.dimensions)) for each in measured if each.metric is metric]


def live(world: World) -> Run:
    for _ in range(12):
        world.deliver("e1")
        world.pass_time()
        engine.sweep(world.ports)
    return world.runs.load("e1")


def test_a_run_is_counted_once_in_each_state_that_it_comes_into(world, measured):
    world.submit(a_demand())
    assert live(world).state is RunState.SUCCESS
    counted = of(measured, Metric.RUNS)
    kind = {"kind": "demand-execution"}
    assert counted[-1] == (1, {**kind, "state": "SUCCESS"})
    assert len({told["state"] for _, told in counted}) == len(counted)
    assert [told for _, told in of(measured, Metric.RUN_SECONDS)] == [kind]


def test_every_attempt_of_a_stage_is_timed_and_every_job_is_counted(world, measured):
    world.submit(a_demand())
    live(world)
    stages = {told["stage"] for _, told in of(measured, Metric.STAGE_SECONDS)}
    assert stages == {
        "scaffold", "define-jobs", "stage-in", "execute", "stage-out", "clean-up",
    }  # fmt: skip
    assert len(of(measured, Metric.SUBMISSIONS)) == 4
    assert not of(measured, Metric.EXTRA_COPIES)


def test_a_retry_is_counted_under_the_cause_of_its_job(world, measured):
    world.submit(a_demand(options={"retry_policy": "STAGE", "max_attempts": 2}))
    world.batch.failing = {"execute"}
    live(world)
    first, *clearing = of(measured, Metric.RETRIES)
    assert first == (1, {"cause": "user"})
    assert {told["cause"] for _, told in clearing} == {"worker"}


def with_stage(run: Run, name: str, **changes) -> Run:
    stages = tuple(
        each.model_copy(update=changes) if each.stage_name == name else each for each in run.stages
    )
    return run.model_copy(update={"stages": stages})


def entry(attempt: int, end: StageStatus, seconds: float = 0) -> HistoryEntry:
    return HistoryEntry(
        attempt=attempt, begin_status=StageStatus.CREATED, end_status=end, begin_ts="",
        end_ts="", message="", run_time_seconds=seconds,
    )  # fmt: skip


def test_a_retry_that_follows_at_once_is_counted_too():
    run = with_stage(a_run(), "execute", status=StageStatus.RUNNING, attempts=1)
    history = (entry(1, StageStatus.RETRY, 3),)
    after = with_stage(run, "execute", attempts=2, history=history)
    told = list(changes(run, after))
    assert [seconds for seconds, _ in of(told, Metric.STAGE_SECONDS)] == [3]
    assert len(of(told, Metric.RETRIES)) == 1


@pytest.mark.parametrize(
    ("status", "attempts", "history"),
    [
        pytest.param(
            StageStatus.CREATED, 0, (entry(0, StageStatus.CANCELED),), id="it never began"
        ),
        pytest.param(
            StageStatus.CREATED, 2, (entry(2, StageStatus.CANCELED),), id="not in this generation"
        ),
        pytest.param(
            StageStatus.RETRY, 1, (entry(1, StageStatus.ERROR),), id="given up while it waited"
        ),
    ],
)
def test_an_end_without_an_execution_is_no_time_of_a_stage(status, attempts, history):
    run = with_stage(a_run(), "execute", status=status, attempts=attempts)
    after = with_stage(run, "execute", status=history[0].end_status, history=history)
    assert not of(list(changes(run, after)), Metric.STAGE_SECONDS)


def test_an_attempt_that_failed_and_was_given_up_at_once_is_one_execution():
    run = with_stage(a_run(), "execute", status=StageStatus.RUNNING, attempts=1)
    history = (entry(1, StageStatus.RETRY, 5), entry(1, StageStatus.ERROR))
    after = with_stage(run, "execute", status=StageStatus.ERROR, history=history)
    told = of(list(changes(run, after)), Metric.STAGE_SECONDS)
    assert [seconds for seconds, _ in told] == [5]


def test_the_wait_of_an_array_is_that_of_its_first_child_and_told_once():
    array = a_job(1, children=40, started_at=None, stopped_at=None)
    first = array.submit_started_at + timedelta(seconds=7)
    half = array.model_copy(
        update={"child_times": ChildTimes(next=20, known=20, first_started_at=first)}
    )
    whole = array.model_copy(
        update={"child_times": ChildTimes(next=40, known=40, first_started_at=first)}
    )
    steps = [a_run(each) for each in (array, half, whole, whole.model_copy())]
    told = [of(list(changes(*pair)), Metric.QUEUE_WAIT_SECONDS) for pair in pairwise(steps)]
    assert told == [[], [(7, {})], []]


@pytest.mark.parametrize("is_known", [True, False], ids=["seen before", "seen only now"])
def test_a_job_that_lost_its_claim_is_one_extra_copy_and_no_second_submission(is_known):
    own, copy = a_job(1), a_job(1, job_id="j2", is_own=False)
    before = a_run(own, *([copy] if is_known else []))
    after = a_run(
        own.model_copy(update={"is_own": False}), copy.model_copy(update={"is_own": True})
    )
    told = list(changes(before, after))
    assert not of(told, Metric.SUBMISSIONS)
    assert len(of(told, Metric.EXTRA_COPIES)) == (0 if is_known else 1)


def test_an_event_that_comes_twice_is_measured_once(world, measured):
    world.submit(a_demand())
    (job,) = world.batch.finish()
    event = calls.job_changed(job, "e1", world.now)
    engine.handle(event, world.ports)
    before = list(measured)
    engine.handle(event, world.ports)
    assert measured == before


def test_what_could_not_be_saved_is_not_measured(world, measured):
    class Stale:
        def __getattr__(self, name):
            return getattr(world.runs, name)

        def save(self, run: Run) -> Run:
            raise StaleRun(run.id)

    with pytest.raises(Unavailable, match="nothing was accepted"):
        intake.submit(a_demand(), world.ports._replace(runs=Stale()))
    assert measured == []


def test_what_users_name_is_no_dimension(world, measured):
    before = decide(None, runs.requested()).run
    stage = before.stages[0].model_copy(update={"stage_name": "of-some-user"})
    done = decide(before, _scaffolded(before)).run
    renamed = done.model_copy(update={"stages": (_renamed(done), *done.stages[1:])})
    before = before.model_copy(update={"stages": (stage, *before.stages[1:])})
    told = of(list(changes(before, renamed)), Metric.STAGE_SECONDS)
    assert [dimensions for _, dimensions in told] == [{"stage": "other"}]


def _renamed(run: Run):
    return run.stages[0].model_copy(update={"stage_name": "of-some-user"})


def _scaffolded(run: Run):
    from chalicelib.core.events import CallEnded

    return CallEnded(
        run_id="r1", at=runs.at(1), stage="scaffold", attempt=1, generation=1, result={}
    )


def test_a_submission_that_was_turned_away_is_counted(world, measured):
    world.submit(a_demand())
    run = world.runs.load("e1")
    job = run.jobs[0].model_copy(update={"job_id": None, "status": None})
    before = run.model_copy(update={"jobs": (job,)})
    event = SubmissionDeferred(run_id="e1", at=world.now, stage=job.stage, serial=job.serial)
    after = decide(before, event).run
    assert of(list(changes(before, after)), Metric.DEFERRED) == [(1, {})]


def test_the_wait_for_a_host_is_measured_when_the_job_starts(world):
    world.submit(a_demand())
    before = world.runs.load("e1")
    job = before.jobs[0]
    began_at = job.submit_started_at + timedelta(seconds=42)
    told = {"status": JobStatus.RUNNING, "started_at": began_at}
    after = before.model_copy(update={"jobs": (job.model_copy(update=told),)})
    assert of(list(changes(before, after)), Metric.QUEUE_WAIT_SECONDS) == [(42, {})]


@pytest.mark.parametrize(
    ("late", "count"),
    [
        pytest.param(timedelta(), 0, id="in-time"),
        pytest.param(LONG_OVER, 0, id="its-jobs-are-being-stopped"),
        pytest.param(LONG_OVER + timedelta(seconds=1), 1, id="long-over"),
    ],
)
def test_a_run_that_does_not_end_although_its_time_is_over_is_counted(late, count):
    run = decide(None, runs.requested()).run
    over = run.created_at + timedelta(seconds=run.plan.timeout_seconds)
    told = looked_at(run, over + late, over + late)
    assert told == (Measure(Metric.RUNS_PAST_DEADLINE),) * count


def test_the_sweep_tells_how_many_it_saw_how_late_and_with_how_much_trouble(world, measured):
    world.submit(a_demand())
    measured.clear()
    world.pass_time(100)
    due_at = world.runs.load("e1").next_check_at
    engine.sweep(world.ports)
    assert of(measured, Metric.SWEPT_RUNS) == [(1, {})]
    late = (world.now - due_at).total_seconds()
    assert of(measured, Metric.SWEEP_LAG_SECONDS) == [(late, {})]
    assert not of(measured, Metric.SWEEP_TROUBLES)


def test_a_look_that_others_were_faster_than_is_late_only_once(world, measured):
    world.submit(a_demand())
    world.pass_time(100)
    measured.clear()
    saves: list[Run] = []

    class Raced:
        def __getattr__(self, name):
            return getattr(world.runs, name)

        def save(self, run: Run) -> Run:
            saves.append(run)
            if len(saves) == 1:
                raise StaleRun(run.id)
            return world.runs.save(run)

    engine.sweep(world.ports._replace(runs=Raced()))
    assert len(saves) > 1
    assert len(of(measured, Metric.SWEEP_LAG_SECONDS)) == 1


def test_only_a_look_is_late_and_no_other_event(world, measured):
    world.submit(a_demand())
    world.pass_time(100)
    measured.clear()
    engine.handle(CancelRequested(run_id="e1", at=world.now), world.ports)
    assert not of(measured, Metric.SWEEP_LAG_SECONDS)


@pytest.mark.parametrize(
    "error", [Unavailable, NotFound, RuntimeError], ids=["no answer", "not there", "our fault"]
)
def test_a_run_that_cannot_be_swept_is_counted_as_trouble(world, measured, error):
    world.submit(a_demand())
    world.pass_time(100)
    measured.clear()

    class Broken:
        def __getattr__(self, name):
            return getattr(world.runs, name)

        def load(self, run_id: str) -> Run:
            raise error(run_id)

    engine.sweep(world.ports._replace(runs=Broken()))
    assert of(measured, Metric.SWEEP_TROUBLES) == [(1, {})]


def test_what_the_pace_puts_off_is_counted(world, measured):
    class Full:
        def admit(self, now) -> bool:
            return False

    world.ports = world.ports._replace(pace=Full())
    world.submit(a_demand())
    assert of(measured, Metric.PACED)
    assert not of(measured, Metric.SUBMISSIONS)


def lines(*measures: Measure) -> list[dict]:
    written: list[str] = []
    EmfLines("falsework-dev", lambda: runs.START, written.append)(measures)
    assert all(line.endswith("\n") for line in written)
    return [json.loads(line) for line in written]


def test_a_line_is_what_powertools_writes_for_the_same_values():
    from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import (
        AmazonCloudWatchEMFProvider,
    )

    theirs = AmazonCloudWatchEMFProvider(
        namespace="Falsework", service="falsework-dev", metric_set={}, dimension_set={}
    )
    theirs.add_dimension("kind", "data-sync")
    theirs.add_metric("RunSeconds", "Seconds", 3)
    theirs.add_metric("RunSeconds", "Seconds", 4)
    theirs.add_dimension("service", "falsework-dev")
    expected = theirs.serialize_metric_set()
    kind = (("kind", "data-sync"),)
    (ours,) = lines(Measure(Metric.RUN_SECONDS, 3, kind), Measure(Metric.RUN_SECONDS, 4, kind))
    directive, wanted = (each["_aws"]["CloudWatchMetrics"][0] for each in (ours, expected))
    assert ours["_aws"]["Timestamp"] == int(runs.START.timestamp() * 1000)
    assert directive["Metrics"] == [
        {name: each[name] for name in ("Name", "Unit")} for each in wanted["Metrics"]
    ]
    assert sorted(directive["Dimensions"][0]) == sorted(wanted["Dimensions"][0])
    assert {k: v for k, v in ours.items() if k != "_aws"} == {
        k: v for k, v in expected.items() if k != "_aws"
    }


def test_each_combination_of_dimensions_has_a_line_of_its_own():
    told = lines(
        Measure(Metric.RETRIES, 1, (("cause", "user"),)),
        Measure(Metric.RETRIES, 1, (("cause", "timeout"),)),
        Measure(Metric.SWEPT_RUNS, 7),
    )
    assert [(line.get("cause"), line["service"]) for line in told] == [
        ("user", "falsework-dev"),
        ("timeout", "falsework-dev"),
        (None, "falsework-dev"),
    ]
    assert told[2]["SweptRuns"] == [7]


def test_a_line_has_a_hundred_values_at_most():
    told = lines(*[Measure(Metric.QUEUE_WAIT_SECONDS, n) for n in range(250)])
    assert [len(line["QueueWaitSeconds"]) for line in told] == [100, 100, 50]


def test_nothing_measured_is_nothing_written():
    assert lines() == []
