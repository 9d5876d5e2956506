"""Laws of the work queue under any order of deposits, withdrawals, updates, deletions and audits.

A work is never lost, never held by two, and never runs more often than its retries allow. The
store is SQLite's, the clock moves when the test says so, and workers may lose their memory (a
crash) or come back long after their time.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from chalicelib.local.database import Database
from chalicelib.local.work_store import open_work_ports
from chalicelib.works import audits, buckets

PIPELINES = ["a", "b"]
SITES = ["near", "far"]
TIMEOUT = 60
SEEDS = st.fixed_dictionaries(
    {
        "pipeline": st.sampled_from(PIPELINES),
        "site": st.sampled_from(SITES),
        "priority": st.integers(1, 5),
        "retries": st.integers(-1, 3),
    }
)


class Queue(RuleBasedStateMachine):
    """A queue, its workers, and what must be so at any time."""

    works = Bundle("works")
    leases = Bundle("leases")

    def __init__(self):
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.database = Database(Path(self._folder.name))
        serials = count(0, 1000)  # which of two works of one moment comes first must be no chance
        self.ports = open_work_ports(self.database)._replace(
            mint_entropy=lambda: next(serials), pause=lambda _: None
        )
        self.now = datetime(2026, 5, 1, tzinfo=UTC)
        self.retries = {}
        self.runs = Counter()
        self.deleted = set()

    def teardown(self):
        self.database.close()
        self._folder.cleanup()

    def documents(self):
        return {work["id"]: work for work in buckets.view({"query": {}}, self.ports)}

    @rule(seconds=st.sampled_from([0, 1, TIMEOUT, TIMEOUT + 1]))
    def time_passes(self, seconds):
        self.now += timedelta(seconds=seconds)

    @initialize(target=works, seeds=st.lists(SEEDS, min_size=4, max_size=8))
    def begin(self, seeds):
        return multiple(*self.put(seeds))

    @rule(target=works, seeds=st.lists(SEEDS, min_size=1, max_size=2))
    def deposit(self, seeds):
        return multiple(*self.put(seeds))

    def put(self, seeds):
        common = {"user": "u", "timeout": TIMEOUT}
        ids = buckets.deposit([common | seed for seed in seeds], self.ports, self.now)
        self.retries |= {
            work_id: seed["retries"] for work_id, seed in zip(ids, seeds, strict=True)
        }
        return ids

    @rule(
        target=leases,
        pipelines=st.sampled_from([PIPELINES, ["a"], ["b"]]),
        site=st.sampled_from([None, None, *SITES]),
        priority=st.sampled_from([None, None, 3]),
    )
    def withdraw(self, pipelines, site, priority):
        asked = {"site": site, "priority": priority}
        given = {name: value for name, value in asked.items() if value is not None}
        waiting = [
            work
            for work in self.documents().values()
            if work["status"] == "queued"
            and work["pipeline"] in pipelines
            and all(work[name] == value for name, value in given.items())
        ]
        query = {"pipeline": {"$in": pipelines}, **given}
        work = buckets.withdraw(query, self.ports, self.now)
        if work is None:
            assert not waiting
            return multiple()
        first = min(waiting, key=lambda each: (-each["priority"], each["creation"], each["id"]))
        assert work["id"] == first["id"]
        assert (work["status"], work["start"]) == ("running", self.now.timestamp())
        self.runs[work["id"]] += 1
        assert work["attempt"] == self.runs[work["id"]]
        return work

    @rule(lease=leases, status=st.sampled_from(["running", "success", "failure"]))
    def update(self, lease, status):
        """By whoever had it last, or by one whose lease was lost long ago."""
        if lease["id"] in self.deleted:
            return
        before = self.documents()[lease["id"]]
        is_held = lease["attempt"] == self.runs[lease["id"]]
        new = {**lease, "status": status}
        assert buckets.update([new], self.ports) is is_held
        assert self.documents()[lease["id"]] == (new if is_held else before)

    @rule(lease=consumes(leases))
    def crash(self, lease):
        """A worker forgets what it had."""

    @rule(work_id=consumes(works))
    def delete(self, work_id):
        assert buckets.delete([work_id, work_id], self.ports) is True
        self.deleted.add(work_id)

    @rule()
    def audit(self):
        """As the daemon does: what expired now is tried again by the next one."""
        failed = self.in_state("failure", lambda work: work["attempt"] < work["retries"])
        assert audits.audit_failed(self.ports) == len(failed)
        assert failed <= self.in_state("queued")
        now = self.now.timestamp()
        overdue = self.in_state("running", lambda work: work["start"] + TIMEOUT < now)
        assert audits.audit_expired(self.ports, self.now) == len(overdue)
        assert overdue <= self.in_state("failure")

    @rule(target=leases, lease=leases)
    def run_out(self, lease):
        """A worker is late, and its work goes to another one."""
        self.now += timedelta(seconds=TIMEOUT + 1)
        self.audit()
        self.audit()
        mine = {"pipeline": {"$in": [lease["pipeline"]]}, "id": lease["id"]}
        work = buckets.withdraw(mine, self.ports, self.now)
        if work is None:
            return multiple()
        self.runs[work["id"]] += 1
        return work

    def in_state(self, status, condition=lambda work: True):
        works = self.documents().values()
        return {work["id"] for work in works if work["status"] == status and condition(work)}

    @invariant()
    def no_work_is_lost(self):
        assert self.documents().keys() == self.retries.keys() - self.deleted

    @invariant()
    def none_runs_more_often_than_it_may(self):
        assert all(runs <= max(1, self.retries[work]) for work, runs in self.runs.items())

    @invariant()
    def the_counters_are_right(self):
        documents = self.documents().values()
        counted = Counter(work["status"] for work in documents)
        names = ("queued", "running", "success", "failure")
        expected = {"total": len(documents), **{name: counted[name] for name in names}}
        assert buckets.status(self.ports) == expected
        held = {work["pipeline"] for work in documents}
        assert buckets.pipelines(self.ports) == sorted(held)


TestQueue = Queue.TestCase
TestQueue.settings = settings(
    max_examples=30,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
