"""Quotas: never more than the quota, under any interleaving of those who take it up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core.errors import Forbidden
from chalicelib.core.group_rules import Quota
from chalicelib.core.plans.plan import JobAction, NoAction, Plan, StagePlan
from chalicelib.core.quotas import (
    GRACE,
    RETRY_SECONDS,
    Entry,
    Found,
    Over,
    Tally,
    admit,
    check_fits,
    is_over,
    looked_through,
    most_at_once,
    to_look_at,
)

AT = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def entry(name="r1", at=AT, **fields):
    return Entry(run_id=name, at=at, **fields)


def tally_of(*entries, quota=None, at=AT):
    tally = Tally()
    for each in entries:
        admitted = admit(tally, each, quota or Quota(live_runs=1000), at)
        assert isinstance(admitted, Tally)
        tally = admitted
    return tally


@pytest.mark.parametrize(
    ("quota", "over"),
    [
        ({}, None),
        ({"live_runs": 3}, None),
        ({"live_runs": 2}, Over("live_runs", 2, RETRY_SECONDS)),
        ({"vcpus": 12}, None),
        ({"vcpus": 11.5}, Over("vcpus", 11.5, RETRY_SECONDS)),
        ({"gpus": 3}, None),
        ({"gpus": 2}, Over("gpus", 2, RETRY_SECONDS)),
    ],
    ids=str,
)
def test_what_is_in_use_and_what_is_wanted_are_at_most_the_quota(quota, over):
    held = tally_of(entry("a", vcpus=4, gpus=1), entry("b", vcpus=4, gpus=1))
    decided = admit(held, entry("c", vcpus=4, gpus=1), Quota.model_validate(quota), AT)
    if over is None:
        assert isinstance(decided, Tally)
    else:
        assert decided == over


def test_a_run_takes_one_place_however_often_it_is_submitted():
    quota = Quota(live_runs=1, submissions_per_minute=1)
    once = admit(Tally(), entry(), quota, AT)
    again = admit(once, entry(at=AT + SECOND), quota, AT + SECOND)
    assert again == Tally(entries=(entry(at=AT + SECOND),), seconds=once.seconds)
    assert admit(again, entry("r2"), quota, AT + SECOND) == Over("submissions_per_minute", 1, 60)


def test_a_run_that_begins_again_keeps_its_place_and_is_a_submission():
    quota = Quota(live_runs=1, submissions_per_minute=2)
    held = tally_of(entry(), quota=quota)
    again = admit(held, entry(generation=2), quota, AT)
    assert [each.generation for each in again.entries] == [2]
    assert sum(again.seconds.values()) == 2
    assert isinstance(admit(again, entry(generation=3), quota, AT), Over)


@pytest.mark.parametrize(
    ("fields", "over"),
    [
        ({"vcpus": 4}, None),
        ({"vcpus": 9}, "vcpus"),
        ({"vcpus": 4, "gpus": 2}, "gpus"),
        ({"vcpus": 1}, None),
    ],
    ids=str,
)
def test_who_deletes_a_run_and_takes_its_id_again_gets_its_place_and_no_more(fields, over):
    quota = Quota(live_runs=2, vcpus=12, gpus=1)
    held = tally_of(entry("a", uid="1", vcpus=4), entry("b", vcpus=4), quota=quota)
    decided = admit(held, entry("a", uid="2", **fields), quota, AT)
    assert getattr(decided, "quota", None) == over


def test_another_run_under_the_same_id_is_a_submission_more():
    quota = Quota(submissions_per_minute=1, live_runs=1)
    held = tally_of(entry(uid="1"), quota=quota)
    assert admit(held, entry(uid="2"), quota, AT).quota == "submissions_per_minute"


def test_who_takes_the_id_of_a_deleted_child_needs_a_place_for_a_run():
    quota = Quota(live_runs=1, vcpus=9)
    held = tally_of(entry("parent"), entry("a", is_child=True), quota=quota)
    assert admit(held, entry("a", uid="2"), quota, AT).quota == "live_runs"


def test_a_run_that_another_one_started_counts_with_its_processors_only():
    quota = Quota(live_runs=1, submissions_per_minute=1, vcpus=2)
    held = admit(
        tally_of(entry("parent"), quota=quota), entry("a", is_child=True, vcpus=2), quota, AT
    )
    assert [each.run_id for each in held.entries] == ["parent", "a"]
    assert admit(held, entry("b", is_child=True, vcpus=1), quota, AT).quota == "vcpus"
    assert admit(held, entry("other"), quota, AT + 99 * SECOND).quota == "live_runs"


def test_no_tally_outgrows_its_document():
    held = Tally(entries=tuple(entry(f"r{n}", is_child=True) for n in range(1000)))
    for wanted in (entry("r"), entry("r", is_child=True)):
        assert isinstance(admit(held, wanted, Quota(vcpus=10**6), AT), Over)


def test_a_quota_that_counts_no_runs_keeps_no_entries():
    assert tally_of(entry(), quota=Quota(submissions_per_minute=5)).entries == ()


@pytest.mark.parametrize(
    ("after", "retry"), [(0, 61), (0.5, 61), (30, 31), (60, 1), (60.999, 1), (61, None)], ids=str
)
def test_a_minutes_submissions_are_forgotten_when_it_has_passed(after, retry):
    quota = Quota(submissions_per_minute=1)
    held = tally_of(entry(), quota=quota)
    decided = admit(held, entry("r2"), quota, AT + after * SECOND)
    if retry is None:
        assert sum(decided.seconds.values()) == 1
    else:
        assert decided == Over("submissions_per_minute", 1, retry)


@pytest.mark.parametrize(
    ("found", "age", "expected"),
    [
        (Found(1, has_settled=False), 10**6, False),
        (Found(1, has_settled=True), 0, True),
        (Found(2, has_settled=False), 10**6, False),
        (None, 0, False),
        (None, GRACE.total_seconds(), False),
        (None, GRACE.total_seconds() + 1, True),
    ],
    ids=["live", "settled", "begun again", "not yet there", "at the grace", "never created"],
)
def test_an_entry_counts_until_its_run_settles_or_was_never_created(found, age, expected):
    assert is_over(entry(), found, AT + age * SECOND) is expected


def test_a_run_that_is_about_to_begin_again_counts_though_it_has_settled():
    begun = entry(generation=2)
    assert not is_over(begun, Found(1, has_settled=True), AT + SECOND)
    assert is_over(begun, Found(1, has_settled=True), AT + GRACE + SECOND)
    assert is_over(begun, Found(2, has_settled=True), AT)


def test_those_nobody_has_looked_at_for_longest_are_looked_at_first():
    held = tally_of(*(entry(f"r{n}", at=AT + n * SECOND) for n in range(5)))
    first = to_look_at(held, 2)
    assert [each.run_id for each in first] == ["r0", "r1"]
    later = looked_through(held, 2, [first[0]])
    assert [each.run_id for each in to_look_at(later, 9)] == ["r2", "r3", "r4", "r1"]


def test_looking_at_all_changes_nothing_unless_some_are_over():
    held = tally_of(entry("a"), entry("b"))
    assert looked_through(held, 2, []) == held


@pytest.mark.parametrize(("name", "limit"), [("vcpus", 3), ("gpus", 0)])
def test_a_run_larger_than_the_whole_quota_is_told_that_waiting_will_not_help(name, limit):
    with pytest.raises(Forbidden) as caught:
        check_fits(entry(vcpus=4, gpus=1), Quota.model_validate({name: limit}))
    assert caught.value.field == f"resource_requirements.{name}"
    assert str(limit) in caught.value.mend


def job(**amounts):
    told = tuple({"type": kind, "value": str(value)} for kind, value in amounts.items())
    return JobAction(definition="d", queue="q", resource_requirements=told)


def stage(name, action, *after, **fields):
    return StagePlan(name=name, action=action, after=after, **fields)


PLANS = {
    "nothing to do": ([stage("a", NoAction())], (0, 0)),
    "one after the other": (
        [stage("a", job(VCPU=1)), stage("b", job(VCPU=8, GPU=2), "a"), stage("c", job(), "b")],
        (8, 2),
    ),
    "beside each other": (
        [stage("a", job(VCPU=1)), stage("b", job(VCPU=2), "a"), stage("c", job(VCPU=4), "a")],
        (6, 0),
    ),
    "at the end": (
        [stage("a", job(VCPU=2)), stage("z", job(VCPU=3), is_closing=True)],
        (3, 0),
    ),
    "no amount": ([stage("a", job(MEMORY=1024))], (1, 0)),
    "no number": ([stage("a", job(VCPU="1.2.3"))], (1, 0)),
    "a quarter": ([stage("a", job(VCPU="0.25"))], (0.25, 0)),
    "its other jobs": (
        [stage("a", job(VCPU=1).model_copy(update={"fan_out": job(VCPU=2, GPU=1)}))],
        (2, 1),
    ),
}


@pytest.mark.parametrize("name", PLANS)
def test_a_run_counts_with_the_most_that_it_can_have_at_one_time(name):
    stages, expected = PLANS[name]
    assert most_at_once(Plan(stages=tuple(stages))) == expected


class Model:
    """Submitters, one group's tally under its version, and runs that come and go.

    A submitter loads, decides, saves, and then creates its run, unless it dies in between; every
    such step is one of ``steps``, in any order. Runs settle at any time.
    """

    def __init__(self, quota):
        self.quota = quota
        self.at = AT
        self.tally, self.version = Tally(), 0
        self.runs = {}
        self.sizes = {}
        self.starts = []
        self.hands = {}

    def step(self, number, kind, amount):
        getattr(self, kind)(f"r{number}", amount)
        live = [name for name, found in self.runs.items() if not found.has_settled]
        assert len(live) <= self.quota.live_runs
        assert sum(self.sizes[name] for name in live) <= self.quota.vcpus
        recent = [at for at in self.starts if self.at - at < 60 * SECOND]
        assert len(recent) <= self.quota.submissions_per_minute

    def load(self, name, amount):
        """Begin, with what is stored at this moment."""
        known = self.runs.get(name)
        if known is not None and not known.has_settled:
            return
        generation = known.generation + 1 if known else 1
        wanted = entry(name, self.at, generation=generation, vcpus=self.sizes.get(name, amount))
        tally = self.tally
        over = [e for e in to_look_at(tally, 2) if is_over(e, self.runs.get(e.run_id), self.at)]
        tally = looked_through(tally, 2, over)
        self.hands[name] = (admit(tally, wanted, self.quota, self.at), wanted, self.version)

    def save(self, name, _):
        """Save what was decided; who comes too late has to load again."""
        if name not in self.hands or isinstance(self.hands[name], Entry):
            return
        decided, wanted, version = self.hands.pop(name)
        if isinstance(decided, Over) or version != self.version:
            return
        self.tally, self.version = (
            Tally.model_validate(decided.model_dump(mode="json")),
            version + 1,
        )
        self.hands[name] = wanted

    def create(self, name, _):
        """Create the run, or let it begin again; a repeat changes nothing."""
        wanted = self.hands.get(name)
        if not isinstance(wanted, Entry):
            return
        del self.hands[name]
        known = self.runs.get(name)
        if self.at - wanted.at > GRACE or (known and known.generation >= wanted.generation):
            return
        self.sizes[name] = wanted.vcpus
        self.runs[name] = Found(wanted.generation, has_settled=False)
        self.starts.append(wanted.at)

    def die(self, name, _):
        """Forget what it was about to do."""
        self.hands.pop(name, None)

    def settle(self, name, _):
        """End the run."""
        if name in self.runs:
            self.runs[name] = self.runs[name]._replace(has_settled=True)

    def delete(self, name, _):
        """Remove a settled run, so that its id may be used again."""
        if name in self.runs and self.runs[name].has_settled and name not in self.hands:
            del self.runs[name]

    def wait(self, _, amount):
        """Let time pass: seconds, or more than the grace."""
        self.at += amount * (7 * SECOND if amount < 4 else GRACE)


STEPS = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.sampled_from(["load", "load", "save", "save", "create", "create", "settle", "wait",
                         "die", "delete"]),
        st.integers(1, 4),
    ),
    max_size=120,
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(steps=STEPS, live=st.integers(1, 3), vcpus=st.integers(4, 7), pace=st.integers(1, 4))
def test_no_interleaving_brings_a_group_above_its_quota(steps, live, vcpus, pace):
    model = Model(Quota(live_runs=live, vcpus=vcpus, submissions_per_minute=pace))
    for step in steps:
        model.step(*step)


@settings(max_examples=200, deadline=None)
@given(steps=STEPS)
def test_when_all_runs_have_settled_there_is_room_again(steps):
    model = Model(Quota(live_runs=2, vcpus=8, submissions_per_minute=1000))
    for step in steps:
        model.step(*step)
    for name in tuple(model.runs):
        model.settle(name, 0)
    model.hands.clear()
    model.at += GRACE + 61 * SECOND
    for name in ("r6", "r7"):
        for move in ("load", "save", "create"):
            model.step(int(name[1:]), move, 1)
    assert {"r6", "r7"} <= model.runs.keys()
