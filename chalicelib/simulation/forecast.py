"""A user's own request, against what AWS may do to it: lost hosts, duplicates, outages.

How long his command takes, and whether it fails by itself, nobody here can know: it is taken to
succeed, and to last about as long as he says. So the answer is what the world adds to that.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from functools import partial
from typing import Any, Final, NamedTuple

from chalicelib import intake
from chalicelib.core.site import FileSystems, Site
from chalicelib.simulation.dice import Fault, Recipe
from chalicelib.simulation.world import World

WEATHER: Final = frozenset(
    {
        Fault.SPOT,
        Fault.IMAGE_PULL,
        Fault.DOCKER_TIMEOUT,
        Fault.OUTAGE,
        Fault.THROTTLED,
        Fault.ERROR_BEFORE,
        Fault.ERROR_AFTER,
        Fault.SLOW,
        Fault.CRASH_BEFORE,
        Fault.CRASH_AFTER,
        Fault.LISTING_LAGS,
        Fault.STALE_DUE,
        Fault.EVENT_DUPLICATED,
        Fault.EVENT_LATE,
        Fault.EVENT_DROPPED,
        Fault.WAKE_DUPLICATED,
        Fault.WAKE_LOST,
    }
)
"""What AWS does; what users do, and their commands, is left out."""


class Trial(NamedTuple):
    """The request, and where it is tried."""

    document: dict[str, Any]
    site: Site
    file_systems: FileSystems | None
    usual_seconds: float
    """How long the command takes, about."""


class Outcome(NamedTuple):
    """What became of one run of the request."""

    seed: int
    end: str
    """Its state, and the cause where it is not SUCCESS."""
    seconds: float
    """From its submission to its end."""
    attempts: dict[str, int]
    """By stage, of those that have run a job."""
    violations: tuple[str, ...]
    """Faults of ours; there should be none."""


def check(trial: Trial) -> str:
    """Return the id of the run that it would be. Raises InvalidRequest, as a submission does."""
    world = World(Recipe(0, frozenset()), trial.site, trial.file_systems)
    return intake.submit(trial.document, world.ports).id


def forecast(trial: Trial, seeds: int) -> Iterator[Outcome]:
    """Run the request once for every seed, on all cores; in whichever order they end."""
    run_id = check(trial)
    context = multiprocessing.get_context("fork")
    with context.Pool(min(os.cpu_count() or 1, seeds)) as pool:
        yield from pool.imap_unordered(partial(play, trial, run_id), range(seeds), chunksize=16)


def play(trial: Trial, run_id: str, seed: int) -> Outcome:
    """Run the request once."""
    world = World(Recipe(seed, WEATHER), trial.site, trial.file_systems)
    world.containers.usual_seconds = trial.usual_seconds
    world.users.plan(trial.document, run_id, 0.0)
    try:
        world.live()
    except Exception as exc:  # noqa: BLE001 -- an entry point, and not every error can be sent home
        return Outcome(seed, "not known", 0.0, {}, (f"{type(exc).__name__}: {exc}",))
    found = tuple(world.findings.found)
    run = world.store.runs.get(run_id)
    if run is None or run.ended_at is None:
        return Outcome(seed, str(run.state) if run else "not accepted", 0.0, {}, found)
    end = f"{run.state} {run.error.cause}" if run.error else str(run.state)
    staged = {job.stage for job in run.jobs}
    attempts = {s.stage_name: s.attempts for s in run.stages if s.stage_name in staged}
    return Outcome(seed, end, (run.ended_at - run.created_at).total_seconds(), attempts, found)
