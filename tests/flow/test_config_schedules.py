"""Schedules spawn configs: each tick once, whoever looks, and a missed one at most once."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.configs import schedules
from chalicelib.configs.deploying import Origin
from chalicelib.configs.reading import StatusQuery
from chalicelib.configs.ticking import spawn_due
from chalicelib.core.errors import InvalidRequest, NotFound
from tests.flow.config_world import ConfigWorld, a_config
from tests.flow.worlds import Killed

SIX = datetime(2026, 1, 1, 6, tzinfo=UTC)


@pytest.fixture
def world(tmp_path):
    return ConfigWorld(tmp_path)


def scheduled(world, crontab="0 6 * * *", **told):
    document = {"crontab": crontab, "lives": 3, "config": a_config(), **told}
    return schedules.schedule(document, world.ports, Origin(world.now, 9))["id"]


def shown(world, schedule_id):
    (found,) = schedules.list_schedules(
        StatusQuery(query=f'{{"id": "{schedule_id}"}}'), world.ports
    )
    return found


def test_a_schedule_spawns_at_its_minutes_as_often_as_it_has_lives(world):
    found = scheduled(world, lives=2)
    assert shown(world, found)["next_time"] == "2026-01-01T06:00:00+00:00"
    assert shown(world, found)["status"] == "active"
    world.now = SIX - timedelta(seconds=1)
    world.sweep()
    assert world.configs() == []
    world.now = SIX
    for _ in range(3):
        world.sweep()
    (config,) = world.configs()
    told = shown(world, found)
    assert (told["lives"], told["has_spawned"], told["status"]) == (1, 1, "running")
    assert told["history"] == [["2026-01-01T06:00:00+00:00", config["id"]]]
    world.round()
    world.round()
    assert shown(world, found)["status"] == "active"
    world.now = SIX + timedelta(days=1)
    world.sweep()
    told = shown(world, found)
    assert (told["lives"], told["status"], told["next_time"]) == (0, "expired", None)
    world.now = SIX + timedelta(days=2)
    world.sweep()
    assert len(world.configs()) == 2
    assert world.ports.documents.list(schedules.DUE) == ()


def test_a_schedule_without_end_goes_on(world):
    found = scheduled(world, lives=-1)
    for day in range(3):
        world.now = SIX + timedelta(days=day)
        world.sweep()
    told = shown(world, found)
    assert (told["lives"], told["has_spawned"]) == (-1, 3)


def test_however_many_minutes_were_missed_one_is_made_up(world):
    found = scheduled(world, "* * * * *", lives=-1)
    world.now = SIX + timedelta(seconds=30)
    world.sweep()
    world.sweep()
    assert len(world.configs()) == 1
    assert shown(world, found)["next_time"] == "2026-01-01T06:01:00+00:00"


@pytest.mark.parametrize("dies_after", [False, True], ids=["before", "after"])
def test_a_tick_survives_death_at_any_call(tmp_path, dies_after):
    def begun(folder):
        world = ConfigWorld(folder)
        found = scheduled(world)
        world.now, world.calls, world.trace = SIX, 0, []
        return world, found

    dry, _ = begun(tmp_path / "dry")
    spawn_due(dry.counted, dry.ports)
    assert len(dry.trace) > 20
    for die_at, name in enumerate(dry.trace, 1):
        world, found = begun(tmp_path / str(die_at))
        world.die_at, world.dies_after = die_at, dies_after
        with suppress(Killed):
            spawn_due(world.counted, world.ports)
        world.now += timedelta(seconds=31)
        world.sweep()
        where = f"call {die_at}, {name}"
        assert len(world.configs()) == 1, where
        assert world.queued() == {"one": 1}, where
        told = shown(world, found)
        assert (told["lives"], told["next_time"]) == (2, "2026-01-02T06:00:00+00:00"), where
        assert len(world.ports.documents.list(schedules.DUE)) == 1, where


def test_two_processes_spawn_once(world):
    """The other one does the whole tick between our look at the schedule and our save of it."""
    found = scheduled(world)
    world.now = SIX
    real, rivals = world.ports.documents.load, []

    def load(partition, key):
        seen = real(partition, key)
        if partition == schedules.SCHEDULES and not rivals:
            rivals.append(spawn_due(world.counted, world.ports))
        return seen

    slow = type("Slow", (), {"load": staticmethod(load)})()
    for name in ("save", "remove", "list"):
        setattr(slow, name, getattr(world.ports.documents, name))
    assert spawn_due(world.counted, world.ports._replace(documents=slow)) == 0
    assert rivals == [1]
    assert len(world.configs()) == 1
    assert shown(world, found)["has_spawned"] == 1


def test_a_schedule_that_is_removed_spawns_no_more(world):
    found = scheduled(world)
    schedules.remove_schedule({"id": found}, world.ports)
    with pytest.raises(NotFound):
        schedules.remove_schedule({"id": found}, world.ports)
    with pytest.raises(NotFound):
        shown(world, found)
    world.now = SIX
    world.sweep()
    assert world.configs() == []
    assert world.ports.documents.list(schedules.DUE) == ()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"crontab": "61 * * * *"}, "crontab"),
        ({"crontab": "0 6 * * * *"}, "crontab"),
        ({"crontab": "0 0 30 2 *"}, "crontab"),
        ({"crontab": "* * * * 1L/2"}, "crontab"),
        ({"lives": 0}, "lives"),
        ({"lives": -2}, "lives"),
        ({"config": {"name": "x"}}, "config.pipeline"),
        ({"config": a_config(plan={"runs_on": "nowhere"})}, "config.pipeline.runs_on"),
    ],
    ids=str,
)
def test_a_schedule_that_cannot_be_is_refused(world, changes, field):
    with pytest.raises(InvalidRequest) as refused:
        scheduled(world, **changes)
    assert refused.value.field == field
    assert refused.value.mend
    assert schedules.count_schedules(None, world.ports) == {}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (None, {"sample": 1}),
        ("{}", {"sample": 1}),
        ('{"name": null}', {"sample": 1}),
        ('{"name": "sample"}', {"sample": 1}),
        ('{"name": "other"}', {"other": 0}),
    ],
    ids=str,
)
def test_schedules_are_counted_by_name(world, query, expected):
    scheduled(world)
    assert schedules.count_schedules(query, world.ports) == expected


@pytest.mark.parametrize(
    "query", ['{"name": {"$regex": "s"}}', '{"id": "x"}', "[]", "1", '{"name": "x", "id": 1}']
)
def test_schedules_are_counted_by_nothing_else(world, query):
    with pytest.raises(InvalidRequest) as refused:
        schedules.count_schedules(query, world.ports)
    assert (refused.value.field, bool(refused.value.mend)) == ("query", True)


def test_what_nobody_foresaw_of_one_schedule_stops_no_other_and_is_told(world, monkeypatch):
    named = {name: scheduled(world, config=a_config(name=name)) for name in ("a", "b")}
    real = schedules.load

    def load(schedule_id, documents):
        if schedule_id == min(named.values()):  # the first that the sweep comes to
            raise KeyError("a bug")
        return real(schedule_id, documents)

    monkeypatch.setattr(schedules, "load", load)
    world.now = SIX
    with pytest.raises(KeyError):
        world.sweep()
    monkeypatch.undo()
    assert [shown(world, each)["has_spawned"] for each in sorted(named.values())] == [0, 1]
