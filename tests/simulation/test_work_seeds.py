"""Many seeds of the work queue: no work is lost, held by two, or executed too often.

And the same seeds find it when one of our guards is taken away.
"""

from __future__ import annotations

import pytest

from chalicelib.core.work import leases
from chalicelib.core.work.model import Work, WorkStatus
from chalicelib.ports import Claim
from chalicelib.simulation.dice import Recipe
from chalicelib.simulation.shrinking import shrink, story
from chalicelib.simulation.stores import StrictClaims
from chalicelib.simulation.work_store import StrictWorkStore, wrong_about
from chalicelib.simulation.work_world import WorkWorld, build_works
from chalicelib.works import buckets, work_runs

CHUNK = 40


def play(seed: int) -> WorkWorld:
    world = build_works(Recipe(seed))
    world.live()
    return world


def play_chunk(first: int) -> None:
    for seed in range(first, first + CHUNK):
        if play(seed).findings.found:
            found = shrink(seed, build_works)
            pytest.fail(story(found) if found else f"seed {seed} fails, and not again")


@pytest.mark.parametrize("first", range(0, 240, CHUNK))
def test_whatever_happens_works_end_and_nobody_shares_one(first):
    play_chunk(first)


@pytest.mark.campaign
@pytest.mark.parametrize("first", range(240, 10_240, CHUNK))
def test_whatever_happens_for_long_works_end_and_nobody_shares_one(first):
    play_chunk(first)


def test_a_seed_tells_the_same_story_every_time():
    assert play(7).schedule.log == play(7).schedule.log


def test_the_seeds_meet_every_end_at_both_kinds_of_sites():
    met = set()
    for seed in range(40):
        works = [row.work for row in play(seed).work_store.rows.values()]
        met |= {(work.site, work.status.value, work.attempt > 1) for work in works}
    sites, ends = ("site-of-workers", "site-of-batch"), ("success", "failure")
    assert met == {(s, e, again) for s in sites for e in ends for again in (False, True)}


def _replace_blindly(replace):
    def blindly(store, kept, work):
        row = store.rows.get(kept.document["id"])
        return replace(store, kept._replace(version=row.version) if row else kept, work)

    return blindly


GUARDS = {
    "an update from a lost lease is kept": (buckets, "updated", lambda old, new: new),
    "a failed work is queued again whatever its retries": (
        Work,
        "is_retryable",
        property(lambda work: work.status is WorkStatus.FAILURE),
    ),
    "a work is replaced whatever became of it": (
        StrictWorkStore,
        "replace",
        _replace_blindly(StrictWorkStore.replace),
    ),
    "a lease is not looked at before the work begins": (
        StrictClaims,
        "claim",
        lambda claims, name, index, job_id, attempt: Claim(job_id, attempt),
    ),
    "a run takes what another has withdrawn": (
        work_runs,
        "holds",
        lambda work, lease: work.attempt == lease.attempt,
    ),
    "a pushed work expires while its job waits": (
        leases.PushedWork,
        "deadline",
        Work.deadline,
    ),
    "a run's end is not reported": (work_runs, "reported", lambda work, lease, ending: None),
}


@pytest.mark.parametrize(("where", "name", "broken"), GUARDS.values(), ids=GUARDS)
def test_the_seeds_find_a_guard_that_is_gone(where, name, broken, monkeypatch):
    monkeypatch.setattr(where, name, broken)
    assert any(play(seed).findings.found for seed in range(240))


def a_work(**told) -> Work:
    return Work.model_validate(
        {"pipeline": "p", "site": "s", "user": "u", "id": "a" * 24, "retries": 2, **told}
    )


MOVES = {
    "its attempt goes back": ({"attempt": 2}, {"attempt": 1}),
    "it is taken too often": (
        {"attempt": 2, "status": "queued"},
        {"attempt": 3, "status": "running"},
    ),
    "it is taken while it runs": (
        {"attempt": 1, "status": "running"},
        {"attempt": 2, "status": "running"},
    ),
    "a success changes": ({"status": "success"}, {"status": "failure"}),
    "it is queued again in vain": (
        {"attempt": 2, "status": "failure"},
        {"attempt": 2, "status": "queued"},
    ),
    "it becomes another one": ({}, {"id": "b" * 24}),
}


@pytest.mark.parametrize(("old", "new"), MOVES.values(), ids=MOVES)
def test_the_store_knows_what_may_not_become_of_a_work(old, new):
    assert list(wrong_about(a_work(**old), a_work(**new)))
