"""Many seeds on all cores: ``python -m chalicelib.simulation --seeds 10000``.

The first seed that fails is shrunk, and told with the shortest log that could be found.
"""

from __future__ import annotations

import multiprocessing
import os
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

from chalicelib.core.site import Site
from chalicelib.simulation.batch_jobs import HOUR
from chalicelib.simulation.dice import Recipe
from chalicelib.simulation.ears import NOTIFICATIONS, draw_notify
from chalicelib.simulation.requests import draw_request
from chalicelib.simulation.world import World

Build = Callable[[Recipe], World]


class Played(NamedTuple):
    """One seed, played to its end."""

    seed: int
    violations: tuple[str, ...]
    states: tuple[str, ...]
    """How each run ended: its state and, after a colon, the cause."""
    steps: int
    calls: int


def build(recipe: Recipe) -> World:
    """Return the world of a seed: one to three runs, each of somebody's own making."""
    seed = recipe.seed
    told = {
        "check_seconds": 3600 if seed % 4 else 900,
        "writes_file_systems": seed % 5 == 0,
        "notifications": NOTIFICATIONS,
    }
    world = World(recipe, Site.model_validate(told))
    wishes = world.dice.stream("notices")  # of its own: who wants nothing lives as before
    throws = world.dice.stream("requests")
    for number in range(throws.choice((1, 1, 1, 2, 3))):
        run_id = f"run-{number}"
        document, at = draw_request(throws, run_id), throws.uniform(0, HOUR) * number
        if (notify := draw_notify(wishes)) is not None:
            document["options"]["notify"] = notify
        if number not in recipe.absent:
            world.users.plan(document, run_id, at)
    return world


def play(seed: int, build: Build = build) -> Played:
    """Play a seed. Whatever breaks is a violation: an error may not survive the way home."""
    try:
        world = build(Recipe(seed))
        world.live()
    except Exception:  # noqa: BLE001 -- an entry point
        return Played(seed, (traceback.format_exc(),), (), 0, 0)
    ends = tuple(
        f"{run.state}:{run.error.cause}" if run.error else str(run.state) for run in world.runs()
    )
    found = tuple(world.findings.found)
    return Played(seed, found, ends, world.schedule.steps, world.boundary.calls)


def play_all(
    seeds: Iterable[int], processes: int | None = None, build: Build = build
) -> Iterator[Played]:
    """Play the seeds on all cores; in whichever order they end."""
    count = processes or os.cpu_count() or 1
    context = multiprocessing.get_context("fork")
    with context.Pool(count) as pool:
        yield from pool.imap_unordered(partial(play, build=build), seeds, chunksize=16)


class Totals(NamedTuple):
    """What a campaign found."""

    seeds: int
    seconds: float
    ends: Counter[str]
    failed: Played | None


def run_campaign(seeds: Iterable[int], build: Build = build) -> Totals:
    """Play the seeds until one fails."""
    began, count, failed = time.monotonic(), 0, None
    ends: Counter[str] = Counter()
    for played in play_all(seeds, build=build):
        count += 1
        ends.update(played.states)
        if played.violations:
            failed = played
            break
    return Totals(count, time.monotonic() - began, ends, failed)


def told(totals: Totals) -> dict[str, Any]:
    """Return the figures of a campaign."""
    return {
        "seeds": totals.seeds,
        "seconds": round(totals.seconds, 1),
        "seeds_per_second": round(totals.seeds / max(totals.seconds, 1e-9), 1),
        "ends": dict(totals.ends.most_common()),
    }
