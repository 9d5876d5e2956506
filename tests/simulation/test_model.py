"""The run machine is gone through whole: every state of a small world, and every way out of it.

In each step the invariants of a save are checked, and that no two jobs do the same work; at the
end, that wherever a run is it can still come to a settled end without any luck.
"""

from __future__ import annotations

from collections import deque

import pytest

from tests.simulation.model import Budget, Graph, a_plan, begin, explore, is_quiet

WORLDS = {
    "two attempts, lost submissions, cancel": (
        a_plan(max_attempts=2),
        Budget(cancels=1, losses=2, failures=2),
        500,
    ),
    "a lost host and a failure": (
        a_plan(max_attempts=2),
        Budget(cancels=1, losses=1, reclaims=1, failures=1),
        800,
    ),
    "a second job of the name": (a_plan(), Budget(cancels=1, copies=1, failures=1), 2400),
    "resume": (a_plan(), Budget(cancels=1, resumes=1, failures=1, losses=1), 700),
    "a worker": (a_plan(is_worker=True), Budget(cancels=1, losses=1, failures=1), 240),
    "a worker and a second job of the name": (
        a_plan(is_worker=True),
        Budget(cancels=1, copies=1),
        1500,
    ),
}


@pytest.mark.parametrize(("plan", "budget", "floor"), WORLDS.values(), ids=WORLDS)
def test_every_state_of_a_run_can_still_come_to_its_end(plan, budget, floor):
    graph = explore(begin(plan, budget))
    assert len(graph.states) >= floor
    stuck = graph.cannot_end()
    assert not stuck, f"no end after {graph.way_to(stuck[0])}"


@pytest.mark.campaign
def test_every_state_of_a_worker_with_everything_at_once():
    budget = Budget(cancels=1, copies=1, failures=1, losses=1)
    graph = explore(begin(a_plan(is_worker=True), budget))
    assert len(graph.states) >= 10_000
    assert not graph.cannot_end()


def test_two_runs_that_share_one_pace_both_come_to_their_end():
    one = explore(begin(a_plan(max_attempts=2), Budget(cancels=1, failures=1)))
    pairs, stuck = paced_pairs(one, one)
    assert pairs >= 18_000
    assert not stuck


def paced_pairs(one: Graph, other: Graph) -> tuple[int, list[tuple[int, int, bool]]]:
    """Go through both side by side: one submission a tick for the two of them together.

    Runs know nothing of each other, so a pair's ways out are those of its halves; but time passes
    for both, and a start takes the tick's turn. Return how many pairs there are, and those from
    which not both can end.
    """
    begun = (0, 0, True)
    backwards: dict[tuple[int, int, bool], list[tuple[int, int, bool]]] = {begun: []}
    waiting = deque([begun])
    while waiting:
        pair = waiting.popleft()
        for after in _pairs_after(one, other, pair):
            if after not in backwards:
                backwards[after] = []
                waiting.append(after)
            backwards[after].append(pair)
    good = {
        pair
        for pair in backwards
        if is_quiet(one.states[pair[0]]) and is_quiet(other.states[pair[1]])
    }
    waiting = deque(good)
    while waiting:
        for before in backwards[waiting.popleft()]:
            if before not in good:
                good.add(before)
                waiting.append(before)
    return len(backwards), [pair for pair in backwards if pair not in good]


def _pairs_after(one, other, pair):
    first, second, has_turn = pair
    ticks = [
        [target for words, target in edges if words == "tick"]
        for edges in (one.edges[first], other.edges[second])
    ]
    if all(ticks):
        yield ticks[0][0], ticks[1][0], True
    for words, target in one.edges[first]:
        if words != "tick" and (has_turn or not words.startswith("start")):
            yield target, second, has_turn and not words.startswith("start")
    for words, target in other.edges[second]:
        if words != "tick" and (has_turn or not words.startswith("start")):
            yield first, target, has_turn and not words.startswith("start")
