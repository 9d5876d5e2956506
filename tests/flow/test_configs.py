"""Configs become works, stage after stage, and follow what becomes of them."""

from __future__ import annotations

import itertools
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from chalicelib.configs import changing, noticing, reading
from chalicelib.configs.deploying import Origin, migrate
from chalicelib.configs.shelf import ACTIVE, ConfigShelf
from chalicelib.configs.tending import tend_all
from chalicelib.core.errors import Conflict, NotFound, Unavailable
from chalicelib.core.work.ids import partition_of
from chalicelib.works import audits, buckets, results
from tests.flow.config_world import ConfigWorld, a_config, a_step
from tests.flow.worlds import Killed


@pytest.fixture
def world(tmp_path):
    return ConfigWorld(tmp_path)


def marks(world):
    return world.ports.documents.list(ACTIVE)


def wanted(config):
    return {"id": config}


def test_a_stage_follows_when_all_of_the_one_before_has_succeeded(world):
    steps = [a_step("late", 7), a_step("one"), a_step("other", 1), a_step("two", 2)]
    config = world.deploy(a_config(*steps))
    assert world.queued() == Counter({"one": 1, "other": 1})
    assert world.statuses() == ["queued"]
    work = buckets.withdraw({"pipeline": "one"}, world.works, world.now)
    world.sweep()
    assert world.statuses() == ["running"]
    buckets.update([{**work, "status": "success"}], world.works)
    world.sweep()
    assert world.queued() == Counter({"other": 1})
    for name, stage in (("other", 2), ("two", 7)):
        assert [each["pipeline"] for each in [buckets.withdraw({}, world.works, world.now)]] == [
            name
        ]
        (running,) = buckets.view({"query": {"status": "running"}}, world.works)
        buckets.update([{**running, "status": "success"}], world.works)
        world.sweep()
        assert world.pipelines()[0]["current_stage"] == stage
    world.work()
    assert world.statuses() == ["success"]
    (found,) = world.configs()
    assert (found["id"], found["status"]) == (config, "success")
    assert found["stop"] is not None
    world.sweep()
    assert marks(world) == ()


def test_works_bear_their_pipeline_site_user_and_what_they_are(world):
    plan = {"runs_on": ["far"], "matrix": {"night": ["a", "b"]}}
    step = a_step(
        "one",
        matrix={"x": [1, [2]]},
        work={"parameters": {"x": "${{ matrix.x }}", "at": "${{matrix.night}}-${{ matrix.x }}"},
              "command": None, "function": "f.g", "site": "ignored", "priority": 5},
    )  # fmt: skip
    own = a_step("two", runs_on="near", work={"user": "somebody", "pipeline": "bucket"})
    deployments = [{"name": "far", "site": "chime"}, {"name": "near", "site": "local"}]
    world.deploy(a_config(step, own, plan=plan, deployments=deployments))
    first, second = world.pipelines()
    works = buckets.view({"query": {}}, world.works)
    of_one = [each for each in works if each["pipeline"] == "one"]
    assert [each["parameters"] for each in of_one] == [
        {"x": 1, "at": "a-1"}, {"x": [2], "at": "a-[2]"},
        {"x": 1, "at": "b-1"}, {"x": [2], "at": "b-[2]"},
    ]  # fmt: skip
    assert {(each["site"], each["user"], each["priority"]) for each in of_one} == {
        ("chime", "tester", 5)
    }
    assert [each["config"]["parent"] for each in of_one] == [first["id"]] * 2 + [second["id"]] * 2
    of_two = [each for each in works if each["pipeline"] == "bucket"]
    assert [(each["site"], each["user"]) for each in of_two] == [("local", "somebody")] * 2
    assert first["matrix"] == {"night": "a"}
    assert [len(each["works"]) for each in first["steps"]] == [2, 1]


def test_what_comes_after_a_failure_never_begins(world):
    world.deploy(a_config(a_step("one"), a_step("bad"), a_step("two", 2)))
    work = buckets.withdraw({"pipeline": "bad"}, world.works, world.now)
    buckets.update([{**work, "status": "failure"}], world.works)
    world.sweep()
    assert world.statuses() == ["running"]  # its neighbour may still be done
    world.work()
    assert world.statuses() == ["failure"]
    world.round()
    assert world.done == Counter({"one": 1})
    assert [each["status"] for each in world.pipelines()[0]["steps"]] == [
        "success", "failure", "created",
    ]  # fmt: skip


def test_a_failure_that_is_tried_again_is_none_yet(world):
    world.deploy(a_config(a_step("one", work={"retries": 2})))
    world.work(status="failure")
    assert world.statuses() == ["running"]
    assert audits.audit_failed(world.works) == 1
    world.work()
    assert world.statuses() == ["success"]


def test_results_that_were_transferred_count_as_well(world):
    world.deploy(a_config())
    (work,) = world.work(is_told=False)
    results.deposit_results([{**work, "status": "success"}], world.works)
    buckets.delete([work["id"]], world.works)
    world.sweep()
    assert world.queued() == Counter({"two": 1})


def test_a_pipeline_of_the_queue_may_be_named_by_the_configs_matrix(world):
    """Results were once looked for under the mark, and not under what it stands for."""
    step = a_step("one", work={"pipeline": "p-${{ matrix.m }}"}, matrix={"m": ["own"]})
    world.deploy(a_config(step, a_step("two", 2), plan={"matrix": {"m": ["a", "b"]}}))
    assert world.queued() == Counter({"p-a": 1, "p-b": 1})
    assert [each["steps"][0]["pipeline"] for each in world.pipelines()] == ["p-a", "p-b"]
    for work in world.work(is_told=False):
        assert work["id"].endswith(partition_of(work["pipeline"]))
    world.transfer()
    world.sweep()
    assert world.queued() == Counter({"two": 2})


def test_a_work_that_is_removed_is_looked_at_before(world):
    world.deploy(a_config())
    (work,) = world.work(is_told=False)
    noticing.notice_removal([work["id"]], world.counted, world.ports)
    buckets.delete([work["id"]], world.works)
    assert world.queued() == Counter({"two": 1})
    (left,) = buckets.view({"query": {"pipeline": "two"}}, world.works)
    buckets.delete([left["id"]], world.works)  # nobody has done it, and nobody will
    world.sweep()
    assert world.statuses() == ["failure"]


def test_retry_deposits_again_what_failed_and_nothing_else(world):
    config = world.deploy(a_config(a_step("one"), a_step("bad"), a_step("two", 2)))
    work = buckets.withdraw({"pipeline": "bad"}, world.works, world.now)
    buckets.update([{**work, "status": "failure"}], world.works)
    world.work()
    world.now += timedelta(hours=1)
    told = changing.retry(wanted(config), "sample", world.counted, world.ports)
    assert told == {"message": "1 of 1 pipelines of sample are tried again"}
    assert world.queued() == Counter({"bad": 1})
    assert world.statuses() == ["running"]
    assert world.configs()[0]["stop"] is None
    again = changing.retry(wanted(config), None, world.counted, world.ports)
    assert again == {"message": "0 of 1 pipelines of sample are tried again"}
    world.work()
    world.work()
    assert world.statuses() == ["success"]
    assert world.done == Counter({"one": 1, "bad": 1, "two": 1})
    history = world.pipelines()[0]["history"]
    assert work["id"] in [each for at in history.values() for ids in at.values() for each in ids]


def test_cancelling_takes_queued_works_back_and_lets_running_ones_end(world):
    config = world.deploy(a_config(a_step("one"), a_step("other"), a_step("two", 2)))
    work = buckets.withdraw({"pipeline": "one"}, world.works, world.now)
    world.sweep()
    told = changing.cancel(wanted(config), "sample", world.counted, world.ports)
    assert told == {"stopped_config": config, "stopped_pipelines": [world.pipelines()[0]["id"]]}
    assert changing.cancel(wanted(config), "sample", world.counted, world.ports) is None
    assert world.queued() == Counter()
    assert world.statuses() == ["cancelled"]
    with pytest.raises(Conflict, match="cancel it, and wait for those that run"):
        changing.remove(wanted(config), None, world.counted, world.ports)
    buckets.update([{**work, "status": "success"}], world.works)
    world.sweep()
    assert [each["status"] for each in world.pipelines()[0]["steps"]] == [
        "success", "cancelled", "cancelled",
    ]  # fmt: skip
    changing.retry(wanted(config), None, world.counted, world.ports)
    assert world.queued() == Counter({"other": 1})
    world.round()
    world.round()
    assert world.statuses() == ["success"]


def test_a_failure_that_could_be_tried_again_goes_with_its_config(world):
    config = world.deploy(a_config(a_step("one", work={"retries": 3})))
    world.work(status="failure")
    changing.cancel(wanted(config), None, world.counted, world.ports)
    assert audits.audit_failed(world.works) == 0
    assert world.statuses() == ["cancelled"]


def test_a_config_that_is_over_can_be_removed_and_leaves_nothing(world):
    config = world.deploy(a_config(plan={"matrix": {"n": [1, 2]}}))
    world.round()
    world.round()
    changing.remove(wanted(config), "sample", world.counted, world.ports)
    assert (world.configs(), world.pipelines(), marks(world)) == ([], [], ())
    with pytest.raises(NotFound):
        changing.remove(wanted(config), None, world.counted, world.ports)
    rows = [each.key for name in ("configs", "config-texts") for each in
            world.ports.documents.list(f"{name}#{config[16:20]}")]  # fmt: skip
    assert rows == []


@pytest.mark.parametrize("then", [None, "cancel", "retry"], ids=str)
@pytest.mark.parametrize("dies_at", range(5))
def test_who_dies_as_he_removes_a_config_has_none_of_its_works_done_again(
    world, monkeypatch, dies_at, then
):
    config = world.deploy(a_config(a_step("one"), plan={"matrix": {"n": [1, 2]}}))
    world.work()
    real, left = world.ports.documents.remove, itertools.count(dies_at, -1)

    def remove(partition, key):
        if not next(left):
            raise Killed
        real(partition, key)

    with monkeypatch.context() as patch:
        patch.setattr(world.ports.documents, "remove", remove)
        with suppress(Killed):
            changing.remove(wanted(config), None, world.counted, world.ports)
    if then is not None:
        with suppress(NotFound):
            getattr(changing, then)(wanted(config), None, world.counted, world.ports)
    for _ in range(2):
        world.sweep()
        world.now += timedelta(minutes=10)
    assert world.queued() == Counter()
    with suppress(NotFound):
        changing.remove(wanted(config), None, world.counted, world.ports)
    world.sweep()
    assert (world.configs(), world.pipelines(), marks(world)) == ([], [], ())


def test_a_config_that_is_removed_while_it_is_looked_at_is_not_begun_again(world, monkeypatch):
    config = world.deploy(a_config(a_step("one")))
    world.work(is_told=False)
    real = ConfigShelf.pipelines

    def pipelines(shelf, any_config):
        """Another process has it settled and removed between two reads of the sweep's."""
        monkeypatch.setattr(ConfigShelf, "pipelines", real)
        changing.remove(wanted(config), None, world.counted, world.ports)
        return real(shelf, any_config)

    monkeypatch.setattr(ConfigShelf, "pipelines", pipelines)
    world.sweep()
    assert world.queued() == Counter()
    world.now += timedelta(minutes=10)
    world.sweep()
    assert (world.queued(), marks(world)) == (Counter(), ())
    assert world.ports.documents.list(f"pipelines#{config}") == ()


@pytest.mark.parametrize("name", ["other", "x"])
def test_nothing_happens_to_a_config_under_a_wrong_name(world, name):
    config = world.deploy(a_config())
    for change in (changing.cancel, changing.retry, changing.remove):
        with pytest.raises(NotFound, match=config):
            change(wanted(config), name, world.counted, world.ports)


def test_the_same_origin_deploys_once(world):
    origin = Origin(world.now, 5)
    first = world.deploy(a_config(), origin=origin)
    world.work()
    assert world.deploy(a_config(), origin=origin) == first
    world.round()
    assert (len(world.configs()), marks(world)) == (1, ())
    assert world.done == Counter({"one": 1, "two": 1})


def test_an_old_config_migrates_once(world):
    old = {
        "id": "5f0000000000000000000001", "version": "1", "name": "sample", "status": "running",
        "creation": 1.6e9, "defaults": {"user": "tester", "site": "local"}, "yaml": "…",
        "matrix": {"n": [1, 2]},
        "pipeline": {"step_one": {"stage": 1, "work": {"command": ["${{ matrix.n }}"]}}},
    }  # fmt: skip
    for _ in range(2):
        migrate(
            {
                **old,
                "pipeline": {"step_one": {"stage": 1, "work": {"command": ["n${{ matrix.n }}"]}}},
            },
            world.counted,
            world.ports,
            Origin(world.now, world.counted.mint_entropy()),
        )
    assert world.queued() == Counter({"step-one": 2})
    assert len(world.configs()) == 1


@pytest.mark.parametrize("is_transferred", [False, True], ids=["left there", "transferred"])
@pytest.mark.parametrize("dies_after", [False, True], ids=["before", "after"])
def test_a_config_survives_death_at_any_call(tmp_path, dies_after, is_transferred):
    config = a_config(a_step("one", matrix={"n": [1, 2]}), a_step("two", 2))
    dry = ConfigWorld(tmp_path / "dry")
    origin = Origin(dry.now, 5)
    dry.deploy(config, origin=origin)
    for _ in range(4):
        dry.round()
    assert dry.statuses() == ["success"]
    assert len(dry.trace) > 40
    for die_at, name in enumerate(dry.trace, 1):
        world = ConfigWorld(tmp_path / str(die_at))
        world.die_at, world.dies_after = die_at, dies_after
        for _ in range(2):  # as a client does that had no answer, under one Idempotency-Key
            with suppress(Killed):
                world.deploy(config, origin=origin)
        for _ in range(6):
            with suppress(Killed):
                world.round(is_transferred=is_transferred)
        where = f"call {die_at}, {name}"
        assert world.statuses() == ["success"], where
        assert world.done == Counter({"one": 2, "two": 1}), where
        total = buckets.status(world.works)["total"]
        assert total == (0 if is_transferred else 3), where
        assert marks(world) == (), where


@pytest.mark.parametrize("dies_after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("wish", ["cancel", "retry"])
def test_a_wish_survives_death_at_any_call(tmp_path, wish, dies_after):
    def begun(folder):
        world = ConfigWorld(folder)
        config = world.deploy(a_config(a_step("one"), a_step("two")))
        if wish == "retry":
            world.work(status="failure")
        world.calls, world.trace = 0, []
        return world, config

    def told(world, config):
        getattr(changing, wish)(wanted(config), None, world.counted, world.ports)

    dry, config = begun(tmp_path / "dry")
    told(dry, config)
    for die_at, name in enumerate(dry.trace, 1):
        world, config = begun(tmp_path / str(die_at))
        world.die_at, world.dies_after = die_at, dies_after
        with suppress(Killed):
            told(world, config)
        where = f"call {die_at}, {name}"
        told(world, config)  # as a client does that had no answer
        if wish == "cancel":
            world.pass_time()
            world.sweep()
            assert world.queued() == Counter(), where
            assert world.statuses() == ["cancelled"], where
        else:
            world.pass_time()
            world.sweep()
            world.done.clear()
            world.round()
            world.round()
            assert world.statuses() == ["success"], where
            assert world.done == Counter({"one": 1, "two": 1}), where
        assert marks(world) == (), where


def between(world, **changed):
    """Ports whose documents do something of the test's own besides."""
    busy = SimpleNamespace(
        **{
            name: getattr(world.ports.documents, name)
            for name in ("load", "save", "remove", "list")
        }
    )
    vars(busy).update(changed)
    return world.ports._replace(documents=busy)


def test_of_two_who_tend_at_once_one_deposits(world):
    """The other one looks just before the plan is saved."""
    rivals = []

    def save(partition, key, *args, **told):
        if partition.startswith("pipelines#") and not rivals:
            rivals.append(key)
            world.sweep()
        return world.ports.documents.save(partition, key, *args, **told)

    config = world.deploy(a_config(a_step("one", matrix={"n": [1, 2, 3]})))
    world.work(status="failure")
    changing.retry(wanted(config), None, world.counted, between(world, save=save))
    assert rivals
    world.pass_time()
    world.sweep()
    assert world.queued() == Counter({"one": 3})
    world.round()
    assert world.statuses() == ["success"]


def test_a_config_that_is_retried_while_its_end_is_noted_is_not_forgotten(world):
    config = world.deploy(a_config(a_step("one")))
    world.work(status="failure", is_told=False)
    rivals = []

    def remove(partition, key):
        if partition == ACTIVE and not rivals:
            rivals.append(changing.retry(wanted(config), None, world.counted, world.ports))
        world.ports.documents.remove(partition, key)

    tend_all(world.counted, between(world, remove=remove))
    assert rivals
    world.round()
    world.round()
    assert world.statuses() == ["success"]
    assert marks(world) == ()


def test_what_nobody_foresaw_of_one_config_stops_no_other_and_is_told(world, monkeypatch, caplog):
    """A config of another version, as an upgrade may leave it behind."""
    spoilt = world.deploy(a_config(name="spoilt"))
    world.deploy(a_config(name="sound"))
    real = ConfigShelf.document

    def document(shelf, config):
        return {"bad": True} if config == spoilt else real(shelf, config)

    monkeypatch.setattr(ConfigShelf, "document", document)
    for entropy in (0, 2**32 - 1):  # whichever of them is the first
        monkeypatch.setattr(
            world, "counted", world.counted._replace(mint_entropy=lambda e=entropy: e)
        )
        world.work(is_told=False)
        with pytest.raises(ValidationError):
            world.sweep()
    assert {each["name"]: each["status"] for each in world.pipelines()} == {
        "spoilt": "queued", "sound": "success",
    }  # fmt: skip
    assert f"config {spoilt} is looked at again" in caplog.text


@pytest.mark.parametrize(
    "ask",
    [
        lambda ports: reading.list_configs(reading.ConfigsQuery(), ports),
        lambda ports: reading.list_configs(reading.ConfigsQuery(database="pipelines"), ports),
        lambda ports: reading.count("configs", ports),
        lambda ports: reading.status(reading.StatusQuery(), ports),
        lambda ports: reading.status(reading.StatusQuery(query='{"status": "queued"}'), ports),
    ],
    ids=["configs", "pipelines", "how many", "where they stand", "those that do"],
)
def test_who_asks_for_more_than_can_be_looked_through_is_told_how_to_ask(world, ask):
    ids = [world.deploy(a_config(name=f"c{number}")) for number in range(3)]
    times = itertools.count()
    slow = world.ports._replace(clock=lambda: world.now + timedelta(seconds=5 * next(times)))
    with pytest.raises(Unavailable, match="ask for one name or id"):
        ask(slow)
    one = reading.ConfigsQuery(query=f'{{"id": "{ids[0]}"}}')
    assert [each["id"] for each in reading.list_configs(one, slow)] == [ids[0]]
