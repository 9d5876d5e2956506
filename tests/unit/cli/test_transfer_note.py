"""The line that tells how far a sync is."""

from __future__ import annotations

import io
import itertools

import pytest

from chalicelib.cli.complaints import Complaint
from chalicelib.cli.transfer_note import TransferNote, note_of
from chalicelib.core.data_sync.plan import Tally
from chalicelib.worker.sync.progress import Progress

RUNNING = {"id": "r1", "stages": [{"stage_name": "sync", "status": "RUNNING"}]}
LINE = "1 of 3 files, 4.0 of 20.0 MiB, 0.4 MiB/s, 40 s left"


def written(seconds=10.0) -> str:
    """What a worker's own code writes after so long."""
    clock = itertools.chain([0.0], itertools.repeat(seconds))
    out = io.StringIO()
    shown = Progress("in/", Tally(3, 20 * 1024**2), out, clock=lambda: next(clock))
    shown._add(1, 4 * 1024**2)
    return out.getvalue()


class Log:
    """A connection that has one log."""

    def __init__(self, *texts) -> None:
        self.texts = list(texts)
        self.asked = 0

    def text(self, path, **query):
        self.asked += 1
        assert (path, query) == ("/runs/r1/logs", {"stage": "sync"})
        told = self.texts.pop(0)
        if isinstance(told, Exception):
            raise told
        return told


def test_the_last_line_of_progress_is_what_counts():
    assert note_of(f"==> sync <==\n{written(5)}something\n{written()}and more\n") == LINE


def test_of_a_batch_the_line_says_that_it_is_only_one():
    batch = f"==> sync (a, 3) <==\ns3://in/: batch 3, 1,024 requests\n{written()}"
    assert note_of(batch) == f"one of the batches: {LINE}"
    assert note_of(f"{batch}==> sync (b) <==\n{written()}") == LINE


@pytest.mark.parametrize("log", ["", "hello\n", '{"event": "progress"}\n', '{"event": "progress"'])
def test_a_log_without_progress_says_nothing(log):
    assert note_of(log) == ""


def test_the_log_is_asked_for_now_and_then_and_the_line_stays():
    now = [0.0]
    log = Log(written(), Complaint("gone"))
    note = TransferNote(log, clock=lambda: now[0])
    assert [note(RUNNING), note(RUNNING), log.asked] == [LINE, LINE, 1]
    now[0] = 2.5
    assert (note(RUNNING), log.asked) == (LINE, 2)


def test_before_and_after_there_is_nothing_to_tell():
    log = Log()
    ended = {"id": "r1", "stages": [{"stage_name": "sync", "status": "COMPLETE"}]}
    assert (TransferNote(log)(ended), log.asked) == ("", 0)
