"""Corners of time: when an attempt is over, and when the sweep must look again."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.core.commands import (
    ReadOutcome,
    StopReason,
)
from chalicelib.core.events import (
    CallEnded,
    JobNotFound,
    OutcomeRead,
    TimerFired,
)
from chalicelib.core.job_state import JobStatus
from chalicelib.core.lifecycle import decide
from chalicelib.core.plans.plan import (
    StagePlan,
)
from chalicelib.core.run import RunState
from tests.unit.hands import CALL, JOB, PREP, Hand, side_by_side, with_timeout
from tests.unit.runs import GRACE, at, requested, seen
from tests.unit.test_lifecycle_attempts import a_chain, statuses


class TestDeadlines:
    def test_of_an_attempt_is_when_the_sweep_comes_next(self):
        player = Hand(with_timeout(side_by_side(JOB, check_seconds=900), 50))
        player.see(player.begin("A"), JobStatus.RUNNING, started_at=at(0))
        player.wait(GRACE)
        assert player.run.next_check_at == at(50)

    def test_of_a_wait_in_the_queue_is_when_the_sweep_comes_next(self):
        plan = side_by_side(JOB, check_seconds=900, queue_wait_timeout_seconds=60)
        player = Hand(plan)
        player.begin("A")
        player.wait(GRACE)
        assert player.run.next_check_at == at(60)

    def test_a_preparation_takes_nothing_from_the_time_of_its_attempt(self):
        plan = a_chain("A", retry_policy="STAGE", max_attempts=2, prep=PREP)
        player = Hand(with_timeout(plan, 50))
        player.play([1])
        player.see(player.submit(), JobStatus.RUNNING, started_at=at(player.now))
        player.wait(51)
        player.ask(2, JobStatus.RUNNING)
        assert statuses(player.run) == ["RUNNING"]

    def test_a_worker_that_ended_in_time_is_read_however_late_it_is(self):
        player = Hand(with_timeout(side_by_side(PREP), 50))
        player.see(player.begin("A"), JobStatus.RUNNING, started_at=at(0))
        player.end(1)
        player.wait(51)
        player.ask(1, JobStatus.SUCCEEDED)
        assert player.owed(ReadOutcome) == [ReadOutcome(stage="A", serial=1)]

    @pytest.mark.parametrize(
        ("job_id", "status"),
        [("copy", JobStatus.RUNNING), ("job-1", JobStatus.STARTING)],
        ids=["another-job", "an-answer-that-lags-behind"],
    )
    def test_only_what_is_sure_to_run_now_is_ended(self, job_id, status):
        player = Hand(with_timeout(side_by_side(JOB), 50))
        player.see(player.begin("A"), JobStatus.RUNNING, started_at=at(0))
        player.apply(seen("copy", JobStatus.RUNNING, 1, at=at(0)))
        player.wait(51)
        player.apply(seen(job_id, status, 1, at=at(51), is_fresh=True))
        assert statuses(player.run) == ["RUNNING"]

    def test_a_submission_that_nobody_confirmed_does_not_wait_in_a_queue(self):
        player = Hand(side_by_side(JOB, queue_wait_timeout_seconds=5))
        player.intend("A")
        assert player.run.next_check_at == at(GRACE)
        player.wait(6)
        assert statuses(player.run) == ["RUNNING"]

    def test_nor_does_a_job_that_is_forgotten(self):
        player = Hand(side_by_side(PREP, queue_wait_timeout_seconds=50))
        player.begin("A")
        player.now = 40
        player.tell(JobNotFound, "A", serial=1, job_id="job-1")
        player.wait(60)
        assert player.owed(ReadOutcome) == [ReadOutcome(stage="A", serial=1)]
        assert player.run.next_check_at == at(100 + 30)

    def test_of_the_run_ends_all_that_is_under_way(self):
        player = Hand(
            side_by_side(JOB, JOB, JOB, timeout_seconds=60, retry_policy="STAGE", max_attempts=9)
        )
        player.begin("B")
        player.now = 59.9
        player.end(player.begin("C"), 1)
        player.wait(0.1)
        assert statuses(player.run) == ["CREATED", "ERROR", "ERROR"]
        assert (player.run.error.stage, player.run.error.cause) == ("B", "timeout")
        told = {stage.history[-1].message for stage in player.run.stages[1:]}
        assert told == {"the run has not ended within 60 seconds"}
        assert player.stops() == [("job-1", StopReason.TIMED_OUT)]

    @pytest.mark.parametrize("actions", [(CALL,), (CALL, JOB)], ids=["alone", "beside-a-job"])
    def test_of_an_attempt_and_of_the_run_may_be_over_in_the_same_look(self, actions):
        player = Hand(with_timeout(side_by_side(*actions, timeout_seconds=5), 5))
        player.wait(5)
        assert player.run.error.message == "attempt 1 took longer than 5 seconds"

    def test_of_the_run_names_the_stage_whose_turn_it_was(self):
        plan = a_chain("A", "B", timeout_seconds=100)
        clean = StagePlan(name="clean", action=JOB, is_closing=True)
        player = Hand(plan.model_copy(update={"stages": (clean, *plan.stages)}))
        player.play([0])
        player.wait(100)
        assert statuses(player.run) == ["CREATED", "COMPLETE", "ERROR"]
        assert player.run.error.stage == "B"


class TestNextCheck:
    """The sweep comes as late as it may: every look is paid for."""

    def player(self, action: Any = JOB) -> Hand:
        player = Hand(side_by_side(action, check_seconds=900))
        player.intend("A")
        return player

    def test_a_job_that_is_known_has_the_sites_interval(self):
        player = self.player()
        player.see(1, JobStatus.RUNNING)
        player.wait(GRACE)
        assert player.run.next_check_at == at(GRACE + 900)

    def test_an_unconfirmed_submission_is_looked_for_every_second_after_its_grace(self):
        player = self.player()
        assert player.run.next_check_at == at(GRACE)
        player.wait(GRACE + 5)
        assert player.run.next_check_at == at(GRACE + 6)

    def test_what_was_given_up_is_not_looked_for(self):
        player = self.player()
        player.now = GRACE
        player.tell(JobNotFound, "A", serial=1)
        player.submit()
        player.wait(GRACE)
        assert player.run.next_check_at == at(2 * GRACE + 900)

    def test_a_job_of_which_only_the_id_is_known_is_looked_at_within_a_minute(self):
        player = self.player(PREP)
        player.see(1, JobStatus.FAILED, ended_attempts=1)
        player.tell(OutcomeRead, "A", serial=1, holder_job_id="winner")
        player.wait(GRACE)
        assert player.run.next_check_at == at(GRACE + 60)
        player.now = 99
        player.tell(JobNotFound, "A", serial=1, job_id="winner")
        assert player.run.next_check_at == at(99 + 900)

    def test_a_look_that_was_due_puts_the_next_one_off(self):
        player = self.player()
        player.see(1, JobStatus.RUNNING)
        for looks in range(1, 4):
            player.now = GRACE + (looks - 1) * 900
            player.wait(0)
            assert player.run.next_check_at == at(GRACE + looks * 900)

    def test_a_run_that_ends_at_an_early_look_is_looked_at_no_more(self):
        run = decide(None, requested()).run
        run = run.model_copy(update={"next_check_at": at(3601)})
        run = decide(run, TimerFired(run_id="r1", at=at(3600))).run
        assert (run.state, run.next_check_at) == (RunState.ERROR, None)


class TestCallsThatFailToBeMade:
    def look(self, late: float, after: float = 3600) -> RunState:
        run = decide(None, requested()).run
        run = run.model_copy(update={"next_check_at": at(after - late)})
        return decide(run, TimerFired(run_id="r1", at=at(after))).run.state

    def test_an_hour_is_enough_and_no_less(self):
        assert self.look(0, after=3599) is RunState.RUNNING
        assert self.look(0, after=3600) is RunState.ERROR

    def test_a_look_that_comes_two_intervals_late_is_no_proof(self):
        assert self.look(60) is RunState.ERROR
        assert self.look(61) is RunState.RUNNING

    def test_a_job_may_take_longer(self):
        player = Hand(side_by_side(CALL, JOB))
        player.tell(CallEnded, "A", attempt=1)
        player.see(player.begin("B"), JobStatus.RUNNING)
        for _ in range(300):
            player.wait(30)
        assert statuses(player.run) == ["COMPLETE", "RUNNING"]
