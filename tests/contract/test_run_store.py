"""What every RunStore does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from itertools import chain

import pytest

from chalicelib.core.errors import Conflict, InvalidRequest, NotFound, StaleRun
from chalicelib.core.job_state import ChildTimes, JobState
from chalicelib.core.plans.announcements import Announcement, Target
from chalicelib.core.plans.plan import NoAction, Plan, StagePlan
from chalicelib.core.run import Change, RunError, RunState, Stage, StageStatus
from tests.contract.openers import HOMES_OF_STATE, NOON, LocalOpener, a_run, in_processes

pytestmark = pytest.mark.parametrize("opener", HOMES_OF_STATE, indirect=True)


@pytest.fixture
def runs(ports):
    return ports.runs


def full_run():
    """A run with something in every field, so that nothing can be lost on the way unseen."""
    return a_run(
        "full.run_1-x",
        group="göttingen",
        state=RunState.ERROR,
        generation=2,
        serial=3,
        started_at=NOON,
        ended_at=NOON + timedelta(microseconds=1),
        settled_at=NOON,
        next_check_at=NOON,
        stages=(
            Stage(
                stage_name="execute",
                status=StageStatus.COMPLETE,
                attempts=2,
                attempts_before=1,
                result={"a": [1, None, "ü\u2028\n"]},
                begun_at=NOON,
            ),
        ),
        jobs=(
            JobState(
                stage="execute",
                serial=3,
                attempt=1,
                name="falsework-x",
                queue="default",
                submit_started_at=NOON,
                exit_code=137,
                children=2,
                child_times=ChildTimes(
                    next=2, known=1, seconds={"succeeded": 1.25}, first_started_at=NOON
                ),
            ),
        ),
        outputs={"o": {"uri": "s3://bkt/k", "bytes": 2**53}},
        error=RunError(stage="execute", cause="user", message="it\nbroke"),
        announced=("2:PENDING", "2:execute:2:COMPLETE"),
        left_over=(
            Change(key="1:ERROR", generation=1, status="ERROR", at=NOON, why="it\nbroke"),
            Change(
                key="1:execute:1:RETRY",
                generation=1,
                stage="execute",
                attempt=1,
                status="RETRY",
                at=NOON,
            ),
        ),
        plan=Plan(
            notices=(
                Announcement(
                    states=("ERROR",),
                    stages=("*",),
                    stages_on=("RETRY",),
                    targets=(Target(kind="mail", name="ann@example.org"),),
                ),
            ),
            stages=(StagePlan(name="execute", action=NoAction()),),
            request={"command": ['echo "$HOME"', "\\"]},
        ),
    )


def test_many_come_back_as_each_by_itself_and_those_that_are_not_there_are_left_out(runs):
    """More than a process remembers the plans of."""
    ids = [f"r{number:03}" for number in range(130)]
    saved = {each: runs.save(a_run(each)) for each in ids}
    saved["full.run_1-x"] = runs.save(full_run())
    found = runs.load_many(["nobody", *saved, "r001"])
    assert len(found) == len(saved)
    assert {run.id: run for run in found} == saved
    assert runs.load_many([]) == ()


def test_a_run_comes_back_as_it_was_saved(runs):
    saved = runs.save(full_run())
    assert saved == full_run().model_copy(update={"version": 1})
    assert runs.load("full.run_1-x") == saved


def test_what_was_announced_is_forgotten_where_the_run_forgets_it(runs):
    saved = runs.save(full_run())
    again = runs.save(saved.model_copy(update={"announced": (), "left_over": ()}))
    assert runs.load(again.id) == again
    assert (again.announced, again.left_over) == ((), ())


def test_an_unknown_run_is_not_found(runs):
    with pytest.raises(NotFound, match="nobody"):
        runs.load("nobody")


def test_every_save_raises_the_version_by_one(runs):
    run = runs.save(a_run())
    run = runs.save(run.model_copy(update={"state": RunState.RUNNING}))
    assert (run.version, runs.load("r1").version) == (2, 2)
    assert runs.load("r1").state is RunState.RUNNING


def test_a_stale_save_is_refused_and_changes_nothing(runs):
    first = runs.save(a_run())
    second = runs.save(first.model_copy(update={"serial": 5}))
    with pytest.raises(StaleRun):
        runs.save(first.model_copy(update={"serial": 9}))
    assert runs.load("r1") == second


def test_a_version_from_the_future_is_refused(runs):
    runs.save(a_run())
    with pytest.raises(StaleRun):
        runs.save(a_run(version=2))


def test_a_run_that_was_never_created_cannot_be_updated(runs):
    with pytest.raises(StaleRun):
        runs.save(a_run(version=1))
    with pytest.raises(NotFound):
        runs.load("r1")


def test_a_run_is_created_once(runs):
    first = runs.save(a_run(group="a"))
    with pytest.raises(StaleRun):
        runs.save(a_run(group="b"))
    assert runs.load("r1") == first


def test_a_plan_that_lost_is_not_the_runs(runs):
    first = runs.save(a_run())
    with pytest.raises(StaleRun):
        runs.save(a_run(plan=Plan(stages=(), request_digest="another")))
    assert runs.load("r1").plan == first.plan


def test_a_crash_between_plan_and_run_does_not_block_a_corrected_request(opener):
    opener.crash_after_plan(a_run(plan=Plan(stages=(), request_digest="wrong")))
    runs = opener.open().runs
    with pytest.raises(NotFound):
        runs.load("r1")
    assert runs.list().runs == ()
    corrected = runs.save(a_run(plan=Plan(stages=(), request_digest="right")))
    assert runs.load("r1") == corrected


def test_the_same_request_can_be_created_after_a_crash_too(opener):
    opener.crash_after_plan(a_run())
    runs = opener.open().runs
    saved = runs.save(a_run())
    assert runs.load("r1") == saved


def test_another_opening_of_the_store_sees_the_run(opener):
    saved = opener.open().runs.save(a_run())
    assert opener.open().runs.load("r1") == saved


# --- lists


def pages(runs, limit, **filters):
    """Return the ids of every page."""
    found, cursor = [], None
    while True:
        page = runs.list(limit=limit, cursor=cursor, **filters)
        found.append([run.id for run in page.runs])
        cursor = page.next_cursor
        if cursor is None:
            return found


def test_an_empty_store_has_one_empty_page(runs):
    assert pages(runs, 5) == [[]]


def test_pages_come_newest_first(runs):
    for number in range(7):
        runs.save(a_run(f"r{number}", minutes=number))
    assert pages(runs, 3) == [["r6", "r5", "r4"], ["r3", "r2", "r1"], ["r0"]]


def test_a_last_page_that_is_full_has_no_cursor(runs):
    for number in range(4):
        runs.save(a_run(f"r{number}", minutes=number))
    assert pages(runs, 2) == [["r3", "r2"], ["r1", "r0"]]


def test_runs_of_one_instant_are_neither_lost_nor_repeated(runs):
    for number in range(5):
        runs.save(a_run(f"r{number}"))
    found = pages(runs, 2)
    assert [len(page) for page in found] == [2, 2, 1]
    assert sorted(chain(*found)) == ["r0", "r1", "r2", "r3", "r4"]


def test_time_zones_do_not_confuse_the_order(runs):
    east = timezone(timedelta(hours=9))
    runs.save(a_run("noon"))
    runs.save(a_run("before", created_at=(NOON - timedelta(minutes=1)).astimezone(east)))
    runs.save(a_run("after", created_at=(NOON + timedelta(minutes=1)).astimezone(east)))
    assert pages(runs, 10) == [["after", "noon", "before"]]


def test_what_is_created_while_somebody_pages_does_not_disturb_him(runs):
    for number in range(4):
        runs.save(a_run(f"r{number}", minutes=number))
    first = runs.list(limit=2)
    runs.save(a_run("new", minutes=99))
    second = runs.list(limit=2, cursor=first.next_cursor)
    assert [run.id for run in second.runs] == ["r1", "r0"]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        pytest.param({"group": "a"}, ["r4", "r2", "r0"], id="group"),
        pytest.param({"state": RunState.RUNNING}, ["r5", "r4", "r3"], id="state"),
        pytest.param({"group": "b", "state": RunState.PENDING}, ["r1"], id="both"),
        pytest.param({"group": "nobody"}, [], id="none"),
    ],
)
def test_lists_are_filtered(runs, filters, expected):
    for number in range(6):
        state = RunState.RUNNING if number > 2 else RunState.PENDING
        runs.save(a_run(f"r{number}", number, group="ab"[number % 2], state=state))
    assert list(chain(*pages(runs, 2, **filters))) == expected
    assert list(chain(*pages(runs, 50, **filters))) == expected


def test_a_list_follows_a_change_of_state(runs):
    run = runs.save(a_run())
    runs.save(run.model_copy(update={"state": RunState.SUCCESS}))
    assert pages(runs, 5, state=RunState.PENDING) == [[]]
    assert pages(runs, 5, state=RunState.SUCCESS) == [["r1"]]


@pytest.mark.parametrize(
    "cursor",
    ["", "nonsense", "é", "bnVsbA==", "W10=", "WzEsMixudWxsLG51bGxd", "e30=", "\ud800",
     "WyI5IiwgIlx1ZDgwMCIsIG51bGwsIG51bGxd"],
)  # fmt: skip
def test_a_foreign_cursor_is_refused(runs, cursor):
    runs.save(a_run())
    with pytest.raises(InvalidRequest, match="cursor"):
        runs.list(cursor=cursor)


def test_a_cursor_of_another_filter_is_refused(runs):
    for number in range(3):
        runs.save(a_run(f"r{number}", minutes=number, group="a"))
    cursor = runs.list(group="a", limit=1).next_cursor
    with pytest.raises(InvalidRequest):
        runs.list(group="b", limit=1, cursor=cursor)


# --- the due index


def test_due_runs_come_earliest_first_and_only_once_their_time_has_come(runs):
    for run_id, minutes in [("late", 3), ("soon", 1), ("now", 2), ("future", 9)]:
        runs.save(a_run(run_id, next_check_at=NOON + timedelta(minutes=minutes)))
    assert runs.due(NOON) == ()
    assert runs.due(NOON + timedelta(minutes=3)) == ("soon", "now", "late")
    assert runs.due(NOON + timedelta(minutes=3), limit=2) == ("soon", "now")


def test_what_is_skipped_makes_room_for_what_comes_behind_it(runs):
    for number in range(5):
        runs.save(a_run(f"r{number}", next_check_at=NOON + timedelta(minutes=number)))
    later = NOON + timedelta(minutes=3)
    assert runs.due(later, 2, skip={"r0", "r2", "nobody"}) == ("r1", "r3")
    assert runs.due(later, 2, skip=("r0", "r1", "r2", "r3")) == ()


def test_a_run_whose_plan_is_gone_is_not_found_but_listed_and_due(opener):
    saved = opener.open().runs.save(a_run(next_check_at=NOON))
    opener.lose_plan("r1")
    runs = opener.open().runs
    with pytest.raises(NotFound, match="plan"):
        runs.load("r1")
    assert [run.id for run in runs.list().runs] == [saved.id]
    assert runs.due(NOON) == ("r1",)


def test_a_settled_run_is_not_due(runs):
    run = runs.save(a_run(next_check_at=NOON))
    runs.save(run.model_copy(update={"next_check_at": None, "settled_at": NOON}))
    assert runs.due(datetime(9999, 1, 1, tzinfo=UTC)) == ()


# --- before a time


@pytest.mark.parametrize("filters", [{}, {"group": "a"}, {"state": RunState.PENDING}])
def test_a_list_can_begin_below_a_time(runs, filters):
    for number in range(6):
        runs.save(a_run(f"r{number}", minutes=number * 24 * 60, group="a"))
    before = NOON + timedelta(days=4)
    found = pages(runs, 2, created_before=before, **filters)
    assert list(chain(*found)) == ["r3", "r2", "r1", "r0"]


def test_what_was_created_at_that_very_time_is_not_before_it(runs):
    runs.save(a_run())
    assert pages(runs, 5, created_before=NOON) == [[]]
    assert pages(runs, 5, created_before=NOON + timedelta(microseconds=1)) == [["r1"]]


# --- deletion


def ended_run(**fields):
    return a_run(**{"state": RunState.SUCCESS, "settled_at": NOON, **fields})


def test_a_deleted_run_is_on_no_list_and_cannot_be_loaded(runs):
    runs.save(ended_run(group="a"))
    runs.save(a_run("other", group="a"))
    runs.delete("r1")
    with pytest.raises(NotFound):
        runs.load("r1")
    for filters in ({}, {"group": "a"}, {"state": RunState.SUCCESS}):
        assert "r1" not in list(chain(*pages(runs, 5, **filters)))
    assert runs.load("other").id == "other"


def test_deleting_again_and_deleting_nobody_do_nothing(runs):
    runs.save(ended_run())
    runs.delete("r1")
    runs.delete("r1")
    runs.delete("nobody")
    assert pages(runs, 5) == [[]]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        pytest.param({"state": RunState.PENDING}, "PENDING", id="pending"),
        pytest.param({"state": RunState.RUNNING}, "RUNNING", id="running"),
        pytest.param({"state": RunState.CANCELED}, "settled_at", id="unsettled"),
    ],
)
def test_a_run_that_is_not_over_cannot_be_deleted(runs, fields, why):
    saved = runs.save(a_run(next_check_at=NOON, **fields))
    with pytest.raises(Conflict, match=why):
        runs.delete("r1")
    assert runs.load("r1") == saved
    assert runs.due(NOON) == ("r1",)


def test_an_id_can_be_used_again_after_the_deletion(runs):
    runs.save(ended_run())
    runs.delete("r1")
    again = runs.save(a_run(uid="z" * 20, plan=Plan(stages=(), request_digest="another")))
    assert runs.load("r1") == again
    assert again.version == 1
    with pytest.raises(Conflict):
        runs.delete("r1")


def test_a_run_with_the_same_plan_can_be_made_after_the_deletion(runs):
    runs.save(ended_run())
    runs.delete("r1")
    again = runs.save(a_run())
    assert runs.load("r1") == again


def test_who_loaded_the_run_before_its_deletion_cannot_bring_it_back(runs):
    saved = runs.save(ended_run())
    runs.delete("r1")
    with pytest.raises(StaleRun):
        runs.save(saved.model_copy(update={"settled_at": None}))
    with pytest.raises(NotFound):
        runs.load("r1")


# --- many at once


def raise_serial(opener: LocalOpener, times: int) -> tuple[int, list[int]]:
    """Raise the run's serial that often; return the versions that were won."""
    runs, won = opener.open().runs, []
    for _ in range(times):
        while True:
            run = runs.load("r1")
            try:
                won.append(runs.save(run.model_copy(update={"serial": run.serial + 1})).version)
                break
            except StaleRun:
                continue
    return len(won), won


def test_each_version_has_one_winner_among_processes(opener):
    opener.open().runs.save(a_run())
    results = in_processes(raise_serial, *[(opener, 25)] * 3)
    versions = sorted(version for _, won in results for version in won)
    assert versions == list(range(2, 77))
    run = opener.open().runs.load("r1")
    assert (run.version, run.serial) == (76, 75)


def test_each_version_has_one_winner_among_threads(opener, ports):
    ports.runs.save(a_run())

    def race(number):
        run = ports.runs.load("r1")
        while True:
            try:
                return ports.runs.save(run.model_copy(update={"serial": run.serial + 1}))
            except StaleRun:
                run = ports.runs.load("r1")

    with ThreadPoolExecutor(8) as pool:
        saved = list(pool.map(race, range(64)))
    assert sorted(run.version for run in saved) == list(range(2, 66))
    assert ports.runs.load("r1").serial == 64


def create(opener: LocalOpener, group: str) -> bool:
    try:
        opener.open().runs.save(a_run(group=group))
    except StaleRun:
        return False
    return True


def test_a_run_is_created_by_one_of_many_processes(opener):
    """On a fresh home, so that making the home itself is raced too."""
    won = in_processes(create, *[(opener, f"g{number}") for number in range(4)])
    assert sorted(won) == [False, False, False, True]
    assert opener.open().runs.load("r1").group == f"g{won.index(True)}"
