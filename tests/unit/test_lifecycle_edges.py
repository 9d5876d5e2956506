"""Corners of the state machine: whose turn it is, what it may cost, how it begins again."""

from __future__ import annotations

import pytest

from chalicelib.core.commands import (
    FindJob,
    MakeCall,
    ReadOutcome,
    StartJob,
    StopReason,
)
from chalicelib.core.events import (
    CallEnded,
    CancelRequested,
    JobNotFound,
    OutcomeRead,
    ResumeRequested,
    SubmissionRefused,
)
from chalicelib.core.job_state import JobStatus
from chalicelib.core.lifecycle import decide
from chalicelib.core.lifecycle.attempts import backoff, deferral
from chalicelib.core.plans.plan import (
    CleanUpPolicy,
    NoAction,
)
from chalicelib.core.run import RunState, StageStatus
from tests.unit.hands import CALL, JOB, PREP, Hand, closing, side_by_side, with_timeout
from tests.unit.runs import GRACE, UID, a_plan, a_run, at, idle_plan, requested, seen
from tests.unit.test_lifecycle_again import a_plan_with_files
from tests.unit.test_lifecycle_attempts import SPOT, Player, a_chain, attempts, statuses


class TestRequest:
    def test_a_run_bears_what_the_request_said_of_it(self):
        run = decide(None, requested(group="lab", kind="data-sync")).run
        assert (run.group, run.kind, run.uid, run.created_at) == ("lab", "data-sync", UID, at(0))
        assert {stage.task_id for stage in run.stages} == {"r1"}

    def test_a_run_of_nothing_has_all_its_times_and_no_outputs(self):
        run = decide(None, requested(idle_plan())).run
        assert (run.started_at, run.ended_at, run.settled_at) == (at(0), at(0), at(0))
        assert run.outputs == {}

    def test_a_run_tells_when_it_was_decided_how_it_ends(self):
        player = Hand(a_chain("A"))
        serial = player.submit()
        player.now = 40
        player.end(serial, 1)
        assert (player.run.state, player.run.ended_at) == (RunState.ERROR, at(40))
        player = Hand(closing(a_chain("A"), "clean"))
        serial = player.submit()
        player.now = 41
        player.end(serial)
        assert (player.run.ended_at, player.run.settled_at) == (at(41), None)

    def test_what_was_owed_before_is_not_ordered_again(self):
        player = Hand(side_by_side(CALL, CALL))
        assert len(player.commands) == 2
        player.tell(CallEnded, "A", attempt=1)
        assert player.commands == ()
        assert player.owed(MakeCall) == [MakeCall(stage="B", attempt=1)]

    def test_the_end_of_a_call_twice_is_harmless(self):
        player = Hand(side_by_side(CALL, CALL))
        player.tell(CallEnded, "A", attempt=1, result={"n": 1})
        run = player.run
        player.tell(CallEnded, "A", attempt=1, result={"n": 2})
        assert player.run is run


class TestTurns:
    def test_a_stage_out_of_turn_takes_no_serial_from_the_one_whose_turn_it_is(self):
        player = Hand(a_chain("A", "B"))
        run = player.run
        player.intend("B")
        assert player.run is run
        assert player.commands == (StartJob(stage="A", serial=1),)

    def test_a_stage_that_waits_for_an_old_job_holds_no_other_up(self):
        player = Hand(side_by_side(JOB, JOB, retry_policy="STAGE", max_attempts=2))
        serial = player.begin("A")
        player.apply(seen("copy", JobStatus.RUNNING, serial, at=at(0)))
        player.end(serial, 1)
        player.wait(2)
        assert player.owed(StartJob) == [StartJob(stage="B", serial=2)]

    def test_a_stage_that_fails_after_the_end_was_decided_is_not_tried_again(self):
        player = Hand(side_by_side(JOB, JOB, retry_policy="STAGE", max_attempts=5))
        player.begin("A"), player.begin("B")
        player.see(1, JobStatus.FAILED, ended_attempts=1, reason="its stage has ended")
        assert (player.run.state, statuses(player.run)) == (RunState.ERROR, ["ERROR", "RUNNING"])
        player.end(2, 1)
        assert statuses(player.run) == ["ERROR", "ERROR"]
        assert (player.run.error.stage, player.run.settled_at) == ("A", at(0))

    def test_nor_is_it_when_the_infrastructure_spoilt_it(self):
        player = Hand(side_by_side(JOB, JOB))
        player.begin("A"), player.begin("B")
        player.end(1, 1)
        player.end(2, None, SPOT)
        assert statuses(player.run) == ["ERROR", "ERROR"]

    def test_of_two_that_fail_in_the_same_look_the_first_is_the_runs_error(self):
        player = Hand(with_timeout(side_by_side(CALL, CALL), 5))
        player.wait(5)
        assert statuses(player.run) == ["ERROR", "ERROR"]
        assert player.run.error.stage == "A"

    def test_a_late_report_is_for_the_job_of_its_serial_only(self):
        player = Hand(side_by_side(JOB, JOB))
        player.intend("A"), player.begin("B")
        player.apply(seen("copy", JobStatus.RUNNING, 2, at=at(1)))
        assert player.run.job("A").job_id is None
        assert player.stops() == [("copy", StopReason.EXTRA_COPY)]


class TestBudget:
    def test_a_submission_that_was_lost_spends_no_attempt_of_the_budget(self):
        player = Hand(a_chain("A", retry_policy="GLOBAL", max_attempts=1))
        player.intend("A")
        player.now = GRACE
        player.tell(JobNotFound, "A", serial=1)
        assert player.commands == (StartJob(stage="A", serial=2),)
        player.end(player.submit())
        assert (player.run.state, attempts(player.run)) == (RunState.SUCCESS, (1,))

    def test_the_failure_that_spends_the_last_attempt_is_the_runs_error(self):
        run = Player(a_chain("A", retry_policy="GLOBAL", max_attempts=2)).play([1, 1])
        assert (run.error.cause, attempts(run), len(run.stages[0].history)) == ("user", (2,), 2)

    def test_clean_up_neither_needs_nor_spends_it(self):
        plan = a_chain("A", retry_policy="GLOBAL", max_attempts=2, clean_up="always")
        player = Hand(closing(plan, "clean"))
        player.submit()
        player.cancel()
        player.end(1, 137)
        player.end(player.submit())
        assert player.run.stage("clean").status is StageStatus.COMPLETE
        player.resume()
        assert player.play([1]).state is RunState.ERROR
        player.end(player.submit())
        assert player.run.stage("clean").status is StageStatus.COMPLETE
        assert player.run.settled_at is not None

    def test_clean_up_has_one_attempt_under_it(self):
        plan = a_chain("A", retry_policy="GLOBAL", max_attempts=9)
        player = Hand(closing(plan, "clean"))
        player.play([0])
        player.end(player.submit(), 1)
        assert player.run.stage("clean").status is StageStatus.ERROR

    def test_what_the_infrastructure_spoilt_is_not_counted_after_a_resume_either(self):
        player = Hand(a_chain("A", retry_policy="GLOBAL", max_attempts=2))
        player.play([None, None])
        player.submit()
        player.cancel()
        player.end(3, 137)
        player.resume()
        assert (attempts(player.run), player.run.stages[0].free_attempts) == ((3,), 2)
        assert player.play([0]).state is RunState.SUCCESS

    def test_five_times_at_most_the_infrastructure_is_trusted(self):
        player = Hand(a_chain("A"))
        player.play([None, None, None, None])
        assert statuses(player.run) == ["RETRY"]
        assert attempts(player.play([None])) == (5,)
        assert player.run.state is RunState.ERROR


class TestFinalCauses:
    def player(self) -> Hand:
        return Hand(a_chain("A", retry_policy="STAGE", max_attempts=9))

    def test_a_refused_submission_is_not_made_again(self):
        player = self.player()
        player.intend("A")
        player.tell(SubmissionRefused, "A", serial=1, message="no")
        assert player.run.state is RunState.ERROR

    def test_a_job_that_may_have_run_is_not_submitted_again(self):
        player = self.player()
        player.submit()
        player.now = 99
        player.tell(JobNotFound, "A", serial=1, job_id="job-1")
        assert player.run.state is RunState.ERROR

    def test_a_queue_in_which_it_waited_too_long_is_not_tried_again(self):
        plan = side_by_side(JOB, retry_policy="STAGE", max_attempts=9)
        player = Hand(plan.model_copy(update={"queue_wait_timeout_seconds": 60}))
        player.begin("A")
        player.wait(60)
        player.ask(1, JobStatus.RUNNABLE)
        assert player.run.state is RunState.ERROR


class TestWaiting:
    """Exponential, from a second to a minute, with full jitter; a submission within 16 s."""

    @pytest.mark.parametrize(
        ("tried", "longest"), [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (30, 60)]
    )
    def test_the_jitter_is_full(self, tried, longest):
        run = decide(None, requested(a_chain("A"))).run
        stage = run.stages[0].model_copy(update={"attempts": tried})
        lives = [run.model_copy(update={"generation": n}) for n in range(400)]
        drawn = sorted(backoff(life, stage).total_seconds() / longest for life in lives)
        assert 0 <= drawn[0] < 0.02
        assert 0.99 < drawn[-1] < 1

    def test_what_was_turned_away_comes_back_within_sixteen_seconds(self):
        run = decide(None, requested(a_chain("A"))).run
        drawn = sorted(deferral(run, serial).total_seconds() for serial in range(1000))
        assert 1 <= drawn[0] < 1.1
        assert 15.9 < drawn[-1] < 16


class TestCleanGround:
    def test_the_first_attempt_of_a_later_stage_is_not_prepared(self):
        player = Hand(a_chain("A", "B", prep=PREP))
        player.play([0, 0])
        assert [is_prep for *_, is_prep in player.queues] == [False, False]

    def test_nor_is_it_after_a_resume(self):
        player = Hand(a_chain("A", "B", prep=PREP))
        player.play([0])
        player.cancel()
        player.resume()
        player.submit()
        assert player.queues[-1] == ("B", 1, "spot", False)

    def test_what_never_was_accepted_left_nothing_to_clear_away(self):
        player = Hand(a_chain("A", prep=PREP))
        player.intend("A")
        player.tell(SubmissionRefused, "A", serial=1, message="no")
        player.resume()
        player.submit()
        assert player.queues == [("A", 1, "spot", False)]

    @pytest.mark.parametrize("is_prepared", [False, True], ids=["preparation-fails", "refused"])
    def test_what_worked_long_ago_is_still_cleared_away(self, is_prepared):
        """However many generations have not come so far as to work since."""
        player = Hand(a_chain("A", prep=PREP))
        player.end(player.submit(), 1)
        for _ in range(60):
            player.resume()
            serial = player.submit()
            player.end(serial, 0)
            told = {"serial": serial, "holder_job_id": f"job-{serial}", "is_written": True}
            if not is_prepared:
                player.tell(OutcomeRead, "A", **told, error="no")
                continue
            player.tell(OutcomeRead, "A", **told)
            serial = player.intend("A")
            player.tell(SubmissionRefused, "A", serial=serial, message="no")
        assert player.run.generation == 61
        assert all(is_prep for *_, is_prep in player.queues[1:])

    def test_a_preparation_is_read_once(self):
        player = Hand(a_chain("A", retry_policy="STAGE", max_attempts=3, prep=PREP))
        player.play([1])
        serial = player.submit()
        player.end(serial)
        assert player.owed(ReadOutcome) == [ReadOutcome(stage="A", serial=serial)]
        told = {"holder_job_id": f"job-{serial}", "is_written": True}
        player.tell(OutcomeRead, "A", serial=serial, **told)
        assert player.owed(ReadOutcome) == []
        assert player.commands == (StartJob(stage="A", serial=3),)


class TestCancel:
    def test_what_is_to_be_cleaned_up_is_canceled_first(self):
        run = a_run(until="execute", plan=a_plan(policy=CleanUpPolicy.ALWAYS))
        run = decide(run, CancelRequested(run_id="r1", at=at(7))).run
        assert statuses(run) == ["COMPLETE"] * 3 + ["CANCELED"] * 2 + ["CREATED"]

    def test_a_job_is_stopped_because_of_it(self):
        player = Hand(a_chain("A"))
        player.submit()
        player.cancel()
        assert player.stops() == [("job-1", StopReason.CANCELED)]

    def test_a_job_that_waits_is_not_accused_of_waiting_too_long_as_well(self):
        player = Hand(a_chain("A", queue_wait_timeout_seconds=60))
        player.submit()
        player.cancel()
        player.wait(60)
        player.ask(1, JobStatus.RUNNABLE)
        assert (player.run.state, player.run.error.cause) == (RunState.CANCELED, "canceled")
        assert player.stops() == [("job-1", StopReason.CANCELED)]


class TestResume:
    def test_a_job_of_the_former_life_is_stopped_because_its_stage_has_ended(self):
        player = Hand(a_chain("A"))
        player.submit()
        player.cancel()
        player.resume()
        assert player.stops() == [("job-1", StopReason.STAGE_ENDED)]

    def test_a_submission_of_the_former_life_is_looked_for_however_much_came_after_it(self):
        player = Hand(side_by_side(JOB, JOB, retry_policy="STAGE", max_attempts=99))
        player.intend("A")
        for _ in range(60):
            player.end(player.begin("B"), 1)
            player.wait()
        player.cancel()
        player.resume()
        assert [c.serial for c in player.owed(FindJob)] == [1]
        assert player.owed(StartJob) == []

    def test_a_run_remembers_its_last_fifty_jobs(self):
        player = Hand(a_chain("A"))
        for number in range(1, 70):
            player.play([1])
            player.resume()
            assert len(player.run.jobs) == min(number, 50)

    def test_files_are_there_as_long_as_clean_up_has_not_begun(self):
        run = a_run(until="execute", plan=a_plan_with_files())
        run = decide(run, CancelRequested(run_id="r1", at=at(7))).run
        run = decide(run, ResumeRequested(run_id="r1", at=at(8))).run
        assert statuses(run) == ["COMPLETE"] * 3 + ["CREATED"] * 3

    @pytest.mark.parametrize(
        ("action", "status"),
        [(NoAction(), "COMPLETE"), (CALL, "CREATED")],
        ids=["nothing-to-remove", "one-of-two-has-begun"],
    )
    def test_files_are_made_again_if_clean_up_may_have_removed_some(self, action, status):
        chain = a_chain("A", "B", clean_up="always")
        files = chain.stages[0].model_copy(update={"has_files": True})
        plan = chain.model_copy(update={"stages": (files, chain.stages[1])})
        player = Hand(closing(closing(plan, "c", action=action), "d", after=("c",)))
        player.play([0, 1])
        player.resume()
        assert statuses(player.run)[0] == status

    def test_a_clean_up_that_waits_for_its_retry_is_given_up(self):
        player = Hand(closing(a_chain("A", clean_up="always"), "clean"))
        player.play([1])
        player.end(player.submit(), None, SPOT)
        assert player.run.stage("clean").status is StageStatus.RETRY
        player.resume()
        history = player.run.stage("clean").history
        assert [entry.end_status for entry in history] == ["RETRY", "CANCELED"]
        assert player.run.stage("clean").task_id == "r1"


class TestCleanUp:
    def test_never_means_after_a_success_as_well(self):
        run = a_run(plan=a_plan(policy=CleanUpPolicy.NEVER))
        assert (run.state, run.settled_at is None) == (RunState.SUCCESS, False)
        assert run.stage("clean-up").status is StageStatus.CREATED

    def test_what_the_infrastructure_spoilt_of_it_is_tried_again(self):
        player = Hand(closing(a_chain("A"), "clean"))
        player.play([0])
        player.end(player.submit(), None, SPOT)
        assert player.run.settled_at is None
        player.wait()
        player.end(player.submit())
        assert player.run.stage("clean").status is StageStatus.COMPLETE
        assert player.run.settled_at is not None

    def test_under_stage_so_is_what_failed_of_it(self):
        player = Hand(closing(a_chain("A", retry_policy="STAGE", max_attempts=2), "clean"))
        player.play([0])
        player.end(player.submit(), 1)
        assert player.run.stage("clean").status is StageStatus.RETRY

    def test_two_steps_of_it_come_one_after_the_other_and_the_second_in_any_case(self):
        player = Hand(closing(closing(a_chain("A"), "c"), "d", after=("c",)))
        player.play([0])
        assert player.owed(StartJob) == [StartJob(stage="c", serial=2)]
        player.begin("c")
        assert player.owed(StartJob) == []
        player.end(2, 1)
        assert player.commands == (StartJob(stage="d", serial=3),)

    def test_two_that_are_independent_do_not_wait_for_each_other(self):
        player = Hand(closing(a_chain("A"), "c", "d"))
        player.play([0])
        player.begin("c")
        assert player.owed(StartJob) == [StartJob(stage="d", serial=3)]

    def test_it_has_as_long_as_a_whole_run(self):
        player = Hand(closing(a_chain("A", timeout_seconds=500), "clean"))
        player.play([0])
        player.submit()
        player.wait(499)
        assert player.run.stage("clean").status is StageStatus.RUNNING
        player.wait(1)
        (entry,) = player.run.stage("clean").history
        assert (entry.end_status, entry.message) == (
            "ERROR",
            "attempt 1 took longer than 500 seconds",
        )
