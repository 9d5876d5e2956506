"""Events come in any order: every order of up to six of them ends in the same state."""

from __future__ import annotations

from itertools import permutations, product

import pytest

from chalicelib.core.events import (
    ChildrenEnded,
    Event,
    JobChanged,
    JobNotFound,
    SubmissionStarted,
    SubmissionUnclear,
    TimerFired,
)
from chalicelib.core.job_state import JobStatus
from chalicelib.core.lifecycle import decide
from chalicelib.core.plans.plan import JobAction, Plan, StagePlan
from chalicelib.core.plans.run_actions import RunsAction
from chalicelib.core.run import Run, RunState
from chalicelib.simulation.invariants import check_save
from tests.simulation.model import START, UID, Budget, begin

S = JobStatus


def a_wide_plan(width: int) -> Plan:
    """Stages with a job each, side by side."""
    action = JobAction(definition="user", queue="q")
    return Plan(stages=tuple(StagePlan(name=f"s{n}", action=action) for n in range(1, width + 1)))


def told(serial: int, status: JobStatus, exit_code: int | None = None, copy: str = "") -> Event:
    has_ended = status in (S.SUCCEEDED, S.FAILED)
    return JobChanged(
        run_id="r1",
        at=START,
        uid=UID,
        serial=serial,
        job_id=f"j{serial}{copy}",
        queue="q",
        status=status,
        ended_attempts=int(has_ended),
        exit_code=exit_code,
    )


def a_started_run(width: int) -> Run:
    """Every stage's job has been accepted."""
    run = begin(a_wide_plan(width), Budget()).run
    for serial in range(1, width + 1):
        for event in (
            SubmissionStarted(run_id="r1", at=START, stage=f"s{serial}", serial=serial),
            told(serial, S.SUBMITTED),
        ):
            run = decide(run, event).run
    return run


def ends_of(run: Run, events: tuple[Event, ...]) -> set[str]:
    """Return the final state for every order, each step checked."""
    found = set()
    for order in permutations(events):
        now = run
        for event in order:
            after = decide(now, event).run
            assert not list(check_save(now, after))
            now = after
        jobs = tuple(sorted(now.jobs, key=lambda job: (job.serial, job.job_id or "")))
        found.add(now.model_copy(update={"jobs": jobs}).model_dump_json(exclude={"plan"}))
    return found


ONE_JOB = {
    "a job that succeeds": (S.SUCCEEDED, 0),
    "a job that fails": (S.FAILED, 1),
}


@pytest.mark.parametrize(("end", "code"), ONE_JOB.values(), ids=ONE_JOB)
def test_every_order_of_one_job_s_changes_ends_the_same(end, code):
    changes = (S.SUBMITTED, S.RUNNABLE, S.STARTING, S.RUNNING)
    events = (*(told(1, status) for status in changes), told(1, end, code), told(1, end, code))
    assert len(ends_of(a_started_run(1), events)) == 1


@pytest.mark.parametrize("end", [S.SUCCEEDED, S.FAILED], ids=str)
def test_every_order_of_what_is_said_around_an_end_ends_the_same(end):
    events = (
        told(1, end, int(end is S.FAILED)),
        told(1, S.RUNNING),
        told(1, S.FAILED, 75, copy="c"),
        SubmissionUnclear(run_id="r1", at=START, stage="s1", serial=1),
        JobNotFound(run_id="r1", at=START, stage="s1", serial=1),
        TimerFired(run_id="r1", at=START),
    )
    assert len(ends_of(a_started_run(1), events)) == 1


@pytest.mark.parametrize("width", range(2, 7))
def test_every_order_in_which_jobs_side_by_side_end_ends_the_same(width):
    run = a_started_run(width)
    for failed in {None, 1, width}:
        events = tuple(
            told(n, S.FAILED, 1) if n == failed else told(n, S.SUCCEEDED, 0)
            for n in range(1, width + 1)
        )
        ends = ends_of(run, events)
        assert len(ends) == 1
        state = RunState.SUCCESS if failed is None else RunState.ERROR
        assert f'"state":"{state}"' in ends.pop()


def test_every_order_of_any_three_jobs_ends_and_repeats_ends_the_same():
    run = a_started_run(3)
    for failing in product((False, True), repeat=3):
        if sum(failing) > 1:
            continue  # the first failure is the run's error, whichever comes first
        ends = tuple(
            told(n, S.FAILED, 1) if fails else told(n, S.SUCCEEDED, 0)
            for n, fails in enumerate(failing, 1)
        )
        assert len(ends_of(run, (*ends, *ends))) == 1


def over(stage: str, error: str | None = None) -> Event:
    about = {"stage": stage, "generation": 1, "attempt": 1}
    return ChildrenEnded(run_id="r1", at=START, result=stage, error=error, **about)


@pytest.mark.parametrize("width", range(2, 6))
def test_every_order_in_which_the_runs_of_stages_end_ends_the_same(width):
    """One is looked at before; a word that comes twice, and a look, change nothing."""
    action = RunsAction(kind="k", request={})
    stages = tuple(StagePlan(name=f"s{n}", action=action) for n in range(1, width + 1))
    run = begin(Plan(stages=stages), Budget()).run
    for failed in {None, 1, width}:
        ends = [over(f"s{n}", "no" if n == failed else None) for n in range(1, width + 1)]
        events = (*ends, ends[0], TimerFired(run_id="r1", at=START))[: 6 if width < 5 else 5]
        found = ends_of(run, events)
        state = RunState.SUCCESS if failed is None else RunState.ERROR
        if failed is None:
            assert len(found) == 1
        assert all(f'"state":"{state}"' in end for end in found)
        assert all('"settled_at":"' in end for end in found)
