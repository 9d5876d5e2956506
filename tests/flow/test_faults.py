"""A fault of ours in a step ends its stage after some looks, and disturbs nothing else."""

from __future__ import annotations

import logging
from contextlib import suppress

import pytest

from chalicelib import engine
from chalicelib.accepting import accept, begin_again
from chalicelib.core.errors import Misconfigured, NotFound, StaleRun, Unavailable
from chalicelib.core.events import CancelRequested, ResumeRequested, RunRequested, TimerFired
from chalicelib.core.lifecycle.faults import MOST_FAULTS
from chalicelib.core.measures import Metric
from chalicelib.core.plans.plan import Plan, PutDocuments, StagePlan
from chalicelib.core.plans.run_actions import MakeValue
from chalicelib.core.run import RunState, StageStatus
from tests.flow.aws_worlds import aws_account, messages
from tests.flow.families import Family, each
from tests.flow.worlds import World, a_demand
from tests.unit.runs import UID

MINUTE = 60
MOST_CALLS = 500
SECRET = "hunter2"
BROKEN = StagePlan(name="a", action=PutDocuments(documents={"s3://data/x": "x"}))
FINE = StagePlan(name="b", action=MakeValue(value=1))


class Raising:
    """A port of which one method raises, as long as there is something to raise."""

    def __init__(self, port, method, error):
        self._port = port
        self._method = method
        self.error = error
        self.calls = 0

    def __getattr__(self, name):
        if name == self._method and self.error is not None:
            return self._raise
        return getattr(self._port, name)

    def _raise(self, *_, **__):
        self.calls += 1
        if self.calls == MOST_CALLS:
            pytest.fail("it is tried without a pause")  # no Exception, which would be borne too
        raise self.error


def break_objects(world, error):
    raising = Raising(world.ports.objects, "write", error)
    world.ports = world.ports._replace(objects=raising)
    return raising


def begin(world, *stages):
    plan = Plan(stages=stages, request_digest="d", check_seconds=30)
    event = RunRequested(
        run_id="r", at=world.now, uid=UID, kind="k", group="default", plan=plan
    )  # fmt: skip
    return accept(event, world.ports)


def sweep(world, times=1):
    for _ in range(times):
        world.pass_time(MINUTE)
        engine.sweep(world.ports)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


class TestACall:
    def test_its_stage_ends_after_some_looks_with_what_it_was(self, world, caplog):
        break_objects(world, RuntimeError(SECRET))
        assert begin(world, BROKEN, FINE).state is RunState.RUNNING
        sweep(world, MOST_FAULTS - 2)
        run = world.runs.load("r")
        assert (run.state, run.stage("b").status) == (RunState.RUNNING, StageStatus.COMPLETE)
        sweep(world)
        run = world.runs.load("r")
        assert (run.state, run.error.stage, run.error.cause) == (RunState.ERROR, "a", "fault")
        assert "RuntimeError in calls.py, line " in run.error.message
        assert SECRET not in run.model_dump_json(exclude={"plan"})
        assert any(record.exc_info and SECRET in record.exc_text for record in caplog.records)
        assert run.settled_at is not None
        assert world.runs.due(world.now) == ()

    def test_an_event_that_comes_again_at_once_has_it_tried_once(self, world):
        broken = break_objects(world, RuntimeError("x"))
        begin(world, BROKEN)
        for again in range(2, 5):
            with pytest.raises(Unavailable):
                engine.handle(TimerFired(run_id="r", at=world.now), world.ports)
            assert broken.calls == again
        assert world.runs.load("r").stage("a").faults == 1

    def test_each_of_these_looks_is_a_trouble_of_the_sweep(self, world):
        told = []
        world.ports = world.ports._replace(measure=told.extend)
        break_objects(world, RuntimeError("x"))
        begin(world, BROKEN)
        sweep(world, MOST_FAULTS)
        troubles = [each for each in told if each.metric is Metric.SWEEP_TROUBLES]
        assert len(troubles) == MOST_FAULTS - 1

    @pytest.mark.parametrize(
        "error",
        [Unavailable("x"), StaleRun("x"), Misconfigured("x"), OSError("no space"), MemoryError()],
        ids=lambda error: type(error).__name__,
    )
    def test_what_may_pass_by_itself_is_not_counted_and_stops_no_other(self, world, error):
        broken = break_objects(world, error)
        with suppress(StaleRun, Misconfigured):
            begin(world, BROKEN, FINE)
        assert world.runs.load("r").stage("b").status is StageStatus.COMPLETE
        sweep(world, MOST_FAULTS + 3)
        assert world.runs.load("r").stage("a").status is StageStatus.RUNNING
        broken.error = None
        sweep(world)
        assert world.runs.load("r").state is RunState.SUCCESS

    def test_a_fault_that_passes_leaves_nothing_behind(self, world):
        broken = break_objects(world, RuntimeError("x"))
        begin(world, BROKEN)
        sweep(world, MOST_FAULTS - 2)
        broken.error = None
        sweep(world)
        assert world.runs.load("r").state is RunState.SUCCESS


class TestAJob:
    def test_a_stop_that_raises_stays_owed_for_ever_and_keeps_nothing_else_from_being_done(
        self, world
    ):
        """The job may live: nobody may conclude from a fault of ours that it does not."""
        run = world.submit(a_demand())
        job_id = run.job("stage-in").job_id
        stop, world.batch.stop = world.batch.stop, Raising(None, "stop", KeyError("x")).stop
        cancel = CancelRequested(run_id=run.id, at=world.now)
        with pytest.raises(Unavailable):
            engine.handle(cancel, world.ports)
        sweep(world, 2 * MOST_FAULTS)
        assert world.runs.load(run.id).settled_at is None
        world.batch.stop = stop
        sweep(world, 2)
        assert world.batch.stopped == [job_id]
        assert world.runs.load(run.id).settled_at is not None


class TestTheRunsOfAStage:
    @pytest.fixture
    def family(self, tmp_path):
        return Family(tmp_path)

    def sweep(self, family, times):
        for _ in range(times):
            family.world.pass_time(MINUTE)
            engine.sweep(family.world.ports, everything=True)

    def test_one_that_cannot_be_started_ends_the_stage_and_the_others(self, family):
        start = family.start

        def broken(kind, document, ports):
            if document.get("value") == 2:
                raise KeyError(SECRET)
            return start(kind, {**document, "is_slow": True}, ports)

        family.world.ports = family.world.ports._replace(start=broken)
        family.begin(each(), given=[1, 2, 3])
        self.sweep(family, MOST_FAULTS)
        run = family.parent
        assert (run.state, run.error.cause) == (RunState.ERROR, "fault")
        assert "KeyError in " in run.error.message
        assert "(item 1: starting the run)" in run.error.message
        assert SECRET not in run.error.message
        self.sweep(family, 40)
        assert family.parent.settled_at is not None
        states = {family.world.runs.load(each).state for each in set(family.started)}
        assert states == {RunState.CANCELED}

    def test_a_look_that_goes_well_forgets_the_faults_before_it(self, family):
        family.begin(each(request={"is_slow": True}), given=[1])
        ports = family.world.ports
        broken = Raising(ports.documents, "load", KeyError("x"))
        for _ in range(2):
            family.world.ports = ports._replace(documents=broken)
            self.sweep(family, MOST_FAULTS - 1)
            family.world.ports = ports
            self.sweep(family, 1)
        stage = family.parent.stage("each")
        assert (stage.status, stage.faults) == (StageStatus.RUNNING, 0)

    def test_an_error_that_is_ours_but_fits_nothing_counts_as_well(self, family):
        family.begin(each(request={"is_slow": True}), given=[1])
        documents = family.world.ports.documents
        broken = Raising(documents, "load", NotFound("gone"))
        family.world.ports = family.world.ports._replace(documents=broken)
        self.sweep(family, MOST_FAULTS)
        assert family.parent.error.cause == "fault"

    def test_those_that_cannot_be_cancelled_are_let_go_in_the_end(self, family):
        family.begin(each(request={"is_slow": True}), given=[1])
        child = family.started[0]

        def broken(_event, _ports):
            raise RuntimeError(SECRET)

        family.world.ports = family.world.ports._replace(tell=broken)
        cancel = CancelRequested(run_id="p", at=family.world.now)
        with pytest.raises(Unavailable):
            engine.handle(cancel, family.world.ports)
        self.sweep(family, MOST_FAULTS - 2)
        assert family.parent.settled_at is None
        self.sweep(family, 1)
        assert family.parent.settled_at is not None
        assert family.world.runs.load(child).state is RunState.RUNNING

    @pytest.mark.parametrize("error", [RuntimeError(SECRET), Unavailable("x")], ids=repr)
    def test_one_that_cannot_be_cancelled_keeps_no_other_from_being(self, family, error):
        family.begin(each(request={"is_slow": True}), given=[1, 2, 3])
        first, *others = dict.fromkeys(family.started)
        tell = family.world.ports.tell

        def broken(event, ports):
            if event.run_id == first:
                raise error
            return tell(event, ports)

        family.world.ports = family.world.ports._replace(tell=broken)
        with pytest.raises(Unavailable):
            engine.handle(CancelRequested(run_id="p", at=family.world.now), family.world.ports)
        states = [family.world.runs.load(each).state for each in (first, *others)]
        assert states == [RunState.RUNNING, RunState.CANCELED, RunState.CANCELED]

    def test_one_that_was_let_go_and_succeeded_is_kept_by_a_resume(self, family):
        family.begin(each(request={"is_slow": True}), given=[1])
        child = family.world.runs.load(family.started[0])
        healthy, broken = family.world.ports, Raising(None, "tell", RuntimeError("x")).tell
        family.world.ports = healthy._replace(tell=broken)
        with suppress(Unavailable):
            cancel = CancelRequested(run_id="p", at=family.world.now)
            engine.handle(cancel, family.world.ports)
        self.sweep(family, MOST_FAULTS)
        now = family.world.now
        ended = {"state": RunState.SUCCESS, "ended_at": now, "settled_at": now}
        family.world.runs.save(family.world.runs.load(child.id).model_copy(update=ended))
        family.world.ports = healthy
        begin_again(ResumeRequested(run_id="p", at=now), family.world.ports)
        self.sweep(family, 2)
        assert family.parent.state is RunState.SUCCESS
        assert set(family.started) == {child.id}


class TestOnAws:
    def test_a_wake_up_comes_again_and_the_run_ends_whatever_process_counts(self, caplog):
        caplog.set_level(logging.CRITICAL, "chalicelib")
        with aws_account() as world:
            ports = world.home.ports._replace(clock=lambda: world.now)
            plan = Plan(stages=(BROKEN,), request_digest="d", check_seconds=30)
            event = RunRequested(
                run_id="r", at=world.now, uid=UID, kind="k", group="default", plan=plan
            )  # fmt: skip
            error = RuntimeError(SECRET)
            accept(event, ports._replace(objects=Raising(ports.objects, "write", error)))
            for _ in range(MOST_FAULTS - 1):
                world.pass_time(MINUTE)
                world.restart(reports_batch_item_failures=True)
                home = world.home
                home.ports = home.ports._replace(
                    objects=Raising(home.ports.objects, "write", error)
                )
                failed = home.on_wakes(messages({"run_id": "r"}))["batchItemFailures"]
                assert len(failed) == 1
            assert world.run("r").error.cause == "fault"
            assert home.on_wakes(messages({"run_id": "r"})) == {"batchItemFailures": []}
