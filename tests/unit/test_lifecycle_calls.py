"""Calls that nobody answers: made again as often, and after such waits, as their row says."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest

from chalicelib.core.commands import MakeCall, WakeAt
from chalicelib.core.errors import NotFound, Refused, StepFailed, TurnedAway, Unavailable
from chalicelib.core.events import CallEnded, TimerFired
from chalicelib.core.lifecycle import decide, prompt
from chalicelib.core.plans.operations import deregister, get_payload, invoke, register
from chalicelib.core.plans.plan import CleanUpPolicy, Plan, RetryPolicy, StagePlan
from chalicelib.core.run import RunState, StageStatus
from chalicelib.core.states.retries import RetryRow
from chalicelib.perform import perform
from tests.flow.worlds import World
from tests.unit.runs import UID, at, requested

ROW = RetryRow(first_wait_seconds=4, tries=3, has_full_jitter=False)


def plan(stage, **told):
    return Plan(stages=(stage,), check_seconds=30, clean_up=CleanUpPolicy.ALWAYS, **told)


def read(row=ROW):
    return get_payload("read", "s3://b/k").model_copy(update={"retry": row})


def ended(run, seconds, **told):
    stage = run.stages[0]
    about = {"run_id": "r1", "at": at(seconds), "stage": stage.stage_name}
    return CallEnded(**about, attempt=stage.attempts, **told)


def silent(run, seconds):
    return decide(run, ended(run, seconds, error="no answer", is_passing=True))


def test_each_wait_is_twice_the_one_before_and_then_the_stage_fails():
    run, _ = decide(None, requested(plan(read())))
    now, waits = 0.0, []
    while run.stages[0].status is not StageStatus.ERROR:
        run, commands = silent(run, now)
        stage = run.stages[0]
        if stage.retry_at is not None:
            assert WakeAt(at=stage.retry_at) in commands
            waits.append((stage.retry_at - at(now)).total_seconds())
            now += waits[-1]
            run, commands = decide(run, TimerFired(run_id="r1", at=at(now)))
            assert MakeCall(stage="read", attempt=len(waits) + 1) in commands
    assert waits == [4, 8, 16]
    assert run.state is RunState.ERROR
    assert (run.error.cause, run.error.message) == ("call", "no answer")


@pytest.mark.parametrize(
    ("stage", "longest"),
    [
        (get_payload("x", "s3://b/k"), [3, 6, 12, 24, 48]),
        (register("x", {}), [3, 6, 12, 24, 48, 96, 192]),
        (invoke("x", "f", {}), [2, 4, 8, 16, 32, 64]),
    ],
    ids=["S3", "Batch", "Lambda"],
)
def test_the_operations_wait_within_the_rows_of_the_table(stage, longest):
    run, _ = decide(None, requested(plan(stage)))
    now, waits = 0.0, []
    for _ in longest:
        run, _ = silent(run, now)
        waits.append((run.stages[0].retry_at - at(now)).total_seconds())
        now += waits[-1]
        run, _ = decide(run, TimerFired(run_id="r1", at=at(now)))
    assert all(0 <= wait <= most for wait, most in zip(waits, longest, strict=True))
    assert (waits == longest) == (stage.name == "x" and longest[0] == 2)
    run, _ = silent(run, now)
    assert run.stages[0].status is StageStatus.ERROR


def test_waits_with_jitter_are_drawn_anew_for_every_run():
    stage = get_payload("x", "s3://b/k")
    waits = set()
    for letter in "bcdef":
        run, _ = decide(None, requested(plan(stage), uid=letter * 20))
        run, _ = silent(run, 0)
        waits.add(run.stages[0].retry_at)
    assert len(waits) == 5
    assert all(at(0) <= one < at(3) for one in waits)
    assert all(one != other for one, other in pairwise(sorted(waits)))


def test_what_failed_for_good_is_not_made_again_unless_the_user_wants_it():
    told = {"error": "no", "cause": "function"}
    run, _ = decide(None, requested(plan(read())))
    after, _ = decide(run, ended(run, 1, **told))
    assert (after.state, after.error.cause) == (RunState.ERROR, "function")
    again = plan(read(), retry_policy=RetryPolicy.STAGE, max_attempts=2)
    run, _ = decide(None, requested(again))
    run, _ = silent(run, 1)
    run, _ = decide(run, TimerFired(run_id="r1", at=at(5)))
    run, _ = decide(run, ended(run, 6, **told))
    assert run.stages[0].status is StageStatus.RETRY
    run, _ = decide(run, TimerFired(run_id="r1", at=at(60)))
    run, _ = decide(run, ended(run, 61, **told))
    assert (run.state, run.stages[0].attempts) == (RunState.ERROR, 3)


def test_a_closing_call_is_made_again_and_does_not_change_how_the_run_ended():
    first, last = read(), deregister("end", ("function",))
    both = Plan(stages=(first, last), check_seconds=30, clean_up=CleanUpPolicy.ALWAYS)
    run, _ = decide(None, requested(both))
    run, _ = decide(run, ended(run, 1, result=5))
    assert run.state is RunState.SUCCESS
    told = {"run_id": "r1", "stage": "end", "error": "no answer", "is_passing": True}
    for number in range(1, 9):
        run, _ = decide(run, CallEnded(**told, at=at(number * 300), attempt=number))
        run, _ = decide(run, TimerFired(run_id="r1", at=at(number * 300 + 200)))
    assert (run.state, run.stage("end").status) == (RunState.SUCCESS, StageStatus.ERROR)
    assert run.settled_at is not None


class Broken:
    """Objects of which every one answers with the same error."""

    def __init__(self, error):
        self.error = error

    def list(self, uri):
        raise self.error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Unavailable("later"), {"error": "later", "is_passing": True, "cause": "call"}),
        (TurnedAway("busy"), {"error": "busy", "is_passing": True, "cause": "call"}),
        (Refused("never"), {"error": "never", "is_passing": False, "cause": "call"}),
        (NotFound("gone"), {"error": "gone", "is_passing": False, "cause": "call"}),
        (StepFailed("bad", cause="function"), {"error": "bad", "cause": "function"}),
    ],
)
def test_performing_tells_what_may_pass_from_what_never_will(tmp_path, error, told):
    ports = World(tmp_path).ports._replace(objects=Broken(error))
    run, _ = decide(None, requested(plan(read()), uid=UID))
    (call,) = prompt(run)
    (event,) = perform(call, run, ports)
    assert {name: getattr(event, name) for name in told} == told


def test_a_call_without_a_row_stays_owed(tmp_path):
    ports = World(tmp_path).ports._replace(objects=Broken(Unavailable("later")))
    stage = StagePlan(name="read", action=read().action)
    run, _ = decide(None, requested(plan(stage)))
    (call,) = prompt(run)
    with pytest.raises(Unavailable):
        perform(call, run, ports)


def test_a_row_is_measured_in_seconds():
    assert timedelta(seconds=ROW.wait_seconds(1, 0)) == timedelta(seconds=4)
