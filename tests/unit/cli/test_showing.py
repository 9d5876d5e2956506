"""Runs as text."""

from __future__ import annotations

import time

import pytest

from chalicelib.cli.showing import (
    columns,
    duration,
    item_cell,
    outputs_text,
    printable,
    run_text,
    stage_rows,
)
from chalicelib.settings import Settings


def _entry(begin, message, seconds, begin_status="CREATED", end_status="COMPLETE"):
    return {"attempt": 1, "begin_status": begin_status, "end_status": end_status,
            "begin_ts": begin, "end_ts": begin, "message": message,
            "run_time_seconds": seconds}  # fmt: skip


RUN = {
    "id": "r1", "kind": "demand-execution", "group": "default", "state": "ERROR", "generation": 1,
    "created_at": "2026-01-01T10:00:00Z", "started_at": None, "ended_at": None,
    "settled_at": None, "outputs": {},
    "error": {"stage": "execute", "cause": "user", "message": "exit 1\n\x1b[31mred"},
    "stages": [
        {"task_id": "r1", "stage_name": "scaffold", "status": "COMPLETE", "attempts": 1,
         "history": [_entry("2026-01-01T10:00:00+00:00", "done", 0.25)], "result": {}},
        {"task_id": "r1", "stage_name": "execute", "status": "ERROR", "attempts": 2,
         "history": [_entry("2026-01-01T10:00:01+00:00", "first", 59.0, "CREATED", "RETRY"),
                     _entry("2026-01-01T10:01:01+00:00", "exit\n1", 3.5, "RETRY", "ERROR")],
         "result": None},
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


OLD = _entry("2026-01-01T10:00:00+00:00", "of old", 60.0)
ENDED = {**OLD, "end_status": "ERROR"}
TRIED = _entry("2026-01-02T11:00:00+00:00", "tried", 2.0, "CREATED", "RETRY")
AGAIN = _entry("2026-01-02T11:00:09+00:00", "again", 3.0, "RETRY")


@pytest.mark.parametrize(
    ("status", "history", "shown"),
    [
        ("CREATED", [ENDED], ["-", "-", ""]),
        ("RUNNING", [ENDED], ["-", "-", ""]),
        ("RUNNING", [ENDED, TRIED], ["11:00:00", "2.0 s", "tried"]),
        ("RETRY", [ENDED, TRIED], ["11:00:00", "2.0 s", "tried"]),
        ("COMPLETE", [ENDED, TRIED, AGAIN], ["11:00:00", "5.0 s", "again"]),
        ("COMPLETE", [OLD], ["10:00:00", "1:00 min", "of old"]),
        ("RUNNING", [], ["-", "-", ""]),
    ],
    ids=["waits", "runs anew", "second try", "will be tried", "is done", "stayed done", "first"],
)
def test_of_a_run_that_goes_on_only_this_lifes_times_are_shown(
    status, history, shown, monkeypatch
):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    stage = {**RUN["stages"][0], "status": status, "history": history}
    ((*_, started, lasted, message),) = stage_rows({**RUN, "generation": 2, "stages": [stage]})
    assert [started, lasted, message] == shown


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


def test_what_runs_of_runs_say_is_cut_for_why_tells_it():
    said = "run a ended in ERROR (States.TaskFailed): " * 20
    error = {"stage": "m", "cause": "child", "message": said}
    line = next(line for line in run_text({**RUN, "error": error}).splitlines() if "child" in line)
    assert line.startswith("error    child (in m): run a ended in ERROR")
    assert (len(line), line[-1]) == (160 + len("error    child (in m): "), "…")


@pytest.mark.parametrize(
    ("item", "shown"), [(None, "3"), ('"a\x1b[31m"', '3 "a\N{REPLACEMENT CHARACTER}[31m"')]
)
def test_a_run_of_a_stage_is_shown_with_its_item(item, shown):
    assert item_cell({"index": 3, "item": item}) == shown
