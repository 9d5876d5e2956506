"""The local event loop: who drives, what reaches the engine, and that trouble stops nothing."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chalicelib.core.errors import Conflict, NotFound, StaleRun, Unavailable
from chalicelib.core.events import JobChanged, TimerFired
from chalicelib.core.job_state import JobStatus
from chalicelib.local import engine_loop
from chalicelib.local.engine_lock import EngineLock
from chalicelib.local.engine_loop import Loop
from tests.contract.openers import until
from tests.flow.local.workshop import workshop

NAME = "falsework-abcdefghijklmnopqrst-execute-1"


class RecordingEngine:
    """Remembers what it was given; raises what it was told to, once per entry of ``trouble``."""

    def __init__(self, trouble=()):
        self.events = []
        self.sweeps = []
        self.trouble = list(trouble)

    def handle(self, event, ports):
        self.events.append(event)
        if self.trouble:
            raise self.trouble.pop(0)

    def sweep(self, ports, *, limit=100, everything=False):
        self.sweeps.append(everything)
        return 0


class NoRequests:
    """Request files of which there are none."""

    def scan(self):
        return 0


@pytest.fixture
def shop(tmp_path):
    with workshop(tmp_path / "root", runner="host") as shop:
        yield shop


@pytest.fixture(autouse=True)
def _fast(monkeypatch):
    monkeypatch.setattr(engine_loop, "STANDBY_SECONDS", 0.02)
    monkeypatch.setattr(engine_loop, "AGAIN_SECONDS", 0.02)
    monkeypatch.setattr(engine_loop, "SWEEP_SECONDS", 0.02)


@contextlib.contextmanager
def driven(loop):
    """Run the loop in a thread."""
    stop = threading.Event()
    thread = threading.Thread(target=loop.run_forever, args=(stop,))
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join()


def a_loop(shop, engine):
    return Loop(shop.home, NoRequests(), engine)


def submit(shop, script, name=NAME):
    return shop.submit(script, name=name, environment={"FALSEWORK_RUN_ID": "r1"})


def changes(engine):
    return [event for event in engine.events if isinstance(event, JobChanged)]


# --- what reaches the engine


def test_a_job_is_started_and_its_changes_reach_its_run(shop):
    engine = RecordingEngine()
    job_id = submit(shop, "exit 3")
    a_loop(shop, engine).run_until(
        lambda: changes(engine) and changes(engine)[-1].status is JobStatus.FAILED
    )
    last = changes(engine)[-1]
    assert (last.run_id, last.uid, last.serial) == ("r1", "abcdefghijklmnopqrst", 1)
    assert (last.job_id, last.exit_code, last.ended_attempts) == (job_id, 3, 1)
    assert last.log_stream
    assert last.stopped_at


def test_jobs_that_are_not_ours_are_left_alone(shop):
    engine = RecordingEngine()
    foreign = shop.submit("true", name=NAME)  # no run in its environment
    named = submit(shop, "true", name="somebody-elses")
    ids = [foreign, named]
    a_loop(shop, engine).run_until(
        lambda: all(shop.seen(i).status is JobStatus.SUCCEEDED for i in ids)
    )
    a_loop(shop, engine).turn()
    assert engine.events == []


def test_due_timers_fire(shop):
    engine = RecordingEngine()
    shop.home.timers.wake("r1", datetime.now(UTC) - timedelta(seconds=1))
    shop.home.timers.wake("r2", datetime.now(UTC) + timedelta(hours=1))
    a_loop(shop, engine).run_until(lambda: engine.events)
    a_loop(shop, engine).turn()
    assert [(type(event), event.run_id) for event in engine.events] == [(TimerFired, "r1")]


def test_everything_is_swept_once_at_the_start_and_then_what_is_due(shop):
    engine = RecordingEngine()
    a_loop(shop, engine).run_until(lambda: len(engine.sweeps) >= 3)
    assert engine.sweeps[:3] == [True, False, False]


def test_what_was_handled_is_not_told_to_the_next_holder(shop):
    first, second = RecordingEngine(), RecordingEngine()
    submit(shop, "true")
    a_loop(shop, first).run_until(
        lambda: changes(first) and changes(first)[-1].status is JobStatus.SUCCEEDED
    )
    a_loop(shop, second).run_until(lambda: len(second.sweeps) >= 2)
    assert second.events == []


def test_what_changed_while_nobody_drove_is_told_to_the_next_holder(shop):
    engine = RecordingEngine()
    job_id = submit(shop, "exit 3")
    shop.ended(job_id)
    a_loop(shop, engine).run_until(lambda: engine.events)
    assert [event.status for event in engine.events] == [JobStatus.FAILED]


# --- trouble


@pytest.mark.parametrize(
    "trouble", [Unavailable("later"), StaleRun("again")], ids=["unavailable", "stale"]
)
def test_an_event_that_could_not_be_handled_now_comes_again(shop, trouble):
    engine = RecordingEngine([trouble, trouble])
    shop.ended(submit(shop, "exit 3"))
    a_loop(shop, engine).run_until(lambda: len(engine.events) >= 3)
    assert {event.job_id for event in engine.events} == {engine.events[0].job_id}


@pytest.mark.parametrize(
    "trouble",
    [NotFound("gone"), Conflict("no"), RuntimeError("a bug")],
    ids=["not-found", "conflict", "bug"],
)
def test_an_event_that_cannot_be_handled_at_all_does_not_hold_up_the_others(shop, trouble):
    engine = RecordingEngine([trouble])
    first, second = shop.ended(submit(shop, "exit 3")), shop.ended(submit(shop, "exit 4"))
    a_loop(shop, engine).run_until(lambda: len(engine.sweeps) >= 3)
    assert [event.job_id for event in engine.events] == [first.job_id, second.job_id]


def test_a_timer_that_could_not_be_handled_now_fires_again_and_not_at_once(shop):
    engine = RecordingEngine([Unavailable("later")])
    shop.home.timers.wake("r1", datetime.now(UTC))
    a_loop(shop, engine).run_until(lambda: len(engine.events) >= 2)
    assert [event.run_id for event in engine.events] == ["r1", "r1"]
    first, second = (event.at for event in engine.events)
    assert second - first >= timedelta(seconds=engine_loop.AGAIN_SECONDS)


def test_a_part_that_fails_does_not_stop_the_others(shop):
    class Failing(NoRequests):
        def scan(self):
            raise RuntimeError("a bug in the request files")

    engine = RecordingEngine()
    engine.sweep = lambda *_, **__: 1 / 0
    job_id = submit(shop, "true")
    Loop(shop.home, Failing(), engine).run_until(
        lambda: changes(engine) and changes(engine)[-1].status is JobStatus.SUCCEEDED
    )
    assert shop.seen(job_id).status is JobStatus.SUCCEEDED


# --- who drives


def test_the_lock_is_held_by_one_and_given_back(tmp_path):
    one, other = EngineLock(tmp_path), EngineLock(tmp_path)
    assert one.acquire()
    assert one.is_held
    assert not one.acquire()
    assert not other.acquire()
    one.release()
    one.release()
    assert other.acquire()
    other.release()


def test_a_loop_that_does_not_hold_the_lock_does_nothing_and_takes_over(shop):
    other, engine = EngineLock(shop.root), RecordingEngine()
    assert other.acquire()
    job_id = submit(shop, "true")
    asked = iter(range(5))
    a_loop(shop, engine).run_until(lambda: next(asked, None) is None)
    assert (engine.events, engine.sweeps) == ([], [])
    assert shop.seen(job_id).status is JobStatus.RUNNABLE
    with driven(a_loop(shop, engine)):
        other.release()
        until(lambda: engine.sweeps)
    assert other.acquire()
    other.release()


def test_a_lock_that_the_caller_held_is_used_and_kept(shop):
    engine, lock = RecordingEngine(), shop.home.lock
    assert lock.acquire()
    a_loop(shop, engine).run_until(lambda: engine.sweeps)
    assert lock.is_held
    lock.release()


HOLDER = """
import sys, time
from pathlib import Path
from chalicelib.local.engine_lock import EngineLock
lock = EngineLock(Path(sys.argv[1]))
print(lock.acquire(), flush=True)
time.sleep(1000)
"""


def test_the_lock_of_a_killed_process_is_free(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(engine_loop.__file__).parents[2])},
    )
    with holder:
        assert holder.stdout.readline() == "True\n"
        lock = EngineLock(tmp_path)
        assert not lock.acquire()
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        assert lock.acquire()
        lock.release()
