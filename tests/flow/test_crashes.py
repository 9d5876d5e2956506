"""The engine is killed before and after every outside call of a whole run, exhaustively.

Afterwards the client asks again if it got no answer, and the sweep comes by. However it died, the
run ends in SUCCESS and every job was accepted exactly once.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from chalicelib import engine
from chalicelib.core.errors import NotFound
from chalicelib.core.run import Run, RunState
from tests.flow.worlds import Killed, World, a_demand

ONE_OF_EACH = Counter({"stage-in": 1, "execute": 1, "stage-out": 1, "clean-up": 1})
ENOUGH_ROUNDS = 12


def live(world: World, *, is_lossy: bool) -> Run:
    """Play a whole run, through at most one death."""
    for _ in range(2):
        with suppress(Killed):
            world.submit(a_demand())
            break
    for _ in range(ENOUGH_ROUNDS):
        with suppress(Killed):
            world.deliver("e1", is_lossy=is_lossy)
            world.pass_time()
            engine.sweep(world.ports)
    return world.runs.load("e1")


def calls_of_a_run(root: Path, *, is_lossy: bool) -> list[str]:
    world = World(root)
    run = live(world, is_lossy=is_lossy)
    assert run.state is RunState.SUCCESS
    return world.trace


@pytest.mark.parametrize("is_lossy", [False, True], ids=["events arrive", "events are lost"])
@pytest.mark.parametrize("dies_after", [False, True], ids=["before", "after"])
def test_a_run_survives_death_at_any_call(tmp_path, dies_after, is_lossy):
    trace = calls_of_a_run(tmp_path / "dry", is_lossy=is_lossy)
    assert len(trace) > 60
    for die_at, name in enumerate(trace, 1):
        world = World(tmp_path / str(die_at))
        world.die_at, world.dies_after = die_at, dies_after
        run = live(world, is_lossy=is_lossy)
        where = f"call {die_at}, {name}"
        assert world.calls >= die_at, where
        assert run.state is RunState.SUCCESS, where
        assert run.settled_at is not None, where
        assert world.batch.accepted == ONE_OF_EACH, where
        assert world.batch.stopped == [], where


def test_what_dies_before_it_is_saved_was_never_accepted(tmp_path):
    world = World(tmp_path)
    world.die_at = 1
    with pytest.raises(Killed):
        world.submit(a_demand())
    with pytest.raises(NotFound):
        world.runs.load("e1")
