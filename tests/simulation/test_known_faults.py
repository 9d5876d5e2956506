"""Faults of the lifecycle that the simulator found, each as small as it gets."""

from __future__ import annotations

from datetime import timedelta

from chalicelib.core.events import JobChanged, OutcomeRead, SubmissionStarted, TimerFired
from chalicelib.core.job_state import ENDED_JOBS, JobStatus
from chalicelib.core.lifecycle import decide
from chalicelib.core.plans.plan import JobAction, Plan, StagePlan
from chalicelib.core.run import Run, RunState
from chalicelib.simulation.invariants import check_save
from tests.simulation.model import START, UID, Budget, a_plan, begin


def told(run: Run, job_id: str, status: JobStatus, exit_code: int | None = None) -> Run:
    event = JobChanged(
        run_id="r1",
        at=START,
        uid=UID,
        serial=1,
        job_id=job_id,
        queue="q",
        status=status,
        ended_attempts=int(status in ENDED_JOBS),
        exit_code=exit_code,
    )
    return decide(run, event).run


def started(plan: Plan) -> Run:
    run = begin(plan, Budget()).run
    event = SubmissionStarted(run_id="r1", at=START, stage="work", serial=1)
    return told(decide(run, event).run, "own", JobStatus.RUNNABLE)


def test_a_copy_that_claimed_and_has_ended_does_not_come_to_life_again():
    """Seed 736: the loser of a claim ends after the holder, which was stopped as a copy."""
    run = started(a_plan(is_worker=True))
    run = told(run, "copy", JobStatus.RUNNING)
    run = told(run, "copy", JobStatus.FAILED, 137)
    run = told(run, "own", JobStatus.FAILED, 75)
    event = OutcomeRead(
        run_id="r1", at=START, stage="work", serial=1, holder_job_id="copy", is_written=False
    )
    assert list(check_save(run, decide(run, event).run)) == []


def test_a_wait_and_a_run_whose_time_is_over_at_one_look_end_the_run():
    """Seed 988: after a long sleep both deadlines are over, and the look failed for ever."""
    action = JobAction(definition="user", queue="q")
    plan = Plan(
        stages=(StagePlan(name="work", action=action),),
        queue_wait_timeout_seconds=3600,
        timeout_seconds=86_400,
    )
    late = START + timedelta(days=2)
    run = decide(started(plan), TimerFired(run_id="r1", at=late)).run
    assert run.state is RunState.ERROR
    assert run.error is not None
