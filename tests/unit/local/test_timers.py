"""How wake-up calls come out of the embedded home."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from tests.contract.openers import NOON, LocalOpener


@pytest.fixture
def opener(tmp_path) -> LocalOpener:
    return LocalOpener(tmp_path / "root")


@pytest.fixture
def timers(opener):
    return opener.home().timers


def test_a_call_comes_out_once_and_not_a_moment_too_early(timers):
    timers.wake("r1", NOON)
    assert timers.take_due(NOON - timedelta(microseconds=1)) == ()
    assert timers.take_due(NOON) == ("r1",)
    assert timers.take_due(NOON) == ()


def test_the_same_call_twice_is_one(timers):
    timers.wake("r1", NOON)
    timers.wake("r1", NOON)
    assert timers.take_due(NOON) == ("r1",)
    assert timers.take_due(NOON) == ()


def test_a_later_call_does_not_displace_an_earlier_one(timers):
    timers.wake("r1", NOON)
    timers.wake("r1", NOON + timedelta(hours=1))
    assert timers.take_due(NOON) == ("r1",)
    assert timers.take_due(NOON + timedelta(hours=2)) == ("r1",)


def test_calls_come_out_earliest_first_and_each_run_once(timers):
    for run_id, minutes in [("b", 2), ("a", 3), ("c", 1), ("b", 0)]:
        timers.wake(run_id, NOON + timedelta(minutes=minutes))
    assert timers.take_due(NOON + timedelta(minutes=5)) == ("b", "c", "a")


def test_each_call_is_taken_by_one(opener, timers):
    for number in range(100):
        timers.wake(f"r{number}", NOON)
    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(lambda _: opener.home().timers.take_due(NOON), range(8)))
    assert sorted(sum(taken, ())) == sorted(f"r{number}" for number in range(100))
