"""What every Pace does: a second's turns run out where they are counted; the next has its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from tests.contract.openers import HOMES_OF_STATE, NOON

pytestmark = pytest.mark.parametrize("opener", HOMES_OF_STATE, indirect=True)

MOST = {"local": None, "moto": 45, "dynalite": 45}
"""Turns in a second; None: one machine's queue takes what comes."""


@pytest.fixture
def most(request):
    return MOST[request.node.callspec.params["opener"]]


def test_the_first_turn_is_given(ports):
    assert ports.pace.admit(NOON)


def test_no_second_has_more_turns_than_it_may(opener, ports, most):
    def ask(number):
        return ports.pace.admit(NOON + timedelta(milliseconds=number))

    with ThreadPoolExecutor(8) as pool:
        given = sum(pool.map(ask, range(80)))
    assert given == (most or 80)


def test_every_second_has_turns_of_its_own(opener, most):
    for _ in range(most or 80):
        opener.open().pace.admit(NOON)
    assert opener.open().pace.admit(NOON + timedelta(microseconds=999_999)) is (most is None)
    assert opener.open().pace.admit(NOON + timedelta(seconds=1))
