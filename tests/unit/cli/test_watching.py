"""What a follower of a run is told, line by line, however seldom it looks."""

from __future__ import annotations

import pytest

from chalicelib.cli.watching import progress


def entry(attempt, end_status, message="", begin_status="RUNNING"):
    return {
        "attempt": attempt, "begin_status": begin_status, "end_status": end_status,
        "begin_ts": "2026-01-01T10:00:00Z", "end_ts": "2026-01-01T10:00:02Z",
        "message": message, "run_time_seconds": 2.0,
    }  # fmt: skip


def a_run(status, *history, state="RUNNING"):
    stage = {"stage_name": "execute", "status": status, "attempts": 1, "history": list(history)}
    return {"id": "e1", "state": state, "stages": [stage]}


FAILED = entry(1, "RETRY", "exit code 7")
TOLD = "execute RETRY after 2.0 s: exit code 7"


@pytest.mark.parametrize(
    ("looks", "lines"),
    [
        pytest.param(
            [a_run("RUNNING"), a_run("RETRY", FAILED), a_run("RUNNING", FAILED)],
            ["execute RUNNING", "run e1 RUNNING", TOLD, "execute RUNNING"],
            id="every change is seen",
        ),
        pytest.param(
            [a_run("RUNNING"), a_run("RUNNING", FAILED)],
            ["execute RUNNING", "run e1 RUNNING", TOLD],
            id="the wait between two attempts is not seen",
        ),
        pytest.param(
            [
                a_run("CREATED"),
                a_run("COMPLETE", FAILED, entry(2, "COMPLETE", "OK"), state="SUCCESS"),
            ],
            ["run e1 RUNNING", TOLD, "execute COMPLETE after 4.0 s: OK", "run e1 SUCCESS"],
            id="only the end is seen",
        ),
        pytest.param(
            [a_run("RUNNING", FAILED), a_run("RETRY", FAILED, entry(2, "RETRY", "again"))],
            ["execute RUNNING", "run e1 RUNNING", "execute RETRY after 2.0 s: again"],
            id="what was over before the first look is not told",
        ),
        pytest.param(
            [a_run("RETRY", FAILED), a_run("RETRY", FAILED)],
            [TOLD, "run e1 RUNNING"],
            id="a wait is told once",
        ),
    ],
)
def test_every_attempt_that_failed_is_told_once(looks, lines, capsys):
    with progress() as shown:
        for run in looks:
            shown.show(run)
    assert capsys.readouterr().out.splitlines() == lines
