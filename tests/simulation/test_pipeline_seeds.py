"""Many seeds of pipelines: none of their runs twice, none left alive, none forgotten.

And the same seeds find it when one of our guards is taken away.
"""

from __future__ import annotations

import itertools

import pytest

from chalicelib import child_progress, child_runs, descendants, kept_runs
from chalicelib.core.lifecycle import children
from chalicelib.simulation.dice import Recipe
from chalicelib.simulation.pipeline_world import PipelineWorld, build_pipelines
from chalicelib.simulation.shrinking import shrink, story

CHUNK = 40


def play(seed: int) -> PipelineWorld:
    world = build_pipelines(Recipe(seed))
    world.live()
    return world


def play_chunk(first: int) -> None:
    for seed in range(first, first + CHUNK):
        if play(seed).findings.found:
            found = shrink(seed, build_pipelines)
            pytest.fail(story(found) if found else f"seed {seed} fails, and not again")


@pytest.mark.parametrize("first", range(0, 240, CHUNK))
def test_whatever_happens_runs_end_with_those_that_they_started(first):
    play_chunk(first)


@pytest.mark.campaign
@pytest.mark.parametrize("first", range(240, 10_240, CHUNK))
def test_whatever_happens_for_long_runs_end_with_those_that_they_started(first):
    play_chunk(first)


def test_a_seed_tells_the_same_story_every_time():
    assert play(7).schedule.log == play(7).schedule.log


def test_the_seeds_meet_every_end_at_every_depth():
    met = {
        (run.id.count(".") // 3, run.state.value)
        for seed in range(40)
        for run in play(seed).store.runs.values()
    }
    ends = ("SUCCESS", "ERROR", "CANCELED")
    assert met >= {(0, end) for end in ends} | {(1, end) for end in ends} | {(2, "SUCCESS")}


_NUMBERS = itertools.count()
GUARDS = {
    "a run's id is drawn by lot": (
        child_progress,
        "child_id",
        lambda run, key, index: f"{run.id}.x.{index}.{next(_NUMBERS)}",
    ),
    "a run settles before those that it started": (children, "are_gone", lambda run: True),
    "nobody is cancelled": (
        child_runs,
        "_cancel",
        lambda family, progress, seen, looked_at: progress.model_copy(update={"open": ()}),
    ),
    "what is over may be begun all the same": (
        child_runs,
        "load",
        lambda family, count, load=child_runs.load: load(family, count).model_copy(
            update={"is_closed": False}
        ),
    ),
    "who set out to start a run is not waited for": (
        child_runs,
        "is_past",
        lambda progress, seconds, at: seconds > 600,
    ),
    "what did not succeed is kept as well": (
        kept_runs,
        "_has_succeeded",
        lambda family, index, owner: True,
    ),
    "runs are started without being counted": (
        descendants,
        "admit",
        lambda family, fresh: None,
    ),
    "more are started than may live": (
        child_runs,
        "_start_more",
        lambda family, progress, items, seen, start=child_runs._start_more: start(
            family._replace(action=family.action.model_copy(update={"at_once": 40})),
            progress,
            items,
            seen,
        ),
    ),
}


RARE = {"what is over may be begun all the same": range(1110, 1120)}
"""What few worlds come to: the seeds of one that does."""


@pytest.mark.parametrize("guard", GUARDS)
def test_the_seeds_find_a_guard_that_is_gone(guard, monkeypatch):
    where, name, broken = GUARDS[guard]
    monkeypatch.setattr(where, name, broken)
    assert any(play(seed).findings.found for seed in RARE.get(guard, range(240)))
