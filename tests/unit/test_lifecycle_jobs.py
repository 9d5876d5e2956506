"""Corners of the submission protocol: news that is late, twice, or of another job."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.core.commands import (
    ReadOutcome,
    StartJob,
    StopJob,
    StopReason,
    SubmitJob,
    WakeAt,
)
from chalicelib.core.events import (
    JobNotFound,
    OutcomeRead,
    SubmissionDeferred,
    SubmissionRefused,
    SubmissionUnclear,
)
from chalicelib.core.job_state import JobStatus
from chalicelib.core.run import RunState
from tests.unit.hands import JOB, PREP, Hand, closing, side_by_side, with_timeout
from tests.unit.runs import GRACE, UID, at, seen
from tests.unit.test_lifecycle_attempts import a_chain, attempts, statuses

DAY = 24 * 3600


class TestTurnedAway:
    def again(self, action: Any = JOB) -> Hand:
        """A second attempt whose submission was turned away."""
        player = Hand(side_by_side(action, retry_policy="STAGE", max_attempts=2))
        player.end(player.begin("A"), 1)
        if player.owed(ReadOutcome):
            player.tell(OutcomeRead, "A", serial=1, is_written=True, error="no")
        player.wait(2)
        player.tell(SubmissionDeferred, "A", serial=player.intend("A"))
        return player

    def test_on_a_later_attempt_it_is_made_again_as_well(self):
        player = self.again()
        player.wait()
        assert player.commands == (StartJob(stage="A", serial=3),)
        player.end(player.submit())
        assert (player.run.state, attempts(player.run)) == (RunState.SUCCESS, (2,))

    def test_what_the_attempt_before_left_behind_is_not_read_in_its_place(self):
        player = Hand(with_timeout(side_by_side(PREP, retry_policy="STAGE", max_attempts=2), 5))
        player.see(player.begin("A"), JobStatus.RUNNING, started_at=at(0))
        player.wait(5)
        player.ask(1, JobStatus.RUNNING)
        player.end(1)
        player.wait()
        player.tell(SubmissionDeferred, "A", serial=player.intend("A"))
        assert statuses(player.run) == ["RUNNING"]
        assert player.owed(ReadOutcome) == []

    def test_twice_by_the_same_news_is_harmless(self):
        player = self.again()
        run = player.run
        player.tell(SubmissionDeferred, "A", serial=2)
        assert player.run is run

    def test_it_has_no_deadline_of_an_attempt_that_has_not_started(self):
        player = Hand(with_timeout(side_by_side(JOB), 5))
        player.tell(SubmissionDeferred, "A", serial=player.intend("A"))
        player.wait(6)
        assert statuses(player.run) == ["RUNNING"]


class TestRefused:
    @pytest.mark.parametrize("case", ["older", "accepted", "never-submitted", "twice"])
    def test_a_refusal_that_does_not_fit_is_ignored(self, case):
        player = Hand(a_chain("A", "B"))
        stage, serial = ("B", 7) if case == "never-submitted" else ("A", 1)
        if case == "accepted":
            player.submit()
        elif case == "older":
            player.intend("A")
            player.now = GRACE
            player.tell(JobNotFound, "A", serial=1)
            player.intend("A")
        else:
            player.intend("A")
        if case == "twice":
            player.tell(SubmissionRefused, stage, serial=serial, message="no")
        run = player.run
        player.tell(SubmissionRefused, stage, serial=serial, message="other")
        assert player.run is run

    def test_a_canceled_run_is_settled_by_it(self):
        player = Hand(a_chain("A"))
        player.intend("A")
        player.cancel()
        assert player.run.settled_at is None
        player.tell(SubmissionRefused, "A", serial=1, message="no")
        assert (player.run.state, player.run.settled_at) == (RunState.CANCELED, at(0))


class TestUnclear:
    @pytest.mark.parametrize("case", ["never-submitted", "accepted", "older"])
    def test_nobody_is_woken_for_what_is_known_meanwhile(self, case):
        player = Hand(a_chain("A"))
        if case == "accepted":
            player.submit()
        elif case == "older":
            player.intend("A")
            player.now = GRACE
            player.tell(JobNotFound, "A", serial=1)
            player.intend("A")
        player.tell(SubmissionUnclear, "A", serial=1)
        assert not [c for c in player.commands if isinstance(c, WakeAt | SubmitJob)]


class TestLost:
    @pytest.mark.parametrize("case", ["never-submitted", "ended", "another-id", "given-up"])
    def test_that_a_job_is_not_there_is_no_news_of_another(self, case):
        player = Hand(a_chain("A", "B"))
        told = {"stage": "A", "serial": 1}
        if case == "never-submitted":
            told = {"stage": "B", "serial": 2}
        elif case == "ended":
            player.end(player.submit())
        elif case == "another-id":
            player.submit()
            told["job_id"] = "copy"
        else:
            player.intend("A")
            player.now = GRACE
            player.tell(JobNotFound, **told)
        player.now = 99
        run = player.run
        player.tell(JobNotFound, **told)
        assert player.run is run

    def test_until_six_days_have_passed_it_is_submitted_again(self):
        player = Hand(a_chain("A", timeout_seconds=30 * DAY))
        player.intend("A")
        player.now = 6 * DAY - 1
        player.tell(JobNotFound, "A", serial=1)
        assert player.commands == (StartJob(stage="A", serial=2),)

    def lose(self, player: Hand, stage: str, times: int) -> None:
        for _ in range(times):
            serial = player.intend(stage)
            player.now += GRACE
            player.tell(JobNotFound, stage, serial=serial)

    def test_losses_of_one_stage_do_not_count_for_the_next(self):
        player = Hand(a_chain("A", "B"))
        self.lose(player, "A", 30)
        player.end(player.submit())
        self.lose(player, "B", 30)
        assert statuses(player.run) == ["COMPLETE", "RUNNING"]

    def test_only_what_nobody_ever_saw_counts(self):
        player = Hand(a_chain("A", retry_policy="STAGE", max_attempts=2, prep=PREP))
        player.play([1])
        serial = player.submit()
        player.end(serial)
        player.tell(OutcomeRead, "A", serial=serial, is_written=True)
        self.lose(player, "A", 49)
        assert statuses(player.run) == ["RUNNING"]
        self.lose(player, "A", 1)
        assert player.run.error.message == (
            "50 submissions in a row were never confirmed; it is given up"
        )

    def test_in_a_run_that_has_ended_it_is_not_submitted_again(self):
        player = Hand(side_by_side(JOB, JOB))
        player.intend("A"), player.begin("B")
        player.end(2, 1)
        assert (player.run.state, player.run.settled_at) == (RunState.ERROR, None)
        player.now = GRACE
        player.tell(JobNotFound, "A", serial=1)
        assert statuses(player.run) == ["ERROR", "ERROR"]
        assert (player.run.error.stage, player.run.settled_at) == ("B", at(GRACE))
        assert player.run.stage("A").history[-1].message == (
            f"job falsework-{UID}-a-1 was never confirmed, and the run had ended meanwhile"
        )

    def test_of_clean_up_it_is(self):
        player = Hand(closing(a_chain("A"), "clean"))
        player.play([0])
        player.intend("clean")
        player.now += GRACE
        player.tell(JobNotFound, "clean", serial=2)
        assert player.commands == (StartJob(stage="clean", serial=3),)

    def test_a_forgotten_job_of_a_canceled_run_settles_it(self):
        player = Hand(a_chain("A"))
        player.submit()
        player.cancel()
        player.now = 99
        player.tell(JobNotFound, "A", serial=1, job_id="job-1")
        assert (player.run.state, player.run.settled_at) == (RunState.CANCELED, at(99))

    def test_a_forgotten_worker_may_have_left_its_document(self):
        player = Hand(side_by_side(PREP))
        player.begin("A")
        player.now = 99
        player.tell(JobNotFound, "A", serial=1, job_id="job-1")
        assert player.commands == (ReadOutcome(stage="A", serial=1),)
        player.tell(OutcomeRead, "A", serial=1, is_written=True, result={"n": 1})
        assert player.run.state is RunState.SUCCESS


class TestReports:
    def player(self, action: Any = JOB) -> Hand:
        player = Hand(side_by_side(action))
        player.begin("A")
        return player

    def test_what_is_known_of_a_job_is_not_forgotten_by_a_report_that_is_silent_on_it(self):
        player = self.player()
        player.see(1, JobStatus.RUNNING, started_at=at(3), log_stream="log/1")
        player.see(1, JobStatus.SUCCEEDED, ended_attempts=1, stopped_at=at(9))
        job = player.run.job("A")
        assert (job.started_at, job.stopped_at, job.log_stream) == (at(3), at(9), "log/1")

    def test_why_it_waited_is_no_news_once_it_runs(self):
        player = self.player()
        player.see(1, JobStatus.RUNNING)
        run = player.run
        player.see(1, JobStatus.RUNNABLE, reason="CAPACITY")
        assert player.run is run

    def test_the_first_reason_why_it_waits_is_kept(self):
        player = self.player()
        player.see(1, JobStatus.RUNNABLE, reason="CAPACITY")
        run = player.run
        player.see(1, JobStatus.RUNNABLE, reason="MISCONFIGURATION")
        assert (player.run is run, run.job("A").reason) == (True, "CAPACITY")

    @pytest.mark.parametrize("exit_code", [0, None])
    def test_the_result_of_the_users_job_is_its_exit_code(self, exit_code):
        player = self.player()
        player.see(1, JobStatus.SUCCEEDED, ended_attempts=1, exit_code=exit_code)
        assert player.run.stages[0].result == {"exit_code": 0}

    def test_a_copy_is_stopped_in_the_queue_in_which_it_was_seen(self):
        player = self.player()
        player.apply(seen("copy", JobStatus.RUNNING, 1, queue="elsewhere"))
        (stop,) = player.commands
        assert (stop.job_id, stop.queue) == ("copy", "elsewhere")

    @pytest.mark.parametrize("status", [JobStatus.RUNNING, JobStatus.FAILED])
    def test_a_stray_job_is_stopped_while_it_lives(self, status):
        player = self.player()
        player.apply(seen("stray", status, 9))
        stop = StopJob(job_id="stray", queue="default", reason=StopReason.NO_RUN)
        assert player.commands == ((stop,) if status is JobStatus.RUNNING else ())


class TestClaims:
    def loser(self, **told: Any) -> Hand:
        player = Hand(side_by_side(PREP))
        player.begin("A")
        about = {"ended_attempts": 1, "exit_code": 75, "reason": "lost", "log_stream": "log/1"}
        times = {"started_at": at(1), "stopped_at": at(2)}
        player.see(1, JobStatus.FAILED, **about, **times, **told)
        return player

    def test_the_holder_bears_nothing_of_what_became_of_the_loser(self):
        player = self.loser()
        player.tell(OutcomeRead, "A", serial=1, holder_job_id="winner")
        known = player.run.job("A").model_dump(
            include={"job_id", "status", "exit_code", "reason", "log_stream", "is_own", "is_read"}
            | {"started_at", "stopped_at", "ended_attempts"}
        )
        assert known == {
            "job_id": "winner",
            "status": None,
            "ended_attempts": 0,
            "exit_code": None,
            "reason": None,
            "log_stream": None,
            "started_at": None,
            "stopped_at": None,
            "is_own": True,
            "is_read": False,
        }

    def test_a_holder_that_was_known_as_a_copy_is_there_once(self):
        player = self.loser()
        player.apply(seen("winner", JobStatus.RUNNING, 1))
        assert player.stops() == [("winner", StopReason.EXTRA_COPY)]
        player.tell(OutcomeRead, "A", serial=1, holder_job_id="winner")
        assert [job.job_id for job in player.run.jobs] == ["job-1", "winner"]
        assert player.stops() == []

    def test_a_holder_that_has_ended_already_is_owed_its_reading(self):
        player = self.loser()
        player.apply(seen("winner", JobStatus.SUCCEEDED, 1, ended_attempts=1))
        player.tell(OutcomeRead, "A", serial=1, holder_job_id="winner")
        assert player.commands == (ReadOutcome(stage="A", serial=1),)
        assert player.owed(ReadOutcome) == [ReadOutcome(stage="A", serial=1)]
        assert player.run.job("A").job_id == "winner"

    def test_a_worker_that_runs_keeps_no_other_from_being_read(self):
        player = Hand(side_by_side(PREP, PREP))
        player.begin("A"), player.begin("B")
        player.end(2)
        assert player.commands == (ReadOutcome(stage="B", serial=2),)

    @pytest.mark.parametrize("is_known", [False, True])
    def test_the_document_of_another_holder_counts_and_the_run_settles_after_it(self, is_known):
        player = self.loser()
        if is_known:
            player.apply(seen("winner", JobStatus.RUNNING, 1))
        told = {"holder_job_id": "winner", "is_written": True, "result": {"n": 1}}
        player.tell(OutcomeRead, "A", serial=1, **told)
        assert (player.run.state, player.run.settled_at) == (RunState.SUCCESS, None)
        assert [job.job_id for job in player.run.jobs] == ["job-1", "winner"]
        assert player.stops() == [("winner", StopReason.EXTRA_COPY)]
        player.apply(seen("winner", JobStatus.SUCCEEDED, 1, at=at(20)))
        assert player.run.settled_at == at(20)

    @pytest.mark.parametrize("case", ["runs", "never-submitted"])
    def test_an_outcome_is_of_a_job_that_has_ended(self, case):
        player = Hand(side_by_side(PREP))
        serial = 9 if case == "never-submitted" else player.begin("A")
        run = player.run
        player.tell(OutcomeRead, "A", serial=serial, is_written=True)
        assert player.run is run

    def test_what_a_canceled_worker_left_behind_is_not_read(self):
        player = Hand(side_by_side(PREP))
        player.begin("A")
        player.cancel()
        player.end(1)
        assert player.owed(ReadOutcome) == []


class TestBatches:
    def player(self, **told: Any) -> Hand:
        action = PREP.model_copy(update={"fan_out": PREP})
        return Hand(side_by_side(told.pop("action", action), **told))

    def do(self, player: Hand, **told: Any) -> None:
        serial = player.submit()
        player.end(serial)
        player.tell(OutcomeRead, "A", serial=serial, **told)

    def test_the_run_remembers_how_many_there_are(self):
        player = self.player()
        self.do(player, is_written=True, result={"batches": 3})
        self.do(player, batches_left=1)
        stage = player.run.stages[0]
        assert (stage.batches, stage.batches_left) == (3, 1)

    def test_a_finish_may_speak_of_batches(self):
        player = self.player()
        self.do(player, is_written=True, result={"batches": 3})
        self.do(player, batches_left=0)
        self.do(player, is_written=True, result={"batches": 3})
        assert player.run.stages[0].result == {"batches": 3}

    def test_so_may_a_worker_that_cannot_divide_its_work(self):
        player = self.player(action=PREP)
        self.do(player, is_written=True, result={"batches": 3})
        assert player.run.state is RunState.SUCCESS

    def test_an_array_has_its_time_from_the_beginning_of_the_attempt(self):
        """Batch never shows the parent of an array as started."""
        plan = with_timeout(side_by_side(PREP.model_copy(update={"fan_out": PREP})), 100)
        player = Hand(plan)
        self.do(player, is_written=True, result={"batches": 3})
        player.submit()
        player.wait(99)
        player.ask(2, JobStatus.PENDING)
        assert statuses(player.run) == ["RUNNING"]
        player.wait(1)
        player.ask(2, JobStatus.PENDING)
        assert player.run.error.cause == "timeout"

    def test_an_array_that_has_ended_is_read_however_late_it_is(self):
        plan = with_timeout(side_by_side(PREP.model_copy(update={"fan_out": PREP})), 100)
        player = Hand(plan)
        self.do(player, is_written=True, result={"batches": 3})
        player.end(player.submit())
        player.wait(500)
        player.ask(2, JobStatus.SUCCEEDED)
        assert player.owed(ReadOutcome) == [ReadOutcome(stage="A", serial=2)]
