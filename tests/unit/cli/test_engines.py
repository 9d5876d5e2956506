"""No run is forgotten between an engine that leaves and a submitter that finds the lock taken."""

from __future__ import annotations

import threading

from chalicelib.cli import engines


class FakeHome:
    """Unsettled runs as a set, a lock, and a loop that settles whatever it finds."""

    def __init__(self, monkeypatch):
        self.unsettled, self.is_locked, self.turns = set(), False, 0
        self.submit_at_release = []
        monkeypatch.setattr(engines, "has_unsettled", lambda: bool(self.unsettled))
        monkeypatch.setattr(engines.bootstrap, "engine_lock", lambda: self)
        monkeypatch.setattr(engines.bootstrap, "local_loop", lambda: self)

    def acquire(self):
        was_locked, self.is_locked = self.is_locked, True
        return not was_locked

    def release(self):
        """Somebody saved a run and found the lock taken, just before it was given back."""
        self.unsettled.update(self.submit_at_release)
        self.submit_at_release = []
        self.is_locked = False

    def run_until(self, is_done):
        self.turns += 1
        while not is_done():
            self.unsettled.pop()


def test_a_run_that_was_saved_while_the_engine_left_is_moved_on(monkeypatch):
    home = FakeHome(monkeypatch)
    home.unsettled, home.submit_at_release = {"e1", "e2"}, ["late"]
    engines.drive_to_the_end(threading.Event())
    assert (home.unsettled, home.turns, home.is_locked) == (set(), 2, False)


def test_an_engine_leaves_at_once_where_another_is_at_work_or_nothing_is_to_do(monkeypatch):
    home = FakeHome(monkeypatch)
    engines.drive_to_the_end(threading.Event())
    home.unsettled, home.is_locked = {"e1"}, True
    engines.drive_to_the_end(threading.Event())
    assert (home.turns, home.is_locked) == (0, True)


def test_an_engine_that_is_stopped_gives_the_lock_back(monkeypatch):
    home = FakeHome(monkeypatch)
    home.unsettled = {"e1"}
    stop = threading.Event()
    home.run_until = lambda _: stop.set()
    engines.drive_to_the_end(stop)
    assert (home.unsettled, home.is_locked) == ({"e1"}, False)
