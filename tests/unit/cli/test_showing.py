"""Runs as text."""

from __future__ import annotations

import pytest

from chalicelib.cli.showing import columns, duration, outputs_text, printable, run_text
from chalicelib.settings import Settings


def _entry(begin, message, seconds):
    return {"attempt": 1, "begin_status": "CREATED", "end_status": "COMPLETE", "begin_ts": begin,
            "end_ts": begin, "message": message, "run_time_seconds": seconds}  # fmt: skip


RUN = {
    "id": "r1", "kind": "demand-execution", "group": "default", "state": "ERROR", "generation": 1,
    "created_at": "2026-01-01T10:00:00Z", "started_at": None, "ended_at": None,
    "settled_at": None, "outputs": {},
    "error": {"stage": "execute", "cause": "user", "message": "exit 1\n\x1b[31mred"},
    "stages": [
        {"task_id": "r1", "stage_name": "scaffold", "status": "COMPLETE", "attempts": 1,
         "history": [_entry("2026-01-01T10:00:00+00:00", "done", 0.25)], "result": {}},
        {"task_id": "r1", "stage_name": "execute", "status": "ERROR", "attempts": 2,
         "history": [_entry("2026-01-01T10:00:01+00:00", "first", 59.0),
                     _entry("2026-01-01T10:01:01+00:00", "exit\n1", 3.5)], "result": None},
        {"task_id": "r1", "stage_name": "stage-out", "status": "CREATED", "attempts": 0,
         "history": [], "result": None},
    ],
}  # fmt: skip


def test_a_run_shows_its_state_its_error_and_its_timeline():
    lines = run_text(RUN).splitlines()
    assert lines[:3] == ["run      r1", "state    ERROR", "created  2026-01-01T10:00:00Z"]
    assert lines[3] == "error    user (in execute): exit 1"
    assert "\x1b" not in run_text(RUN)
    rows = [line.split() for line in lines[-3:]]
    assert [row[:3] for row in rows] == [
        ["scaffold", "COMPLETE", "1"], ["execute", "ERROR", "2"], ["stage-out", "CREATED", "0"]
    ]  # fmt: skip
    assert rows[0][4:] == ["0.2", "s", "done"]
    assert rows[1][4:] == ["1:02", "min", "exit", "1"]
    assert rows[2][3:] == ["-", "-"]


def test_outputs_are_named_in_s3_and_embedded_as_folders(tmp_path):
    out = {"uri": "s3://bucket/a/b", "manifest": "m", "files": 1, "bytes": 7}
    run = {**RUN, "outputs": {"OUT": out}}
    text = outputs_text(run, Settings(root=tmp_path))
    assert (
        text
        == f"output   OUT: s3://bucket/a/b (1 file, 7 bytes)\n         {tmp_path}/s3/bucket/a/b\n"
    )
    assert "s3/bucket" not in outputs_text(run, Settings(root=tmp_path, url="http://x"))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (9.94, "9.9 s"), (12.4, "12 s"), (184, "3:04 min"), (7500, "2:05 h")],
)
def test_durations_read_as_people_write_them(seconds, text):
    assert duration(seconds) == text


def test_columns_are_as_wide_as_their_widest_cell():
    assert columns([["A", "B"], ["long", "x"]]) == "A     B\nlong  x"


def test_nothing_printed_steers_the_terminal():
    assert printable("a\x1b[2Jb\r\nc\x9b\u202e") == "a\N{REPLACEMENT CHARACTER}[2Jb  c" + (
        "\N{REPLACEMENT CHARACTER}" * 2
    )
