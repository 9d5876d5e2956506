"""However deep and wide: no more runs come of one than the site allows, and the tally is exact."""

from __future__ import annotations

import itertools
from contextlib import suppress

import pytest

from chalicelib import descendants, engine
from chalicelib.child_progress import Family as Kin
from chalicelib.core.commands import TendRuns
from chalicelib.core.errors import Forbidden, Unavailable
from chalicelib.core.run import RunState
from chalicelib.core.site import Site
from chalicelib.document_ports import StaleDocument
from tests.flow.families import Family, each
from tests.flow.worlds import Killed


@pytest.fixture
def family(tmp_path):
    return Family(tmp_path)


def allow(family, most):
    site = family.world.ports.site.model_copy(update={"most_descendants": most})
    family.world.ports = family.world.ports._replace(site=site)


def tally(family, run_id="p"):
    partition = descendants.partition_of(family.world.runs.load(run_id))
    kept = family.world.ports.documents.load(partition, descendants.KEY)
    return kept.content["count"] if kept else 0


def kin(family, run, stage="each"):
    command = TendRuns(stage=stage, generation=1, attempt=1, is_over=False)
    return Kin(run, command, run.plan.stage(stage).action, family.world.ports)


def test_as_many_as_the_site_allows_are_started(family):
    allow(family, 3)
    family.begin(each(), given=[1, 2, 3])
    assert family.look().state is RunState.SUCCESS
    assert tally(family) == 3


def test_one_more_fails_the_stage_and_says_how_many_and_what_to_do(family):
    allow(family, 3)
    family.begin(each(at_once=2), given=[1, 2, 3, 4])
    for _ in range(5):
        family.world.pass_time(2000)
        family.look()
    run = family.parent
    assert (run.state, run.error.cause, run.error.stage) == (RunState.ERROR, "pipeline", "each")
    assert run.error.message == (
        "stages.each would bring the runs that belong together to 4, and this site allows 3"
        " (most_descendants): let each run take several items, or submit several pipelines"
    )
    assert len(set(family.started)) == 2
    assert run.settled_at is not None


def test_runs_of_runs_are_counted_with_the_first_of_them_all(family):
    """Each of the two starts one more of its own, below the same root."""
    allow(family, 3)
    family.begin(each(request={"is_slow": True}), given=[1, 2])
    children = sorted(set(family.started))
    root = family.parent.uid
    assert {family.world.runs.load(each).plan.root for each in children} == {root}
    grandchildren = [kin(family, family.world.runs.load(each), "only") for each in children]
    assert tally(family) == 3
    assert grandchildren[0].run.uid != root
    with pytest.raises(Forbidden):
        descendants.admit(grandchildren[0], [7])


def test_counting_the_same_runs_again_changes_nothing(family):
    family.begin(each(request={"is_slow": True}), given=[])
    mine = kin(family, family.parent)
    for fresh in ([0, 1], [0, 1], [0, 1, 2], [2], [1, 2]):
        descendants.admit(mine, fresh)
    assert tally(family) == 3


@pytest.mark.parametrize("dies_after", [False, True], ids=["before a call", "after it"])
def test_who_dies_between_counting_and_starting_counts_no_run_twice(tmp_path, dies_after):
    def play(root, die_at):
        family = Family(root)
        allow(family, 3)
        family.world.die_at, family.world.dies_after = die_at, dies_after
        for _ in range(7):
            with suppress(Killed):
                family.begin(each(at_once=2), given=[1, 2, 3])
                family.world.pass_time()
                engine.sweep(family.world.ports, everything=True)
        is_past = family.world.calls < die_at
        family.world.die_at = 0
        return family, is_past

    for die_at in itertools.count(1):
        family, is_past = play(tmp_path / str(die_at), die_at)
        assert (family.parent.state, tally(family)) == (RunState.SUCCESS, 3), die_at
        if is_past:
            break
    assert die_at > 20


class Contended:
    """Documents that somebody else saves at the same moment, so many times."""

    def __init__(self, documents, times):
        self._documents = documents
        self._left = times

    def save(self, partition, *told, **more):
        if partition.startswith("descendants#") and self._left:
            self._left -= 1
            raise StaleDocument
        return self._documents.save(partition, *told, **more)

    def __getattr__(self, name):
        return getattr(self._documents, name)


@pytest.mark.parametrize("times", [1, descendants.TRIES - 1])
def test_others_who_count_at_the_same_moment_are_waited_for(family, times):
    documents = Contended(family.world.ports.documents, times)
    family.world.ports = family.world.ports._replace(documents=documents)
    family.begin(each(), given=[1])
    assert (family.look().state, tally(family)) == (RunState.SUCCESS, 1)


def test_too_many_of_them_leave_it_owed(family):
    family.begin(each(request={"is_slow": True}), given=[])
    documents = Contended(family.world.ports.documents, 10_000)
    family.world.ports = family.world.ports._replace(documents=documents, pause=lambda _: None)
    with pytest.raises(Unavailable):
        descendants.admit(kin(family, family.parent), [0])


def test_a_site_has_a_limit_unless_it_says_another():
    assert Site().most_descendants == 10_000
