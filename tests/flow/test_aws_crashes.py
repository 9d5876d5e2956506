"""A Lambda is killed before and after every call that it makes to AWS in a whole run.

Afterwards the message that got no answer is delivered again, as SQS does, and the sweep comes by.
However it died, the run ends in SUCCESS and Batch accepted every job exactly once. That is the
crash matrix of ``test_crashes.py`` once more, a layer further down: botocore's hooks count calls.

Each death costs a second on moto. Only the campaign takes every call; otherwise those that submit
jobs and every ninth of the others are taken.
"""

from __future__ import annotations

from contextlib import suppress

import pytest

from tests.flow.aws_worlds import AwsWorld, a_request, assert_succeeded, aws_account
from tests.flow.worlds import Killed

ENOUGH_ROUNDS = 12
WAYS = [
    pytest.param(False, False, id="events arrive, a sample of the calls"),
    pytest.param(False, True, id="events arrive", marks=pytest.mark.campaign),
    pytest.param(True, False, id="events are lost, a sample of the calls"),
    pytest.param(True, True, id="events are lost", marks=pytest.mark.campaign),
]


@pytest.fixture
def world():
    with aws_account() as world:
        yield world


def live(world: AwsWorld, run_id: str, *, is_lossy: bool):
    """Play a whole run, through at most one death. A new process has forgotten everything."""
    for _ in range(2):
        with suppress(Killed):
            world.restart()
            world.submit_by_queue(a_request(run_id))
            break
    for _ in range(ENOUGH_ROUNDS):
        with suppress(Killed):
            for job_id in world.waiting(run_id):
                world.finish(job_id)
                if not is_lossy:
                    world.tell(job_id, "SUCCEEDED")
            run = world.run(run_id)
            if run.settled_at is not None:
                return run
            if is_lossy or not world.waiting(run_id):
                world.pass_time()
                world.sweep()
            continue
        world.restart()
    return world.run(run_id)


def sampled(trace, *, is_whole):
    """Yield the calls to die at, counted from 1, and what they are."""
    every = [(at, name) for at, name in enumerate(trace, 1)]
    if is_whole:
        return every
    return [call for call in every if call[0] % 9 == 2 or call[1] == "batch.SubmitJob"]


@pytest.mark.parametrize(("is_lossy", "is_whole"), WAYS)
@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
def test_a_run_survives_death_at_any_call(world, is_after, is_lossy, is_whole):
    live(world, "warm", is_lossy=is_lossy)
    world.dying.reset()
    assert_succeeded(world, live(world, "dry", is_lossy=is_lossy))
    trace = world.dying.trace
    assert len(trace) > 50
    for at, name in sampled(trace, is_whole=is_whole):
        world.dying.reset(at, is_after=is_after)
        where = f"call {at}, {name}"
        run = live(world, f"run{at}", is_lossy=is_lossy)
        assert len(world.dying.trace) >= at, where
        assert run.settled_at is not None, where
        assert_succeeded(world, run)
        assert all(job.is_own or job.is_absent for job in run.jobs), where
