"""The courier of the embedded home: when it tries, whom it spares, and when it gives up."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

from chalicelib.core.errors import Unavailable
from chalicelib.core.notice import Notice
from chalicelib.core.plans.announcements import Target
from chalicelib.local.courier import MOST_TRIES, Courier
from chalicelib.local.database import Database
from chalicelib.local.notices import LocalNotices
from chalicelib.notice_ports import NotYet
from tests.unit.test_notifications import told as a_told


class Times:
    """A courier with a clock of its own, and what became of each try.

    ``answer`` is given a notice and raises what the receiver makes of it.
    """

    def __init__(self, root, answer):
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.database = Database(root)
        self.notices = LocalNotices(self.database, lambda: self.now)
        self.answer, self.tried = answer, []
        self.courier = Courier(self.notices, self._deliver, lambda: self.now)

    def _deliver(self, notice):
        self.tried.append((self.now, notice))
        self.answer(notice)

    def announce(self, *notices):
        for notice in notices:
            self.notices.announce(notice)
            self.now += timedelta(milliseconds=1)

    def pauses(self):
        times = [at for at, _ in self.tried]
        return [round((b - a).total_seconds()) for a, b in itertools.pairwise(times)]

    def live(self, seconds):
        for _ in range(seconds):
            self.courier.deliver_due()
            self.now += timedelta(seconds=1)


def fails(error):
    def answer(_):
        raise error

    return answer


def notices_to(name, count, what="SUCCESS"):
    return [
        Notice(target=Target(kind="webhook", name=name), told=a_told(id=f"u:{number}:{what}"))
        for number in range(count)
    ]


def test_what_fails_comes_again_after_pauses_that_double_until_it_is_dead(tmp_path):
    times = Times(tmp_path, fails(Unavailable("webhook 'ci' answered 503")))
    times.announce(*notices_to("ci", 1))
    times.live(3600)
    assert len(times.tried) == MOST_TRIES
    assert times.pauses() == [5, 10, 20, 40, 80, 160, 320]
    (letter,) = times.notices.dead(10)
    assert (letter.reason, letter.tries) == ("webhook 'ci' answered 503", MOST_TRIES)


def test_a_receiver_that_asks_to_be_left_alone_for_an_hour_is(tmp_path):
    error = NotYet("webhook 'ci' answered 429", after_seconds=3600)
    times = Times(tmp_path, fails(error))
    times.announce(*notices_to("ci", 2))
    times.live(3700)
    assert [notice.told.id for _, notice in times.tried] == ["u:0:SUCCESS", "u:1:SUCCESS"]
    assert times.pauses() == [3600]


def test_those_who_wait_for_one_that_hangs_keep_nobody_else_waiting(tmp_path):
    """A hundred notices to one that answers nothing, and behind them one to another."""

    def answer(notice):
        if notice.target.name == "hangs":
            times.now += timedelta(seconds=5)
            raise Unavailable("webhook 'hangs' cannot be reached: TimeoutError")

    times = Times(tmp_path, answer)
    times.announce(*notices_to("hangs", 100), *notices_to("ci", 1))
    began = times.now
    times.live(4)
    (told_at,) = (at for at, notice in times.tried if notice.target.name == "ci")
    assert (told_at - began).total_seconds() < 10


def test_nothing_is_begun_while_all_who_are_to_be_told_rest(tmp_path):
    times = Times(tmp_path, fails(Unavailable("webhook 'ci' answered 503")))
    times.announce(*notices_to("ci", 2))
    times.courier.deliver_due()
    assert not times.courier.turn()
    times.now += timedelta(seconds=6)
    assert times.courier.turn()
    times.courier.finish(5)
    assert len(times.tried) == 2


def test_what_nobody_foresaw_of_one_notice_keeps_no_other_waiting(tmp_path, caplog):
    def answer(notice):
        if notice.told.id == "u:0:SUCCESS":
            raise RuntimeError("hidden")

    times = Times(tmp_path, answer)
    times.announce(*notices_to("ci", 3))
    times.live(3600)
    told = Counter(notice.told.id for _, notice in times.tried)
    assert told == {"u:0:SUCCESS": MOST_TRIES, "u:1:SUCCESS": 1, "u:2:SUCCESS": 1}
    (letter,) = times.notices.dead(10)
    assert letter.reason == "something went wrong here: RuntimeError"


def test_a_notice_of_another_version_is_dead_and_the_others_are_delivered(tmp_path):
    times = Times(tmp_path, lambda _: None)
    times.announce(*notices_to("ci", 2))
    with times.database.writing() as connection:
        connection.execute("UPDATE notices SET body = '{}' WHERE id = 'u:0:SUCCESS'")
    times.live(1)
    assert [notice.told.id for _, notice in times.tried] == ["u:1:SUCCESS"]
    (letter,) = times.notices.dead(10)
    assert (letter.id, letter.reason) == ("u:0:SUCCESS", "it cannot be read by this version")


def now():
    return datetime.now(UTC)


class Slow:
    """A courier that needs a while for each; ``done`` is what was delivered."""

    def __init__(self, database, seconds=0.3):
        self.done, self.began = [], threading.Event()
        self.notices = LocalNotices(database, now)
        self.courier = Courier(self.notices, self._deliver, now)
        self._seconds = seconds

    def _deliver(self, notice):
        self.began.set()
        time.sleep(self._seconds)
        self.done.append(notice.told.id)


def test_what_is_announced_while_another_is_on_its_way_is_delivered_before_the_end(tmp_path):
    slow = Slow(Database(tmp_path))
    first, second = notices_to("ci", 2)
    slow.notices.announce(first)
    assert slow.courier.turn()
    assert slow.began.wait(5)
    slow.notices.announce(second)
    slow.courier.finish(5)
    assert slow.done == [first.told.id, second.told.id]


def test_no_end_waits_for_one_that_hangs_for_longer_than_it_is_told(tmp_path):
    slow = Slow(Database(tmp_path), seconds=2)
    for notice in notices_to("ci", 3):
        slow.notices.announce(notice)
    began = time.monotonic()
    slow.courier.finish(0.1)
    assert time.monotonic() - began < 1


def test_an_end_does_not_try_for_ever_what_cannot_be_read(tmp_path, monkeypatch, caplog):
    slow = Slow(Database(tmp_path))
    (notice,) = notices_to("ci", 1)
    slow.notices.announce(notice)
    monkeypatch.setattr(slow.notices, "delivered", fails(Unavailable("the disk is full")))
    began = time.monotonic()
    slow.courier.finish(5)
    assert time.monotonic() - began < 2
    assert "the courier goes on" in caplog.text
