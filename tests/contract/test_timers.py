"""What every Timers does; how the calls come out is each home's own business."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.contract.openers import NOON

pytestmark = pytest.mark.parametrize("opener", ["local", "moto"], indirect=True)


@pytest.fixture
def timers(ports):
    return ports.timers


def test_a_call_whose_time_has_come_comes_out(opener, timers):
    timers.wake("r1", NOON)
    assert opener.fired(NOON) == ("r1",)
    assert opener.fired(NOON) == ()


def test_a_call_for_a_time_gone_by_comes_out(opener, timers):
    timers.wake("r1", NOON - timedelta(days=1))
    assert opener.fired(NOON) == ("r1",)


@pytest.mark.parametrize("minutes", [5, 15, 60, 60 * 24 * 365], ids=lambda value: f"{value} min")
def test_a_call_does_not_come_out_before_its_time(opener, timers, minutes):
    timers.wake("later", NOON + timedelta(minutes=minutes))
    timers.wake("now", NOON)
    assert opener.fired(NOON) == ("now",)


def test_the_same_call_twice_wakes_nobody_else(opener, timers):
    timers.wake("r1", NOON)
    timers.wake("r1", NOON)
    assert set(opener.fired(NOON)) == {"r1"}
    assert opener.fired(NOON) == ()


def test_calls_for_many_runs_all_come_out(opener, timers):
    for number in range(25):
        timers.wake(f"r{number}", NOON)
    assert sorted(opener.fired(NOON)) == sorted(f"r{number}" for number in range(25))


def test_a_call_outlives_who_made_it(opener):
    opener.open().timers.wake("r1", NOON)
    assert opener.fired(NOON) == ("r1",)
