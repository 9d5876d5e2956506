"""From a seed that fails to the least that still does: fewer faults, and a shorter log.

Kinds of faults are switched off one after the other, then runs, then single strikes, and stay off
where the same thing still goes wrong. The log is cut to the run in question. Simple, and it takes
seconds: every trial is one more play of the seed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from chalicelib.core.run import Run
from chalicelib.simulation.dice import Recipe, Strike
from chalicelib.simulation.schedule import START, Entry
from chalicelib.simulation.world import World

Build = Callable[[Recipe], World]


class Shrunk(NamedTuple):
    """The least that still fails."""

    recipe: Recipe
    strikes: tuple[Strike, ...]
    violation: str
    log: tuple[str, ...]


def shrink(seed: int, build: Build) -> Shrunk | None:
    """Return the smallest failure that was found; None if the seed does not fail."""
    world = _played(Recipe(seed), build)
    if not world.findings.found:
        return None
    for smaller in (_fewer_kinds, _fewer_runs, _fewer_strikes):
        wanted = _kind(world.findings.found[0])
        for choice in tuple(smaller(world)):
            tried = _played(_without(world.recipe, choice), build)
            if tried.findings.found and _kind(tried.findings.found[0]) == wanted:
                world = tried
    told = world.findings.found[0]
    return Shrunk(world.recipe, tuple(world.dice.strikes_seen), told, tuple(_log(world)))


def story(shrunk: Shrunk) -> str:
    """Return it as text."""
    faults = ", ".join(f"{fault} ({number})" for fault, number in shrunk.strikes) or "nothing"
    return "\n".join(
        [
            f"seed {shrunk.recipe.seed}: {shrunk.violation}",
            f"what struck, and cannot be left out: {faults}",
            *shrunk.log,
        ]
    )


def _played(recipe: Recipe, build: Build) -> World:
    world = build(recipe)
    world.live()
    return world


def _fewer_kinds(world: World) -> Iterator[Recipe]:
    for fault in world.dice.rates:
        yield Recipe(0, frozenset({fault}))


def _fewer_runs(world: World) -> Iterator[Recipe]:
    for number in range(len(world.store.runs)):
        yield Recipe(0, frozenset(), absent=frozenset({number}))


def _fewer_strikes(world: World) -> Iterator[Recipe]:
    for strike in reversed(world.dice.strikes_seen):
        yield Recipe(0, frozenset(), muted=frozenset({strike}))


def _without(recipe: Recipe, choice: Recipe) -> Recipe:
    return Recipe(
        recipe.seed,
        recipe.faults - choice.faults,
        recipe.muted | choice.muted,
        recipe.absent | choice.absent,
    )


def _kind(words: str) -> str:
    """The same thing goes wrong if the words are the same but for names and numbers."""
    return re.sub(r"run-\d+|[a-z2-7]{20}|\d+", "#", words)[:120]


def _log(world: World) -> Iterator[str]:
    """Yield what is about the run in question, where the violation names one."""
    told = world.findings.found[0]
    runs = [run for run in world.runs() if run.id in told or run.uid in told]
    others = [run for run in world.runs() if run not in runs] if runs else []
    for run in runs:
        yield f"  {run.id} has uid {run.uid} and was created {run.created_at - START} in"
    for entry in world.schedule.log:
        if not any(_is_about(entry, run) for run in others):
            yield _line(entry)


def _is_about(entry: Entry, run: Run) -> bool:
    return any(name in text for name in (run.id, run.uid) for text in (entry.words, entry.during))


def _line(entry: Entry) -> str:
    days, rest = divmod(int(entry.seconds), 86_400)
    clock = f"day {days} {rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"  {clock} {'  ' * entry.depth}{entry.words}"
