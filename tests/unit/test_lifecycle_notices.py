"""When and why each change of a run was, as those are told who asked for it."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.core.events import CancelRequested, RollbackRequested, SubmissionStarted
from chalicelib.core.job_state import JobStatus
from chalicelib.core.lifecycle import decide
from chalicelib.core.lifecycle.notices import due
from chalicelib.core.plans.announcements import Announcement
from chalicelib.core.plans.plan import JobAction, NoAction, Plan, StagePlan
from chalicelib.core.run import Run
from tests.unit.runs import START, UID, at, requested
from tests.unit.test_lifecycle_attempts import Player, a_chain
from tests.unit.test_notices import ALL, CI, ENDS, keys, told_all

FAILED = f"job falsework-{UID}-a-{{}} failed with exit code 1"


def told(run: Run) -> list[tuple[str, float, str]]:
    return [(each.key, (each.at - START).total_seconds(), each.why) for each in due(run)]


def of_stages(run: Run) -> list[tuple[str, float, str]]:
    return [each for each in told(run) if each[0].count(":") == 3]


def a_player(*names: str, **plan: Any) -> Player:
    given = {"retry_policy": "STAGE", "max_attempts": 2, "clean_up": "never", "notices": (ALL,)}
    return Player(a_chain(*names, **{**given, **plan}))


def attempt(player: Player, begins: float, ends: float, code: int = 0) -> None:
    player.wait(begins - player.now)
    serial = player.submit()
    player.now = ends
    player.end(serial, code)


def a_run_with_a_retry() -> Player:
    player = a_player("a")
    attempt(player, 10, 20, 1)
    attempt(player, 100, 130)
    return player


def test_each_change_is_told_with_its_time_and_its_reason():
    assert told(a_run_with_a_retry().run) == [
        ("1:PENDING", 0, ""),
        ("1:RUNNING", 10, ""),
        ("1:SUCCESS", 130, ""),
        ("1:a:1:RUNNING", 10, ""),
        ("1:a:1:RETRY", 20, FAILED.format(1)),
        ("1:a:2:RUNNING", 100, ""),
        ("1:a:2:COMPLETE", 130, "OK"),
    ]


def test_a_change_that_lasts_is_told_like_one_that_has_passed():
    player = a_player("a")
    player.wait(10)
    serial = player.submit()
    player.now = 20
    assert of_stages(player.run) == [("1:a:1:RUNNING", 10, "")]
    player.end(serial, 1)
    assert of_stages(player.run) == [
        ("1:a:1:RUNNING", 10, ""),
        ("1:a:1:RETRY", 20, FAILED.format(1)),
    ]


def test_the_next_generation_has_times_of_its_own():
    player = a_run_with_a_retry()
    player.run = told_all(player.run)
    player.apply(RollbackRequested(run_id="r1", at=at(500), stage="a"))
    player.now = 500
    attempt(player, 600, 620, 1)
    player.wait(100)
    player.submit()
    assert told(player.run) == [
        ("2:PENDING", 500, ""),
        ("2:RUNNING", 500, ""),
        ("2:a:1:RUNNING", 600, ""),
        ("2:a:1:RETRY", 620, FAILED.format(3)),
        ("2:a:2:RUNNING", 720, ""),
    ]


def test_the_last_attempt_that_failed_was_not_to_be_followed_by_another():
    player = a_player("a")
    attempt(player, 10, 20, 1)
    attempt(player, 100, 130, 1)
    assert [key for key, _, _ in of_stages(player.run)] == [
        "1:a:1:RUNNING",
        "1:a:1:RETRY",
        "1:a:2:RUNNING",
        "1:a:2:ERROR",
    ]


def test_of_several_retries_the_one_that_was_given_up_is_told_as_well():
    player = a_player("a", max_attempts=3)
    attempt(player, 10, 20, 1)
    attempt(player, 100, 130, 1)
    player.apply(CancelRequested(run_id="r1", at=at(140)))
    assert of_stages(player.run)[2:] == [
        ("1:a:2:RUNNING", 100, ""),
        ("1:a:2:RETRY", 130, FAILED.format(2)),
        ("1:a:2:CANCELED", 140, "canceled"),
    ]


def test_a_retry_that_another_stages_failure_ended_is_told_before_that():
    action = JobAction(definition="user", queue="spot")
    stages = tuple(StagePlan(name=name, action=action) for name in "ab")
    player = Player(Plan(stages=stages, retry_policy="STAGE", max_attempts=2, notices=(ALL,)))
    for serial, stage in enumerate("ab", 1):
        player.apply(SubmissionStarted(run_id="r1", at=at(serial), stage=stage, serial=serial))
    player.now = 20
    player.end(1, 1)
    player.now = 30
    player.see(2, JobStatus.FAILED, ended_attempts=1, reason="its stage has ended")
    assert of_stages(player.run)[:3] == [
        ("1:a:1:RUNNING", 1, ""),
        ("1:a:1:RETRY", 20, FAILED.format(1)),
        ("1:a:1:ERROR", 30, "given up: another stage failed"),
    ]


@pytest.mark.parametrize(
    ("known", "seconds"),
    [({}, 130), ({"ended_at": None}, 0), ({"ended_at": None, "resumed_at": at(50)}, 50)],
    ids=["ended", "created", "resumed"],
)
def test_a_change_of_which_the_history_does_not_tell_has_the_nearest_time_that_is_known(
    known, seconds
):
    run = a_run_with_a_retry().run
    stages = tuple(stage.model_copy(update={"history": ()}) for stage in run.stages)
    run = run.model_copy(update={"stages": stages, **known})
    assert {each[1:] for each in of_stages(run)} == {(seconds, "")}


def test_a_run_that_failed_before_any_job_was_asked_for_is_told_from_its_creation_on():
    stages = tuple(StagePlan(name=name, action=NoAction()) for name in "ab")
    plan = Plan(stages=stages, retry_policy="GLOBAL", max_attempts=1, notices=(ALL,))
    run = decide(None, requested(plan)).run
    assert told(run)[:3] == [
        ("1:PENDING", 0, ""),
        ("1:RUNNING", 0, ""),
        ("1:ERROR", 0, "attempts exhausted"),
    ]


def test_who_asks_for_the_run_only_does_not_keep_another_from_hearing_of_stages():
    of_a = Announcement(stages=("a",), stages_on=("COMPLETE",), targets=(CI,))
    player = a_player("a", notices=(ENDS, of_a))
    attempt(player, 10, 20)
    assert keys(player.run) == ["1:SUCCESS", "1:a:1:COMPLETE"]
