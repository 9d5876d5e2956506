"""Two Lambdas at once on the same event, round after round: Batch accepts one job.

Both begin at a barrier, and threads take turns after every few instructions.
"""

from __future__ import annotations

import threading

import pytest

import app
from chalicelib.core.errors import StaleRun, Unavailable
from tests.contract.openers import nimble_threads
from tests.flow.aws_worlds import AwsWorld, a_request, aws_account, job_event, messages
from tests.flow.test_aws_events import without_data

ROUNDS = [
    pytest.param(100, id="100 rounds"),
    pytest.param(1000, id="1000 rounds", marks=pytest.mark.campaign),
]


@pytest.fixture
def world():
    """Chalice builds a handler's middleware at its first event, which two threads cannot."""
    with aws_account() as world:
        world.submit_by_queue(without_data("first"))
        (job_id,) = world.waiting("first")
        world.tell(job_id, "RUNNING")
        with nimble_threads():
            yield world


def at_once(handler: str, *events: object) -> list[BaseException]:
    """Invoke the handler once per event, all at the same time; return what was raised.

    Chalice's client changes the environment while it invokes, which two threads cannot.
    """
    barrier = threading.Barrier(len(events))
    raised: list[BaseException] = []

    def invoke(event: object) -> None:
        barrier.wait()
        try:
            app.app.handler_map[handler](event, None)
        except BaseException as exc:  # noqa: BLE001  (the test looks at it)
            raised.append(exc)

    threads = [threading.Thread(target=invoke, args=(event,)) for event in events]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def again(world: AwsWorld, handler: str, event: object, raised: list[BaseException]) -> None:
    """What was not handled is delivered again; nothing else may have gone wrong."""
    assert all(isinstance(each, StaleRun | Unavailable) for each in raised), raised
    if raised:
        world.pass_time(1)
        app.app.handler_map[handler](event, None)


@pytest.mark.parametrize("rounds", ROUNDS)
def test_one_message_delivered_to_two_at_once_is_one_job(world, rounds):
    for number in range(rounds):
        run_id = f"run{number}"
        event = messages(without_data(run_id))
        world.pass_time(1)
        again(world, "on_submission", event, at_once("on_submission", event, event))
        assert world.accepted(run_id) == {"stage-in": 1}


@pytest.mark.parametrize("rounds", ROUNDS)
def test_one_end_of_a_job_told_to_two_at_once_is_one_job_more(world, rounds):
    for number in range(rounds):
        run_id = f"run{number}"
        world.submit_by_queue(a_request(run_id))
        (job_id,) = world.waiting(run_id)
        world.finish(job_id)
        world.pass_time(1)
        event = job_event(world.jobs[job_id], "SUCCEEDED")
        again(world, "on_job_change", event, at_once("on_job_change", event, event))
        assert world.accepted(run_id) == {"stage-in": 1, "execute": 1}
