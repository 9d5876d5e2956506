"""The logs of a run are those of its jobs, in order, cut from the front."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from chalicelib.core.errors import NotFound
from chalicelib.core.job_state import JobState
from chalicelib.core.plans.plan import Plan
from chalicelib.core.run import Run, Stage
from chalicelib.web.run_logs import LIMIT_BYTES, log_text

AT = datetime(2026, 1, 1, tzinfo=UTC)


def _job(stage, serial, stream="stream"):
    return JobState(stage=stage, serial=serial, attempt=1, name=f"job-{serial}", queue="q",
                    submit_started_at=AT, log_stream=stream)  # fmt: skip


def _run(*jobs):
    names = ("stage-in", "execute", "scaffold")
    return Run(id="r", uid="a" * 20, kind="demand-execution", created_at=AT, plan=Plan(stages=()),
               stages=tuple(Stage(stage_name=name) for name in names), jobs=jobs)  # fmt: skip


def _reader(**written):
    return lambda stream, limit: written[stream][-limit:]


def test_every_job_stands_behind_its_name():
    run = _run(_job("stage-in", 1, "a"), _job("execute", 2, None), _job("execute", 3, "b"))
    text = log_text(run, None, _reader(a=b"one", b=b"two\n\xff"))
    assert text == (
        "==> stage-in (job-1) <==\none\n==> execute (job-3) <==\ntwo\n\N{REPLACEMENT CHARACTER}\n"
    )


def test_one_stage_is_shown_without_its_name():
    run = _run(_job("stage-in", 1, "a"), _job("execute", 2, "b"), _job("execute", 3, "c"))
    assert log_text(run, "execute", _reader(a=b"1\n", b=b"2\n", c=b"3\n")) == "2\n3\n"
    assert not log_text(run, "scaffold", _reader())


def test_a_stage_that_does_not_exist_is_not_found():
    with pytest.raises(NotFound, match="no stage 'nope'"):
        log_text(_run(), "nope", _reader())


def test_only_the_last_mebibyte_is_shown_and_that_is_said():
    run = _run(_job("execute", 1, "a"), _job("execute", 2, "b"))
    text = log_text(run, "execute", _reader(a=b"a" * LIMIT_BYTES, b=b"b\n"))
    first, _, rest = text.partition("\n")
    assert first == "[only the last 1 MiB is shown]"
    assert rest == "a" * (LIMIT_BYTES - 3) + "\nb\n"


def test_a_mebibyte_is_shown_whole():
    run = _run(_job("execute", 1, "a"))
    written = b"x" * (LIMIT_BYTES - 1) + b"\n"
    assert log_text(run, "execute", _reader(a=written)) == written.decode()


def test_a_log_that_fills_the_room_still_hides_what_is_before_it():
    run = _run(_job("execute", 1, "a"), _job("execute", 2, "b"))
    text = log_text(run, "execute", _reader(a=b"a\n", b=b"x" * (LIMIT_BYTES - 1) + b"\n"))
    assert text.startswith("[only the last 1 MiB is shown]\nxxx")
