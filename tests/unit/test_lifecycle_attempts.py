"""Retries: the policies with their worked cases; what is free, where, when, on clean ground."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.commands import MakeCall, StartJob, StopJob, WakeAt
from chalicelib.core.errors import Conflict
from chalicelib.core.events import (
    CallEnded,
    CancelRequested,
    JobNotFound,
    SubmissionDeferred,
    SubmissionStarted,
    TimerFired,
)
from chalicelib.core.job_state import JobStatus
from chalicelib.core.lifecycle import decide, owed, prompt
from chalicelib.core.lifecycle.attempts import MAX_BACKOFF_SECONDS, MAX_SPOILT, backoff
from chalicelib.core.lifecycle.jobs import KEPT_JOBS
from chalicelib.core.lifecycle.stages import TRANSITIONS, begin, cancel, complete, fail, retry
from chalicelib.core.plans.plan import JobAction, Plan, PutDocuments, RetryPolicy, StagePlan
from chalicelib.core.run import Run, RunState, StageStatus
from tests.unit.runs import GRACE, at, requested, seen, worker

SPOT = "Host EC2 (instance i-1) terminated."


def a_chain(*names: str, **plan: Any) -> Plan:
    """Stages one after the other, each a job of the user's."""
    action = JobAction(
        definition="user",
        queue="spot",
        fallback_queue="steady",
        preparation=plan.pop("prep", None),
    )
    stages = tuple(
        StagePlan(name=name, action=action, after=names[:number][-1:])
        for number, name in enumerate(names)
    )
    return Plan.model_validate(
        {"stages": stages, "submit_grace_seconds": GRACE, "check_seconds": 30, **plan}
    )


class Player:
    """Plays a run to its end: every job ends as it is told to, time passes as it must."""

    def __init__(self, plan: Plan) -> None:
        self.now = 0.0
        self.run, self.commands = decide(None, requested(plan))
        self.queues: list[tuple[str, int, str, bool]] = []

    def apply(self, event: Any) -> None:
        self.run, self.commands = decide(self.run, event)

    def wait(self, seconds: float = 61) -> None:
        self.now += seconds
        self.apply(TimerFired(run_id="r1", at=at(self.now)))

    def submit(self) -> int:
        """Perform the StartJob that is owed, and have the job accepted; return its serial."""
        (start,) = [c for c in prompt(self.run) if isinstance(c, StartJob)]
        about = {"run_id": "r1", "at": at(self.now), "stage": start.stage}
        self.apply(SubmissionStarted(**about, serial=start.serial))
        job = self.run.jobs[-1]
        self.queues.append((job.stage, job.attempt, job.queue, job.is_preparation))
        self.see(start.serial, JobStatus.SUBMITTED)
        return start.serial

    def see(self, serial: int, status: JobStatus, **told: Any) -> None:
        self.apply(seen(f"job-{serial}", status, serial, at=at(self.now), **told))

    def ask(self, serial: int, status: JobStatus, **told: Any) -> None:
        """The backend is asked how the job is."""
        self.see(serial, status, is_fresh=True, **told)

    def end(self, serial: int, exit_code: int | None = 0, reason: str | None = None) -> None:
        status = JobStatus.SUCCEEDED if exit_code == 0 else JobStatus.FAILED
        self.see(serial, status, ended_attempts=1, exit_code=exit_code, reason=reason)

    def play(self, ends: list[int | None]) -> Run:
        """Every job in turn ends so: 0, an exit code, or None for a host that was taken away."""
        for code in ends:
            if self.run.is_terminal:
                raise AssertionError(f"{self.run.state} before job that ends with {code}")
            self.end(self.submit(), code, SPOT if code is None else None)
            self.wait()
        return self.run


def attempts(run: Run) -> tuple[int, ...]:
    return tuple(stage.attempts for stage in run.stages)


def statuses(run: Run) -> list[str]:
    return [stage.status.value for stage in run.stages]


CASES = [
    ("NONE", 1, [0, 1], ["COMPLETE", "ERROR", "CREATED"], (1, 1, 0)),
    ("NONE", 3, [0, 1], ["COMPLETE", "ERROR", "CREATED"], (1, 1, 0)),
    ("NONE", 4, [0, 1], ["COMPLETE", "ERROR", "CREATED"], (1, 1, 0)),
    ("STAGE", 1, [0, 1], ["COMPLETE", "ERROR", "CREATED"], (1, 1, 0)),
    ("STAGE", 3, [0, 1, 0, 0], ["COMPLETE"] * 3, (1, 2, 1)),
    ("STAGE", 4, [0, 1, 0, 0], ["COMPLETE"] * 3, (1, 2, 1)),
    ("GLOBAL", 3, [0, 1, 0], ["COMPLETE", "COMPLETE", "ERROR"], (1, 2, 0)),
    ("GLOBAL", 4, [0, 1, 0, 0], ["COMPLETE"] * 3, (1, 2, 1)),
]
"""Stage model, section 5; the ninth, GLOBAL with 1 of 3, is refused when it is submitted."""


@pytest.mark.parametrize(
    ("policy", "most", "ends", "states", "tried"),
    CASES,
    ids=[f"{policy}-{most}" for policy, most, *_ in CASES],
)
def test_the_worked_cases_of_the_policies(policy, most, ends, states, tried):
    run = Player(a_chain("A", "B", "C", retry_policy=policy, max_attempts=most)).play(ends)
    assert (statuses(run), attempts(run)) == (states, tried)
    assert run.state is (RunState.SUCCESS if states == ["COMPLETE"] * 3 else RunState.ERROR)
    assert run.settled_at is not None


def test_a_spent_budget_is_an_error_in_words_with_no_attempt():
    run = Player(a_chain("A", "B", "C", retry_policy="GLOBAL", max_attempts=3)).play([0, 1, 0])
    assert (run.error.stage, run.error.cause) == ("C", "attempts_exhausted")
    (entry,) = run.stage("C").history
    assert (entry.attempt, entry.begin_status, entry.end_status, entry.message) == (
        0,
        "CREATED",
        "ERROR",
        "attempts exhausted",
    )


def test_the_history_tells_of_every_execution():
    run = Player(a_chain("B", retry_policy="STAGE", max_attempts=3)).play([7, 0])
    told = [(e.attempt, e.begin_status.value, e.end_status.value) for e in run.stages[0].history]
    assert told == [(1, "CREATED", "RETRY"), (2, "RETRY", "COMPLETE")]
    assert "exit code 7" in run.stages[0].history[0].message


class TestBackoff:
    def test_a_failed_stage_waits_by_a_timer_and_not_by_a_sleep(self):
        player = Player(a_chain("A", retry_policy="STAGE", max_attempts=2))
        player.end(player.submit(), 1)
        stage = player.run.stages[0]
        assert stage.status is StageStatus.RETRY
        assert player.commands == (WakeAt(at=stage.retry_at),)
        assert player.run.next_check_at == stage.retry_at
        early = decide(player.run, TimerFired(run_id="r1", at=at(0)))
        assert not [c for c in early.commands if isinstance(c, StartJob)]
        after = decide(player.run, TimerFired(run_id="r1", at=stage.retry_at))
        assert after.commands == (StartJob(stage="A", serial=2),)

    def test_the_wake_up_twice_starts_once(self):
        player = Player(a_chain("A", retry_policy="STAGE", max_attempts=2))
        player.end(player.submit(), 1)
        player.wait()
        player.submit()
        player.wait()
        assert not [c for c in player.commands if isinstance(c, StartJob)]
        assert len(player.run.jobs) == 2

    @given(st.integers(1, 200), st.integers(1, 9))
    def test_it_doubles_up_to_a_minute_and_never_passes_it(self, tried, generation):
        run = decide(None, requested(a_chain("A"))).run
        run = run.model_copy(update={"generation": generation})
        stage = run.stages[0].model_copy(update={"attempts": tried})
        longest = min(MAX_BACKOFF_SECONDS, 2 ** (tried - 1))
        assert timedelta(0) <= backoff(run, stage) < timedelta(seconds=longest)

    def test_a_call_is_tried_again_as_well(self):
        action = PutDocuments(documents={})
        stages = (StagePlan(name="a", action=action),)
        plan = Plan(stages=stages, retry_policy=RetryPolicy.STAGE, max_attempts=2)
        player = Player(plan)
        player.apply(CallEnded(run_id="r1", at=at(0), stage="a", attempt=1, error="no"))
        assert statuses(player.run) == ["RETRY"]
        player.wait()
        assert player.commands == (MakeCall(stage="a", attempt=2),)


class TestInfrastructure:
    @pytest.mark.parametrize("policy", list(RetryPolicy))
    def test_its_failures_are_free(self, policy):
        most = {"NONE": 1, "STAGE": 1, "GLOBAL": 3}[policy]
        plan = a_chain("A", "B", "C", retry_policy=policy, max_attempts=most)
        run = Player(plan).play([None, 0, None, None, 0, 0])
        assert (run.state, attempts(run)) == (RunState.SUCCESS, (2, 3, 1))

    def test_they_come_to_an_end(self):
        run = Player(a_chain("A")).play([None] * (MAX_SPOILT + 1))
        assert (run.error.cause, attempts(run)) == ("infrastructure", (MAX_SPOILT + 1,))

    def test_after_the_second_the_fallback_queue_is_taken(self):
        player = Player(a_chain("A"))
        player.play([None, None, None, 0])
        assert [queue for _, _, queue, _ in player.queues] == ["spot", "spot", "steady", "steady"]

    @pytest.mark.parametrize(
        ("exit_code", "reason"),
        [(None, "CannotPullContainerError: manifest unknown"), (None, "its stage has ended")],
        ids=["misconfigured", "canceled"],
    )
    def test_what_no_further_try_can_mend_is_not_tried_again(self, exit_code, reason):
        player = Player(a_chain("A", retry_policy="STAGE", max_attempts=5))
        player.end(player.submit(), exit_code, reason)
        assert player.run.state is RunState.ERROR


class TestTurnedAway:
    def defer(self, player: Player, serial: int) -> None:
        about = {"run_id": "r1", "at": at(player.now), "stage": "A", "serial": serial}
        player.apply(SubmissionDeferred(**about))

    def start(self) -> Player:
        player = Player(a_chain("A"))
        about = {"run_id": "r1", "at": at(0), "stage": "A"}
        player.apply(SubmissionStarted(**about, serial=1))
        return player

    def test_the_intent_is_taken_back_and_the_next_comes_later_under_a_new_serial(self):
        player = self.start()
        self.defer(player, 1)
        assert (player.run.jobs, player.run.serial, attempts(player.run)) == ((), 1, (1,))
        assert player.commands == (WakeAt(at=player.run.stages[0].retry_at),)
        player.wait()
        assert player.commands == (StartJob(stage="A", serial=2),)

    def test_it_may_come_too_late_to_matter(self):
        player = self.start()
        player.see(1, JobStatus.SUBMITTED)
        run = player.run
        self.defer(player, 1)
        assert player.run is run

    def test_a_canceled_run_is_settled_by_it(self):
        player = self.start()
        player.apply(CancelRequested(run_id="r1", at=at(1)))
        assert player.run.settled_at is None
        self.defer(player, 1)
        assert player.run.settled_at is not None


class TestCleanGround:
    PREP = worker("stage-in")

    def test_every_attempt_but_the_first_is_prepared(self):
        player = Player(a_chain("A", retry_policy="STAGE", max_attempts=3, prep=self.PREP))
        player.end(player.submit(), 1)
        player.wait()
        self.prepare(player)
        player.end(player.submit(), 1)
        player.wait()
        self.prepare(player)
        player.end(player.submit(), 0)
        assert player.run.state is RunState.SUCCESS
        assert [(attempt, is_prep) for _, attempt, _, is_prep in player.queues] == [
            (1, False),
            (2, True),
            (2, False),
            (3, True),
            (3, False),
        ]

    def test_a_preparation_that_fails_costs_the_attempt_and_is_made_again(self):
        player = Player(a_chain("A", retry_policy="STAGE", max_attempts=3, prep=self.PREP))
        player.end(player.submit(), 1)
        player.wait()
        self.prepare(player, is_written=False)
        assert statuses(player.run) == ["RETRY"]
        player.wait()
        self.prepare(player)
        player.end(player.submit(), 0)
        assert (player.run.state, attempts(player.run)) == (RunState.SUCCESS, (3,))

    def test_what_a_worker_says_the_user_must_mend_is_not_tried_again(self):
        player = Player(a_chain("A", retry_policy="STAGE", max_attempts=9, prep=self.PREP))
        player.end(player.submit(), 1)
        player.wait()
        self.prepare(player, error="input x: nothing there")
        assert (player.run.state, attempts(player.run)) == (RunState.ERROR, (2,))

    def test_what_a_late_job_of_the_same_attempt_half_wrote_is_cleared_away(self):
        player = Player(a_chain("A", prep=self.PREP))
        player.apply(SubmissionStarted(run_id="r1", at=at(0), stage="A", serial=1))
        player.apply(JobNotFound(run_id="r1", at=at(GRACE), stage="A", serial=1))
        player.apply(seen("late", JobStatus.RUNNING, 1, at=at(20)))
        player.apply(seen("late", JobStatus.FAILED, 1, at=at(30), ended_attempts=1))
        player.submit()
        assert player.run.jobs[-1].is_preparation

    def test_the_exit_code_of_a_preparation_proves_nothing(self):
        player = Player(a_chain("A", retry_policy="STAGE", max_attempts=3, prep=self.PREP))
        player.end(player.submit(), 1)
        player.wait()
        player.end(player.submit(), 0)
        assert not [c for c in player.commands if isinstance(c, StartJob)]

    def test_nothing_begins_while_a_job_of_an_earlier_attempt_lives(self):
        player = Player(a_chain("A", retry_policy="STAGE", max_attempts=3))
        serial = player.submit()
        player.see(serial, JobStatus.RUNNING)
        player.apply(seen("copy", JobStatus.RUNNING, serial, at=at(1)))
        player.end(serial, 1)
        player.wait()
        assert not [c for c in owed(player.run, at(player.now)) if isinstance(c, StartJob)]
        ended = {"ended_attempts": 1, "exit_code": 137, "at": at(player.now)}
        player.apply(seen("copy", JobStatus.FAILED, serial, **ended))
        assert player.commands == (StartJob(stage="A", serial=2),)

    @staticmethod
    def prepare(player: Player, **told: Any) -> None:
        from chalicelib.core.events import OutcomeRead

        serial = player.submit()
        player.end(serial, 0)
        job = player.run.jobs[-1]
        about = {"run_id": "r1", "at": at(player.now), "stage": "A", "serial": serial}
        told = {"holder_job_id": job.job_id, "is_written": True, **told}
        player.apply(OutcomeRead.model_validate({**about, **told}))


def test_what_a_run_remembers_of_very_many_attempts_is_bounded():
    plan = a_chain("A", "B", retry_policy="STAGE", max_attempts=100)
    player = Player(plan)
    player.end(player.submit(), 0)
    listed = []
    for _ in range(100):
        player.end(player.submit(), 1, "x" * 2000)
        player.wait()
        listed.append(len(player.run.jobs))
    assert (player.run.state, attempts(player.run)) == (RunState.ERROR, (1, 100))
    assert (max(listed), listed[-1]) == (100, KEPT_JOBS + 2)
    assert {job.stage for job in player.run.jobs} == {"A", "B"}
    assert player.run.serial == 101


class TestTransitions:
    """Stage model, section 4: all cells; a cell that is not in the table is a Conflict."""

    VERBS = {
        StageStatus.RUNNING: lambda run: begin(run, "A", at(1)),
        StageStatus.COMPLETE: lambda run: complete(run, "A", at(1), None),
        StageStatus.RETRY: lambda run: retry(run, "A", at(1), "m", retry_at=at(2)),
        StageStatus.ERROR: lambda run: fail(run, "A", at(1), "m"),
    }

    @pytest.mark.parametrize("target", list(VERBS), ids=str)
    @pytest.mark.parametrize("source", list(StageStatus), ids=str)
    def test_of_the_table(self, source, target):
        run = self.in_status(source)
        if target in TRANSITIONS[source]:
            assert self.VERBS[target](run).stage("A").status is target
        else:
            with pytest.raises(Conflict, match=source):
                self.VERBS[target](run)

    def test_the_table_is_that_of_the_stage_model(self):
        told = {
            source.value: {t.value for t in targets} for source, targets in TRANSITIONS.items()
        }
        assert told == {
            "UNBOUND": {"CREATED", "CANCELED"},
            "CREATED": {"RUNNING", "ERROR", "CANCELED"},
            "RUNNING": {"RETRY", "COMPLETE", "ERROR", "CANCELED"},
            "RETRY": {"RUNNING", "ERROR", "CANCELED"},
            "COMPLETE": set(),
            "ERROR": set(),
            "CANCELED": set(),
        }

    @pytest.mark.parametrize("status", list(StageStatus), ids=str)
    def test_cancel_in_every_status(self, status):
        run = self.in_status(status)
        is_canceled = cancel(run, "A", at(1)).stage("A").status is StageStatus.CANCELED
        cancelable = {"UNBOUND", "CREATED", "RUNNING", "RETRY", "CANCELED"}
        assert is_canceled is (status.value in cancelable)

    @staticmethod
    def in_status(status: StageStatus) -> Run:
        run = decide(None, requested(a_chain("A"))).run
        stage = run.stages[0].model_copy(update={"status": status})
        return run.model_copy(update={"stages": (stage,)})


def test_a_stage_that_waits_for_its_retry_is_canceled_at_once():
    player = Player(a_chain("A", "B", retry_policy="STAGE", max_attempts=2))
    player.end(player.submit(), 1)
    player.apply(CancelRequested(run_id="r1", at=at(1)))
    assert statuses(player.run) == ["CANCELED", "CANCELED"]
    assert player.run.settled_at == at(1)
    player.wait()
    assert not [c for c in player.commands if isinstance(c, StartJob | StopJob)]


def test_a_failure_beside_it_ends_a_stage_that_waits_for_its_retry():
    action = JobAction(definition="user", queue="spot")
    stages = tuple(StagePlan(name=name, action=action) for name in "AB")
    player = Player(Plan(stages=stages, retry_policy="STAGE", max_attempts=2))
    for command in player.commands:
        about = {"run_id": "r1", "at": at(0), "stage": command.stage}
        player.apply(SubmissionStarted(**about, serial=player.run.serial + 1))
    player.see(1, JobStatus.FAILED, ended_attempts=1, exit_code=1)
    missing = "CannotPullContainerError: manifest unknown"
    player.see(2, JobStatus.FAILED, ended_attempts=1, reason=missing)
    assert statuses(player.run) == ["ERROR", "ERROR"]
    assert (player.run.error.stage, player.run.settled_at is None) == ("B", False)
