"""A group's tally in a real store: many submit at once, and never more than the quota get in."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from types import SimpleNamespace

import pytest

from chalicelib import quotas
from chalicelib.core.errors import TooManyRequests, Unavailable
from chalicelib.core.events import RunRequested
from chalicelib.core.group_rules import GroupRules, Quota
from chalicelib.core.plans.plan import Plan
from chalicelib.core.quotas import GRACE
from chalicelib.core.site import Site
from tests.contract.openers import HOMES_OF_STATE, NOON, a_run, nimble_threads

pytestmark = pytest.mark.parametrize("opener", HOMES_OF_STATE, indirect=True)

GROUP = "default"
PLAN = Plan(stages=())


class Submitter:
    """What a process of ours does with a quota, on stores of its own."""

    def __init__(self, opener, quota, now=NOON):
        state = opener.open()
        self.runs = state.runs
        self.ports = SimpleNamespace(
            runs=state.runs,
            documents=opener.documents(now),
            site=Site(groups={GROUP: GroupRules(quota=quota)}),
            clock=lambda: now,
            pause=lambda _: None,
        )
        self.now = now

    def admit(self, run_id):
        event = RunRequested(
            run_id=run_id, at=self.now, uid="a" * 20, kind="k", group=GROUP, plan=PLAN
        )
        quotas.admit_new(event, self.ports)

    def submit(self, run_id):
        self.admit(run_id)
        return self.runs.save(a_run(run_id))

    def settle(self, run):
        return self.runs.save(run.model_copy(update={"settled_at": NOON}))

    def is_admitted(self, run_id):
        while True:
            try:
                self.submit(run_id)
            except TooManyRequests:
                return False
            except Unavailable:  # too many at once: as a client would, it tries again
                continue
            return True


def test_of_many_at_once_as_many_get_in_as_the_quota_says(opener):
    count, quota = 8, Quota(live_runs=3, submissions_per_minute=100)
    barrier = Barrier(count)

    def one(number):
        submitter = Submitter(opener, quota)
        barrier.wait()
        return submitter.is_admitted(f"r{number}")

    with nimble_threads(), ThreadPoolExecutor(count) as pool:
        assert sum(pool.map(one, range(count))) == 3
    assert not Submitter(opener, quota).is_admitted("late")


def test_the_same_run_from_many_at_once_takes_one_place(opener):
    count, quota = 4, Quota(live_runs=2)
    barrier = Barrier(count)

    def one(_):
        submitter = Submitter(opener, quota)
        barrier.wait()
        submitter.admit("same")

    with nimble_threads(), ThreadPoolExecutor(count) as pool:
        list(pool.map(one, range(count)))
    assert Submitter(opener, quota).is_admitted("other")
    assert not Submitter(opener, quota).is_admitted("third")


def test_the_place_of_a_run_that_has_settled_is_free_at_once(opener):
    submitter = Submitter(opener, Quota(live_runs=1))
    run = submitter.submit("r1")
    assert not submitter.is_admitted("r2")
    submitter.settle(run)
    assert submitter.is_admitted("r2")


def test_of_a_run_that_was_never_created_the_place_is_free_after_the_grace(opener):
    quota = Quota(live_runs=1)
    Submitter(opener, quota).admit("never")
    assert not Submitter(opener, quota, NOON + GRACE).is_admitted("r2")
    assert Submitter(opener, quota, NOON + GRACE + timedelta(seconds=1)).is_admitted("r2")


def test_a_run_that_is_there_is_let_through_whatever_the_quota(opener):
    submitter = Submitter(opener, Quota(live_runs=1))
    submitter.settle(submitter.submit("r1"))
    submitter.submit("r2")
    submitter.admit("r1")


def test_behind_many_live_runs_the_ones_that_are_over_are_found_in_the_end(opener, monkeypatch):
    monkeypatch.setattr(quotas, "LOOKED_AT", 2)
    submitter = Submitter(opener, Quota(live_runs=5))
    runs = [submitter.submit(f"r{number}") for number in range(5)]
    submitter.settle(runs[4])
    assert [submitter.is_admitted("new") for _ in range(3)] == [False, False, True]


def test_a_group_without_a_quota_costs_nothing(opener):
    submitter = Submitter(opener, None)
    submitter.ports.documents = submitter.ports.runs = None
    submitter.admit("r1")


def test_a_tally_of_the_most_live_runs_fits_its_document(opener):
    submitter = Submitter(opener, Quota(live_runs=1000))
    at = NOON.isoformat()
    held = [
        {"run_id": f"{number:0128}", "vcpus": 1024.25, "gpus": 128.25, "at": at}
        for number in range(999)
    ]
    submitter.ports.documents.save(quotas.PARTITION, GROUP, {"entries": held})
    assert submitter.is_admitted("last")
