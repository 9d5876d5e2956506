"""Orders that no stage waits for: what the ports are told, and what comes back."""

from __future__ import annotations

from datetime import datetime

import pytest

from chalicelib.core.commands import Announce, SubmitJob, WakeParent
from chalicelib.core.events import Announced, SubmissionStarted, SubmissionUnclear
from chalicelib.core.lifecycle import decide
from chalicelib.core.plans.announcements import Announcement, Target
from chalicelib.perform import perform
from tests.flow.worlds import World
from tests.unit.runs import at, requested
from tests.unit.test_lifecycle_attempts import a_chain


class Timers:
    """Keeps who is to be woken."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, datetime]] = []

    def wake(self, run_id: str, when: datetime) -> None:
        self.asked.append((run_id, when))


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path)


def test_it_is_the_parent_that_is_woken(world):
    timers = Timers()
    run = decide(None, requested()).run
    order = WakeParent(run_id="p", at=at(3))
    assert list(perform(order, run, world.ports._replace(timers=timers))) == []
    assert timers.asked == [("p", at(3))]


def test_what_was_announced_is_reported(world):
    told = Announcement(states=("PENDING",), targets=(Target(kind="mail", name="a@example.org"),))
    run = decide(None, requested(a_chain("a", notices=(told,)))).run
    (event,) = perform(Announce(key="1:PENDING"), run, world.ports)
    assert event == Announced(run_id="r1", at=world.now, keys=("1:PENDING",))


def test_who_slept_through_half_of_the_grace_submits_no_more_and_says_so(world):
    run = decide(None, requested(a_chain("a"))).run
    run = decide(run, SubmissionStarted(run_id="r1", at=world.now, stage="a", serial=1)).run
    world.pass_time(run.plan.submit_grace_seconds / 2 + 1)
    events = list(perform(SubmitJob(stage="a", serial=1), run, world.ports))
    assert events == [SubmissionUnclear(run_id="r1", at=world.now, stage="a", serial=1)]
    assert world.batch.accepted.total() == 0
