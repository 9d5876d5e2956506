"""Runs as one principal sees them: a foreign run is none, whatever is asked of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.core.errors import (
    BeingDeleted,
    Conflict,
    Forbidden,
    InvalidRequest,
    NotFound,
    StaleRun,
)
from chalicelib.core.principals import LOCAL, Caller, Principal, Scope
from chalicelib.core.run import RunState
from chalicelib.owned import owned_by
from tests.contract.openers import NOON, LocalOpener, a_run


def a_principal(*groups, scopes=Scope):
    return Principal(name="alice", scopes=frozenset(scopes), groups=frozenset(groups))


@pytest.fixture
def ports(tmp_path):
    return LocalOpener(tmp_path / "root").open()


@pytest.fixture
def runs_of(ports):
    return lambda principal: owned_by(Caller(principal, "here"), ports).runs


def saved(ports, run_id, group, **fields):
    return ports.runs.save(a_run(run_id, group=group, **fields))


def refusal(call, *arguments):
    with pytest.raises(NotFound) as caught:
        call(*arguments)
    return str(caught.value)


def test_the_ports_of_a_caller_name_them(ports):
    caller = Caller(LOCAL, "here")
    assert owned_by(caller, ports).caller == caller


@pytest.mark.parametrize("principal", [LOCAL, a_principal("lab"), a_principal("lab", "other")])
def test_who_is_in_its_group_has_the_run(ports, runs_of, principal):
    run = saved(ports, "r1", "lab")
    runs = runs_of(principal)
    assert runs.load("r1") == run
    assert [each.id for each in runs.list(group="lab").runs] == ["r1"]
    assert runs.save(run.model_copy(update={"state": RunState.RUNNING})).version == run.version + 1


@pytest.mark.parametrize("principal", [a_principal("other"), a_principal()], ids=["other", "none"])
def test_a_foreign_run_is_refused_in_the_words_for_one_that_is_none(ports, runs_of, principal):
    saved(ports, "r1", "lab")
    runs = runs_of(principal)
    assert refusal(runs.load, "r1") == refusal(runs.load, "r2").replace("r2", "r1")
    with pytest.raises(NotFound):
        runs.list(group="lab")


def test_a_foreign_run_cannot_be_changed_deleted_or_made(ports, runs_of):
    run = saved(ports, "r1", "lab", state=RunState.SUCCESS, settled_at=NOON)
    runs = runs_of(a_principal("other"))
    with pytest.raises(Forbidden) as caught:
        runs.save(run.model_copy(update={"state": RunState.ERROR}))
    assert (caught.value.field, caught.value.value) == ("options.group", "lab")
    with pytest.raises(Forbidden):
        runs.save(a_run("r2", group="lab"))
    runs.delete("r1")
    assert ports.runs.load("r1") == run


class HalfDeleted:
    """A store whose only run somebody has begun to delete."""

    def __init__(self):
        self.deleted = []

    def load(self, run_id):
        raise BeingDeleted(f"run {run_id!r} is being deleted", group="lab")

    def delete(self, run_id):
        self.deleted.append(run_id)


@pytest.mark.parametrize(
    ("principal", "error", "deleted"),
    [
        (LOCAL, BeingDeleted, ["r1"]),
        (a_principal("lab"), BeingDeleted, ["r1"]),
        (a_principal("other"), NotFound, []),
    ],
    ids=["everybody's", "of its group", "a stranger"],
)
def test_a_half_deleted_run_can_be_ended_by_its_group(ports, principal, error, deleted):
    store = HalfDeleted()
    runs = owned_by(Caller(principal, "here"), ports._replace(runs=store)).runs
    with pytest.raises(error):
        runs.load("r1")
    runs.delete("r1")
    assert store.deleted == deleted


def test_ones_own_run_can_be_deleted(ports, runs_of):
    saved(ports, "r1", "lab", state=RunState.SUCCESS, settled_at=NOON)
    runs_of(a_principal("lab")).delete("r1")
    with pytest.raises(NotFound):
        ports.runs.load("r1")


def test_an_id_that_a_foreign_run_has_is_taken_and_one_of_ones_own_is_reloaded(ports, runs_of):
    saved(ports, "r1", "lab")
    with pytest.raises(Conflict, match="taken") as caught:
        runs_of(a_principal("other")).save(a_run("r1", group="other"))
    assert "lab" not in str(caught.value)
    with pytest.raises(StaleRun):
        runs_of(a_principal("lab")).save(a_run("r1", group="lab"))


def test_who_asks_for_no_group_gets_their_only_one(ports, runs_of):
    for run_id, group in [("r1", "lab"), ("r2", "other")]:
        saved(ports, run_id, group)
    assert [run.id for run in runs_of(a_principal("lab")).list().runs] == ["r1"]
    assert len(runs_of(LOCAL).list().runs) == 2


@pytest.mark.parametrize("groups", [("lab", "other"), ()], ids=["two", "none"])
def test_who_has_not_one_group_names_it(runs_of, groups):
    with pytest.raises(InvalidRequest) as caught:
        runs_of(a_principal(*groups)).list()
    assert caught.value.field == "group"


def test_nobody_but_the_engine_sweeps(runs_of):
    with pytest.raises(Forbidden):
        runs_of(LOCAL).due(NOON)


GROUPS = st.sampled_from(["a", "b", "c"])


@settings(max_examples=50)
@given(st.lists(GROUPS, max_size=6), st.frozensets(GROUPS))
def test_nothing_of_a_foreign_group_is_ever_shown(tmp_path_factory, owners, groups):
    ports = LocalOpener(tmp_path_factory.mktemp("root")).open()
    for number, group in enumerate(owners):
        saved(ports, f"r{number}", group, minutes=number)
    runs = owned_by(Caller(a_principal(*groups), "here"), ports).runs
    listed = set()
    for group in groups:
        page = runs.list(group=group, created_before=NOON + timedelta(days=1))
        listed |= {run.id for run in page.runs}
    assert listed == {f"r{number}" for number, group in enumerate(owners) if group in groups}
