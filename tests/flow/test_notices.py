"""Who wants to be told of a run is told, in the embedded home: real runs, a real web server."""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress

import pytest

from chalicelib import bootstrap, engine, intake
from chalicelib.core.errors import InvalidRequest, Misconfigured, NotFound, Unavailable
from chalicelib.core.notice import NOTICE_ID, SIGNATURE, TIMESTAMP, signature
from chalicelib.core.run import RunState
from chalicelib.core.site import Site
from chalicelib.local.courier import Courier
from chalicelib.local.engine_loop import Loop
from chalicelib.local.notices import LocalNotices
from chalicelib.settings import Settings
from tests.flow.doors import falsework, shell_demand
from tests.flow.receiver import Receiver
from tests.flow.test_courier import Slow, notices_to
from tests.flow.test_crashes import ENOUGH_ROUNDS, ONE_OF_EACH
from tests.flow.waiting import DEADLINE_SECONDS, until
from tests.flow.worlds import SITE, Killed, World, a_demand

SECRET = "open sesame"
EVERYTHING = {
    "webhooks": ["ci"],
    "on": ["PENDING", "RUNNING", "SUCCESS", "ERROR", "CANCELED"],
    "stages": ["execute"],
    "stages_on": ["RUNNING", "COMPLETE", "ERROR"],
}
ENDS = {"webhooks": ["ci"]}


@pytest.fixture
def receiver(monkeypatch):
    monkeypatch.setenv("CI_SECRET", SECRET)
    with Receiver() as receiver:
        yield receiver


def notifications(receiver, **changes):
    hook = {"url": receiver.url("/hook"), "secret": "env:CI_SECRET", "is_private": True}
    return {"webhooks": {"ci": hook}, **changes}


@pytest.fixture
def home(tmp_path, receiver):
    told = {"notifications": notifications(receiver), "public_url": "https://f.example.org/api/"}
    return opened(tmp_path, told)


def opened(tmp_path, told):
    bootstrap.use(Settings(root=tmp_path / "root", site=Site.model_validate(told)))
    return bootstrap.home()


def drive(home, run_id):
    """Let the engine work until the run has settled, as ``run --wait`` does."""
    end = time.monotonic() + DEADLINE_SECONDS
    load = home.ports.runs.load
    Loop(home).run_until(lambda: load(run_id).settled_at or time.monotonic() > end)
    return load(run_id)


def submit(home, command="true", notify=ENDS, run_id="e1"):
    document = {**shell_demand(run_id, command), "options": {"notify": notify}}
    return intake.submit(document, home.ports)


def told(receiver):
    return [json.loads(request.body) for request in receiver.requests]


def words(receiver):
    return [
        f"{each['stage']['name']} {each['stage']['status']}" if "stage" in each else each["state"]
        for each in told(receiver)
    ]


def test_a_webhook_is_told_of_the_run_and_its_stages_in_their_order(home, receiver):
    submit(home, notify=EVERYTHING)
    run = drive(home, "e1")
    assert run.state is RunState.SUCCESS
    until(lambda: len(receiver.requests) == 5)
    assert sorted(words(receiver)) == sorted(
        ["PENDING", "RUNNING", "execute RUNNING", "execute COMPLETE", "SUCCESS"]
    )
    last = next(each for each in told(receiver) if each.get("state") == "SUCCESS")
    assert last["id"] == f"{run.uid}:1:SUCCESS"
    assert last["run"]["id"] == "e1"
    assert last["link"] == "https://f.example.org/api/runs/e1"
    assert home.ports.runs.load("e1").announced[0] == "1:PENDING"


def test_it_is_signed_so_that_the_receiver_can_tell(home, receiver):
    submit(home)
    drive(home, "e1")
    until(lambda: receiver.requests)
    (request,) = receiver.requests
    timestamp = request.headers[TIMESTAMP]
    assert abs(int(timestamp) - time.time()) < 300
    assert request.headers[SIGNATURE] == signature(SECRET, timestamp, request.body)
    assert request.headers[SIGNATURE] != signature("another", timestamp, request.body)
    assert request.headers[NOTICE_ID] == json.loads(request.body)["id"]


def test_a_failure_says_why_and_what_to_do(home, receiver):
    submit(home, "exit 3")
    assert drive(home, "e1").state is RunState.ERROR
    until(lambda: receiver.requests)
    (notice,) = told(receiver)
    assert notice["state"] == "ERROR"
    assert "the command ran and failed" in notice["why"]
    assert "falsework logs e1" in notice["why"]


def test_a_webhook_that_hangs_keeps_no_run_waiting(tmp_path, monkeypatch):
    hangs = threading.Event()
    monkeypatch.setenv("CI_SECRET", SECRET)
    with Receiver() as receiver:
        home = opened(tmp_path, {"notifications": notifications(receiver)})
        slow = Courier(LocalNotices(home.database, home.ports.clock),
                       lambda _: hangs.wait() and None, home.ports.clock)  # fmt: skip
        home = home._replace(courier=slow)
        monkeypatch.setattr("chalicelib.local.engine_loop.LAST_NOTICES_SECONDS", 0.01)
        submit(home, notify=EVERYTHING)
        try:
            assert drive(home, "e1").settled_at is not None
        finally:
            hangs.set()


def test_a_process_that_waits_for_its_run_delivers_before_it_ends(tmp_path, receiver):
    site = tmp_path / "site.json"
    site.write_text(json.dumps({"notifications": notifications(receiver)}))
    demand = {**shell_demand("e1", "true"), "options": {"notify": ENDS}}
    root = tmp_path / "root"
    done = falsework("run", "-", "--wait", "--root", root, "--site", site, stdin=demand,
                     cwd=tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert words(receiver) == ["SUCCESS"]


def test_the_engine_that_ends_waits_for_what_is_on_its_way(home):
    slow = Slow(home.database)
    (notice,) = notices_to("ci", 1)
    slow.notices.announce(notice)
    rounds = iter([False, False, True])  # it takes the lock, it turns once, it ends
    Loop(home._replace(courier=slow.courier)).run_until(lambda: next(rounds))
    assert slow.done == [notice.told.id]


def test_what_is_dead_is_listed_and_sent_again_when_it_is_asked_for(home, receiver):
    receiver.answers = [404]
    submit(home)
    drive(home, "e1")
    (letter,) = home.ports.dead_letters.listed(10)
    assert (letter.about, letter.reason, letter.tries) == (
        "webhook:ci", "webhook 'ci' answered 404", 1
    )  # fmt: skip
    assert home.ports.dead_letters.redrive().sent_back == {"notices": 1}
    home.courier.deliver_due()
    assert words(receiver) == ["SUCCESS", "SUCCESS"]
    assert home.ports.dead_letters.listed(10) == ()
    assert home.ports.dead_letters.redrive() == ({}, 0, False)


def test_the_command_line_lists_dead_notices_and_sends_them_back(tmp_path, home, receiver):
    receiver.answers = [410]
    submit(home)
    drive(home, "e1")
    where = ("--root", home.root)
    listed = falsework("redrive", "--list", *where, cwd=tmp_path)
    assert "webhook:ci" in listed.stdout
    assert "answered 410" in listed.stdout
    assert falsework("redrive", *where, cwd=tmp_path).stdout == "1 sent back to notices\n"
    assert falsework("redrive", "--list", *where, cwd=tmp_path).stdout == (
        "there are no dead letters\n"
    )


def test_a_request_names_webhooks_and_never_an_address(home):
    for notify in ({"webhooks": ["other"]}, {"webhooks": ["http://127.0.0.1/"]}):
        with pytest.raises(InvalidRequest) as caught:
            submit(home, notify=notify)
        assert caught.value.field.startswith("options.notify.webhooks")
    with pytest.raises(NotFound):
        home.ports.runs.load("e1")


@pytest.mark.parametrize(
    "told",
    [
        {"event_bus": "default"},
        {"mail_from": "f@example.org"},
        {"topics": {"lab": "arn:aws:sns:us-east-1:123456789012:lab"}},
    ],
    ids=lambda told: next(iter(told)),
)
def test_what_only_aws_has_is_refused_when_the_home_is_opened(tmp_path, told):
    with pytest.raises(Misconfigured, match=next(iter(told))):
        opened(tmp_path, {"notifications": told})


TOLD = SITE.model_copy(
    update={
        "notifications": Site.model_validate(
            {"notifications": {"webhooks": {"ci": {"url": "https://x.example.org/",
                                                   "secret": "env:X"}}}}
        ).notifications
    }
)  # fmt: skip


def announced(world):
    """What stands in the table of notices, which nobody delivers here."""
    waiting = world.notices.due(1000)
    return sorted(
        each.notice.told.state or f"{each.notice.told.stage.name} {each.notice.told.stage.status}"
        for each in waiting
    )


def live(world, options, *, is_lossy):
    for _ in range(2):
        with suppress(Killed):
            world.submit({**a_demand(), "options": options})
            break
    for _ in range(ENOUGH_ROUNDS):
        with suppress(Killed):
            world.deliver("e1", is_lossy=is_lossy)
            world.pass_time()
            engine.sweep(world.ports)
    return world.runs.load("e1")


@pytest.mark.parametrize("is_lossy", [False, True], ids=["events arrive", "events are lost"])
@pytest.mark.parametrize("dies_after", [False, True], ids=["before", "after"])
def test_whoever_dies_wherever_everybody_is_told(tmp_path, dies_after, is_lossy):
    options = {"notify": EVERYTHING}
    dry = World(tmp_path / "dry", TOLD)
    live(dry, options, is_lossy=is_lossy)
    expected = sorted(["PENDING", "RUNNING", "execute RUNNING", "execute COMPLETE", "SUCCESS"])
    assert announced(dry) == expected
    assert dry.trace.count("LocalNotices.announce") == len(expected)
    for die_at, name in enumerate(dry.trace, 1):
        world = World(tmp_path / str(die_at), TOLD)
        world.die_at, world.dies_after = die_at, dies_after
        run = live(world, options, is_lossy=is_lossy)
        where = f"call {die_at}, {name}"
        assert announced(world) == expected, where
        assert (run.settled_at is not None, run.next_check_at) == (True, None), where
        assert world.batch.accepted == ONE_OF_EACH, where


def test_a_run_that_nobody_wants_to_be_told_of_costs_nothing_more(tmp_path):
    quiet, other = World(tmp_path / "1"), World(tmp_path / "2", TOLD)
    for world in (quiet, other):
        live(world, {}, is_lossy=False)
    assert quiet.trace == other.trace
    assert "LocalNotices.announce" not in quiet.trace


def test_an_announcer_that_is_down_delays_no_run_and_is_asked_again(tmp_path):
    world = World(tmp_path, TOLD)

    class Down:
        def announce(self, notice):
            raise Unavailable("it is down")

    up = world.ports.announcer
    world.ports = world.ports._replace(announcer=Down())
    run = live(world, {"notify": EVERYTHING}, is_lossy=False)
    assert (run.state, announced(world)) == (RunState.SUCCESS, [])
    assert run.settled_at is not None
    assert run.next_check_at is not None
    world.ports = world.ports._replace(announcer=up)
    world.pass_time(61)
    engine.sweep(world.ports)
    assert len(announced(world)) == 5
    assert world.runs.load("e1").next_check_at is None
