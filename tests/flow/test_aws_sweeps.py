"""What the sweep makes up for: events that were lost, or that come after it."""

from __future__ import annotations

import pytest

from tests.flow.aws_worlds import ORDER, a_request, assert_succeeded, aws_account

EVENTS = ("RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED")


@pytest.fixture
def world():
    """An account without other tests' runs."""
    with aws_account() as world:
        yield world


def test_the_first_copy_of_every_event_is_lost(world):
    """What is left is one report of the end, after the sweep looked in vain."""
    world.submit_by_queue(a_request("lost-first"))
    for _ in ORDER:
        (job_id,) = world.waiting("lost-first")
        world.pass_time()
        world.sweep()
        world.finish(job_id)
        world.tell(job_id, "SUCCEEDED")
    assert_succeeded(world, world.run("lost-first"))


def test_all_events_are_lost(world):
    world.submit_by_queue(a_request("deaf"))
    for _ in ORDER:
        (job_id,) = world.waiting("deaf")
        world.finish(job_id)
        world.pass_time()
        world.sweep()
    assert_succeeded(world, world.run("deaf"))


def test_events_come_behind_the_sweep(world):
    world.submit_by_queue(a_request("late"))
    for _ in ORDER:
        (job_id,) = world.waiting("late")
        world.finish(job_id)
        world.pass_time()
        world.sweep()
        before = world.run("late")
        for status in EVENTS:
            world.tell(job_id, status)
        assert world.run("late").version == before.version
    assert_succeeded(world, world.run("late"))
