from __future__ import annotations

from datetime import timedelta
from itertools import permutations

import pytest

from chalicelib.core.commands import (
    FindJob,
    MakeCall,
    ReadOutcome,
    StartJob,
    StopJob,
    SubmitJob,
    WakeAt,
    WatchJob,
)
from chalicelib.core.errors import Conflict, NotFound
from chalicelib.core.events import (
    CallEnded,
    CancelRequested,
    JobNotFound,
    OutcomeRead,
    RollbackRequested,
    SubmissionRefused,
    SubmissionStarted,
    SubmissionUnclear,
    TimerFired,
)
from chalicelib.core.job_state import JobStatus
from chalicelib.core.lifecycle import decide, owed, prompt
from chalicelib.core.lifecycle.deadlines import CALL_LIFE
from chalicelib.core.lifecycle.lost import INTENT_LIFE_SECONDS, MAX_LOST_SUBMISSIONS
from chalicelib.core.plans.plan import CleanUpPolicy, Plan, StagePlan
from chalicelib.core.run import RunState, StageStatus
from tests.unit.runs import (
    GRACE,
    NAMES,
    UID,
    a_plan,
    a_run,
    at,
    drive,
    idle_plan,
    requested,
    seen,
    worker,
    worn_out,
)


def statuses(run):
    return {stage.stage_name: stage.status.value for stage in run.stages}


def started(run, stage, serial=None, when=2):
    return SubmissionStarted(
        run_id="r1", at=at(when), stage=stage, serial=serial or run.serial + 1
    )


def an_intent(stage="execute"):
    """A run whose stage has an intent that nobody has confirmed."""
    run = a_run(until=stage)
    job = run.job(stage)
    unconfirmed = job.model_copy(update={"job_id": None, "status": None})
    jobs = tuple(unconfirmed if each is job else each for each in run.jobs)
    return run.model_copy(update={"jobs": jobs})


def test_a_run_goes_through_its_stages_in_order_and_settles():
    run = a_run()
    assert (run.state, set(statuses(run).values())) == (RunState.SUCCESS, {"COMPLETE"})
    assert [job.stage for job in run.jobs] == ["stage-in", "execute", "stage-out", "clean-up"]
    assert run.outputs == {"o": {"uri": "s3://b/o"}}
    assert run.settled_at is not None
    assert run.next_check_at is None
    assert prompt(run) == ()


def test_every_job_has_a_name_and_a_serial_of_its_own():
    run = a_run()
    assert [job.serial for job in run.jobs] == [1, 2, 3, 4]
    assert run.jobs[1].name == f"falsework-{UID}-execute-2"


def test_a_request_begins_the_first_stage_and_nothing_else():
    decision = decide(None, requested())
    assert decision.commands == (MakeCall(stage="scaffold", attempt=1),)
    assert decision.run.state is RunState.RUNNING
    assert list(statuses(decision.run).values()) == ["RUNNING"] + ["CREATED"] * 5


def test_a_plan_with_nothing_to_do_is_a_success_at_once():
    run = decide(None, requested(idle_plan())).run
    assert (run.state, run.settled_at) == (RunState.SUCCESS, at(0))
    assert run.stages[0].history[0].message == "nothing to do"


def test_the_same_request_again_changes_nothing_and_repeats_what_is_owed():
    run, commands = decide(None, requested())
    again = decide(run, requested(uid="zzzzzzzzzzzzzzzzzzzz"))
    assert again.run is run
    assert again.commands == commands


def test_another_request_of_the_same_id_is_a_conflict():
    with pytest.raises(Conflict, match="another request"):
        decide(a_run(), requested(a_plan(digest="other")))


def test_an_event_of_no_run_is_not_found():
    with pytest.raises(NotFound):
        decide(None, TimerFired(run_id="r1", at=at(0)))


class TestSubmission:
    def test_only_the_decision_that_sets_the_intent_may_submit(self):
        run, commands = decide(a_run(until="execute"), seen("job-2", JobStatus.SUCCEEDED, 2))
        assert commands == (StartJob(stage="stage-out", serial=3),)
        event = started(run, "stage-out")
        after, commands = decide(run, event)
        assert commands == (SubmitJob(stage="stage-out", serial=3),)
        again = decide(after, event)
        assert again.run is after
        assert not [c for c in again.commands if isinstance(c, SubmitJob)]

    def test_a_submission_is_never_owed(self):
        run = an_intent()
        for when in (0, GRACE, 10**6):
            assert not [c for c in owed(run, at(when)) if isinstance(c, SubmitJob | StartJob)]

    @pytest.mark.parametrize(
        ("stage", "serial"),
        [("execute", 3), ("stage-out", 3), ("stage-in", 3), ("scaffold", 3), ("execute", 2)],
    )
    def test_a_start_out_of_turn_is_ignored(self, stage, serial):
        run = a_run(until="execute")
        decision = decide(run, started(run, stage, serial))
        assert decision == (run, ())

    def test_two_stages_that_are_ready_get_one_serial_each(self):
        plan = Plan(
            stages=(
                StagePlan(name="a", action=worker("a")),
                StagePlan(name="b", action=worker("b")),
            )
        )
        run, commands = decide(None, requested(plan))
        assert commands == (StartJob(stage="a", serial=1), StartJob(stage="b", serial=1))
        run, commands = decide(run, started(run, "a", 1))
        assert commands == (SubmitJob(stage="a", serial=1), StartJob(stage="b", serial=2))
        run, commands = decide(run, started(run, "b", 1))
        assert not [c for c in commands if isinstance(c, SubmitJob)]
        run, commands = decide(run, started(run, "b", 2))
        assert commands == (SubmitJob(stage="b", serial=2),)

    def test_an_unknown_outcome_wakes_after_the_grace(self):
        run = an_intent()
        event = SubmissionUnclear(run_id="r1", at=at(2), stage="execute", serial=2)
        assert decide(run, event) == (run, (WakeAt(at=at(1 + GRACE)),))

    def test_a_refusal_ends_the_run_with_its_reason(self):
        event = SubmissionRefused(
            run_id="r1", at=at(2), stage="execute", serial=2, message="no such queue"
        )
        run = decide(an_intent(), event).run
        assert (run.state, run.error.cause) == (RunState.ERROR, "refused")
        assert run.error.message == "no such queue"
        assert run.settled_at is not None

    def test_an_event_that_bears_the_name_adopts_the_job_at_once(self):
        run = decide(an_intent(), seen("found", JobStatus.RUNNING, 2)).run
        assert (run.job("execute").job_id, run.job("execute").status) == ("found", "RUNNING")

    def test_within_the_grace_nobody_concludes_anything(self):
        run = an_intent()
        event = JobNotFound(run_id="r1", at=at(GRACE), stage="execute", serial=2)
        assert decide(run, event).run is run

    def test_after_the_grace_a_new_serial_is_intended_first(self):
        run = an_intent()
        event = JobNotFound(run_id="r1", at=at(1 + GRACE), stage="execute", serial=2)
        run, commands = decide(run, event)
        assert commands == (StartJob(stage="execute", serial=3),)
        run, commands = decide(run, started(run, "execute", when=12))
        assert commands == (SubmitJob(stage="execute", serial=3),)
        assert run.stage("execute").attempts == 1
        assert run.job("execute").name.endswith("-execute-3")

    def test_a_job_that_shows_itself_after_it_was_given_up_is_stopped(self):
        run = an_intent()
        lost = JobNotFound(run_id="r1", at=at(1 + GRACE), stage="execute", serial=2)
        run = decide(run, lost).run
        run, commands = decide(run, seen("late", JobStatus.RUNNING, 2, at=at(20)))
        assert [c.job_id for c in commands if isinstance(c, StopJob)] == ["late"]
        run = decide(run, seen("late", JobStatus.SUCCEEDED, 2, at=at(21), ended_attempts=1)).run
        assert run.stage("execute").status is StageStatus.RUNNING

    def test_an_old_intent_is_never_submitted_again(self):
        event = JobNotFound(run_id="r1", at=at(2 + INTENT_LIFE_SECONDS), stage="execute", serial=2)
        run, commands = decide(an_intent(), event)
        assert (run.state, run.error.cause) == (RunState.ERROR, "lost")
        assert "not submitted again" in run.error.message
        assert not [c for c in commands if isinstance(c, StartJob)]

    def test_submissions_that_nobody_ever_sees_are_given_up_in_the_end(self):
        run = an_intent()
        for number in range(MAX_LOST_SUBMISSIONS):
            assert run.state is RunState.RUNNING
            when = (number + 1) * (GRACE + 1)
            serial = run.job("execute").serial
            gone = JobNotFound(run_id="r1", at=at(when), stage="execute", serial=serial)
            run = decide(run, gone).run
            run = decide(run, started(run, "execute", when=when)).run
        assert (run.state, run.error.cause) == (RunState.ERROR, "lost")
        assert "50 submissions" in run.error.message

    def test_the_sweep_looks_an_unconfirmed_name_up(self):
        run = an_intent()
        early = decide(run, TimerFired(run_id="r1", at=at(5)))
        assert early.commands == (FindJob(stage="execute", serial=2, is_overdue=False),)
        late = decide(run, TimerFired(run_id="r1", at=at(1 + GRACE)))
        assert late.commands == (FindJob(stage="execute", serial=2, is_overdue=True),)

    def test_an_unconfirmed_intent_is_due_when_its_grace_ends(self):
        run, commands = decide(a_run(until="stage-in"), seen("job-1", JobStatus.SUCCEEDED, 1))
        assert commands == (ReadOutcome(stage="stage-in", serial=1),)
        run = drive(run, (), until="execute")
        run, _ = decide(
            run.model_copy(
                update={
                    "stages": a_run(until="stage-in").stages,
                    "jobs": (),
                    "next_check_at": None,
                }
            ),
            started(run, "stage-in", when=3),
        )
        assert run.next_check_at == at(3 + GRACE)


class TestJobs:
    @pytest.mark.parametrize("late", [JobStatus.SUBMITTED, JobStatus.RUNNING, JobStatus.FAILED])
    def test_a_job_never_goes_back(self, late):
        run = a_run()
        decision = decide(run, seen("job-2", late, 2, ended_attempts=1))
        assert decision.run is run

    def test_a_duplicate_changes_nothing(self):
        event = seen("job-2", JobStatus.RUNNING, 2)
        run = decide(a_run(until="execute"), event).run
        assert decide(run, event) == (run, ())

    def test_reports_in_any_order_lead_to_the_same_run(self):
        reports = [
            seen("job-2", status, 2, ended_attempts=int(status is JobStatus.SUCCEEDED))
            for status in (
                JobStatus.RUNNABLE,
                JobStatus.STARTING,
                JobStatus.RUNNING,
                JobStatus.SUCCEEDED,
            )
        ]
        ends = set()
        for order in permutations(reports):
            run = a_run(until="execute")
            for event in order:
                run = decide(run, event).run
            ends.add(run.model_dump_json())
        assert len(ends) == 1

    def test_the_users_failure_ends_the_run_and_later_stages_stay(self):
        event = seen(
            "job-2", JobStatus.FAILED, 2, ended_attempts=1, exit_code=3, reason="Essential"
        )
        run = decide(a_run(until="execute"), event).run
        assert run.state is RunState.ERROR
        assert run.error.message.endswith("failed with exit code 3: Essential")
        assert list(statuses(run).values()) == ["COMPLETE"] * 3 + ["ERROR"] + ["CREATED"] * 2
        assert run.settled_at == at(5)

    @pytest.mark.parametrize(
        ("exit_code", "reason", "cause"),
        [
            (3, "Essential container in task exited", "user"),
            (None, "Host EC2 (instance i-1) terminated.", "infrastructure"),
            (137, "OutOfMemoryError: Container killed due to memory usage", "out_of_memory"),
            (137, "Job attempt duration exceeded timeout", "timeout"),
            (None, "CannotPullContainerError: manifest unknown", "misconfigured"),
        ],
        ids=["user", "infrastructure", "out_of_memory", "timeout", "misconfigured"],
    )
    def test_the_cause_of_a_failed_job_says_whose_fault_it_was(self, exit_code, reason, cause):
        told = {"ended_attempts": 1, "exit_code": exit_code, "reason": reason}
        run = worn_out(a_run(until="execute"), "execute")
        run = decide(run, seen("job-2", JobStatus.FAILED, 2, **told)).run
        assert (run.error.cause, type(run.error.cause)) == (cause, str)

    def test_a_second_job_of_the_name_is_stopped_and_moves_nothing(self):
        run, commands = decide(a_run(until="execute"), seen("copy", JobStatus.RUNNING, 2))
        assert [c.job_id for c in commands] == ["copy"]
        run = decide(run, seen("copy", JobStatus.SUCCEEDED, 2, ended_attempts=1)).run
        assert run.stage("execute").status is StageStatus.RUNNING

    def test_a_copy_belongs_to_the_generation_of_its_name(self):
        run = decide(a_run(), RollbackRequested(run_id="r1", at=at(6), stage="execute")).run
        run = decide(run, started(run, "execute", when=7)).run
        run = decide(run, seen("job-5", JobStatus.RUNNING, 5)).run
        run = decide(run, seen("copy", JobStatus.RUNNING, 5)).run
        assert [job.generation for job in run.jobs[-2:]] == [2, 2]

    def test_a_run_settles_only_when_the_copy_has_ended(self):
        run = decide(a_run(until="execute"), seen("copy", JobStatus.RUNNING, 2)).run
        failed = seen("job-2", JobStatus.FAILED, 2, ended_attempts=1, exit_code=1)
        run = decide(run, failed).run
        assert (run.state, run.settled_at) == (RunState.ERROR, None)
        run = decide(run, seen("copy", JobStatus.FAILED, 2, ended_attempts=1, at=at(9))).run
        assert run.settled_at == at(9)

    def test_a_copy_that_shows_itself_late_unsettles_the_run_and_is_stopped(self):
        run, commands = decide(a_run(), seen("copy", JobStatus.RUNNING, 2, at=at(99)))
        assert [c.job_id for c in commands] == ["copy"]
        assert (run.state, run.settled_at) == (RunState.SUCCESS, None)
        assert run.next_check_at is not None

    def test_a_job_of_ours_with_an_unknown_serial_is_only_stopped(self):
        run = a_run(until="execute")
        decision = decide(run, seen("other", JobStatus.RUNNING, 99))
        assert decision.run is run
        assert [c.job_id for c in decision.commands] == ["other"]

    def test_a_job_of_another_run_of_this_id_is_left_alone(self):
        run = a_run(until="execute")
        event = seen("other", JobStatus.RUNNING, 2, uid="z" * 20)
        assert decide(run, event) == (run, ())

    def test_a_young_job_that_is_not_shown_yet_is_not_lost(self):
        run = a_run(until="execute")
        event = JobNotFound(run_id="r1", at=at(GRACE), stage="execute", serial=2, job_id="job-2")
        assert decide(run, event).run is run

    def test_a_job_that_was_given_up_and_shows_itself_is_stopped(self):
        gone = JobNotFound(run_id="r1", at=at(99), stage="execute", serial=2, job_id="job-2")
        run = decide(a_run(until="execute"), gone).run
        assert run.settled_at is not None
        run, commands = decide(run, seen("job-2", JobStatus.RUNNING, 2, at=at(100)))
        assert [c.job_id for c in commands] == ["job-2"]
        assert run.settled_at is None

    def test_what_is_said_of_a_failure_is_cut_to_what_a_run_has_room_for(self):
        event = seen("job-2", JobStatus.FAILED, 2, ended_attempts=1, reason="x" * 500_000)
        run = decide(a_run(until="execute"), event).run
        assert len(run.model_dump_json(exclude={"plan"})) < 20_000

    def test_a_forgotten_job_ends_the_run_in_words(self):
        event = JobNotFound(run_id="r1", at=at(99), stage="execute", serial=2, job_id="job-2")
        run = decide(a_run(until="execute"), event).run
        assert (run.state, run.error.cause) == (RunState.ERROR, "lost")
        assert "no longer knows the job" in run.error.message


class TestWorkers:
    def ended(self, **told):
        run = a_run(until="stage-in")
        return decide(run, seen("job-1", JobStatus.SUCCEEDED, 1, ended_attempts=1, **told))

    def read(self, run, **told):
        about = {"run_id": "r1", "at": at(6), "stage": "stage-in", "serial": 1}
        return decide(run, OutcomeRead.model_validate({**about, **told}))

    def test_its_end_makes_us_read_what_it_left_behind(self):
        run, commands = self.ended()
        assert commands == (ReadOutcome(stage="stage-in", serial=1),)
        assert run.stage("stage-in").status is StageStatus.RUNNING

    def test_exit_0_without_a_document_is_an_error(self):
        run = worn_out(self.ended().run, "stage-in")
        run = self.read(run, holder_job_id="job-1").run
        assert (run.state, run.error.cause) == (RunState.ERROR, "worker")
        assert "without its result document" in run.error.message

    @pytest.mark.parametrize(
        ("exit_code", "reason", "cause"),
        [
            (1, "Essential container in task exited", "worker"),
            (137, "OutOfMemoryError: Container killed due to memory usage", "worker"),
            (None, "Host EC2 (instance i-1) terminated.", "infrastructure"),
        ],
        ids=["its-own-fault", "its-memory", "its-host"],
    )
    def test_a_failure_without_a_document_is_the_workers_or_its_hosts(
        self, exit_code, reason, cause
    ):
        told = {"ended_attempts": 1, "exit_code": exit_code, "reason": reason}
        run = worn_out(a_run(until="stage-in"), "stage-in")
        run = decide(run, seen("job-1", JobStatus.FAILED, 1, **told)).run
        assert self.read(run, holder_job_id="job-1").run.error.cause == cause

    def test_a_worker_that_is_forgotten_and_left_nothing_is_lost(self):
        gone = JobNotFound(run_id="r1", at=at(99), stage="stage-in", serial=1, job_id="job-1")
        run = decide(a_run(until="stage-in"), gone).run
        assert self.read(run).run.error.cause == "lost"

    def test_the_document_counts_even_if_the_container_was_lost_afterwards(self):
        run = a_run(until="stage-in")
        run = decide(run, seen("job-1", JobStatus.FAILED, 1, ended_attempts=1)).run
        run = self.read(run, holder_job_id="job-1", is_written=True, result={"files": 1}).run
        assert run.stage("stage-in").result == {"files": 1}

    def test_what_the_document_says_went_wrong_is_the_runs_error(self):
        run = self.read(self.ended().run, is_written=True, error="input x: nothing there").run
        assert run.error.message == "input x: nothing there"

    def test_the_holder_of_the_claim_is_adopted_in_the_losers_place(self):
        run = a_run(until="stage-in")
        loser = seen("job-1", JobStatus.FAILED, 1, ended_attempts=1, exit_code=75)
        run = self.read(decide(run, loser).run, holder_job_id="winner").run
        assert run.job("stage-in").job_id == "winner"
        assert WatchJob(stage="stage-in", serial=1, job_id="winner") in owed(run, at(7))
        run, commands = decide(run, seen("winner", JobStatus.SUCCEEDED, 1, ended_attempts=1))
        assert commands == (ReadOutcome(stage="stage-in", serial=1),)
        run = self.read(run, holder_job_id="winner", is_written=True, result={}).run
        assert run.stage("stage-in").status is StageStatus.COMPLETE

    def test_an_outcome_is_taken_in_once(self):
        told = {"holder_job_id": "job-1", "is_written": True, "result": {"n": 1}}
        run = self.read(self.ended().run, **told).run
        assert self.read(run, **told).run is run


class TestCancel:
    def cancel(self, run, when=7):
        return decide(run, CancelRequested(run_id="r1", at=at(when)))

    def test_it_is_final_at_once_and_stops_the_job(self):
        run, commands = self.cancel(a_run(until="execute"))
        assert (run.state, run.ended_at, run.settled_at) == (RunState.CANCELED, at(7), None)
        assert [c.job_id for c in commands if isinstance(c, StopJob)] == ["job-2"]
        assert list(statuses(run).values()) == ["COMPLETE"] * 3 + ["CANCELED"] * 3

    def test_it_is_settled_when_the_job_has_ended(self):
        run = self.cancel(a_run(until="execute")).run
        run = decide(run, seen("job-2", JobStatus.FAILED, 2, ended_attempts=1, at=at(9))).run
        assert (run.state, run.settled_at) == (RunState.CANCELED, at(9))

    def test_the_stop_stays_owed_until_then(self):
        run = self.cancel(a_run(until="execute")).run
        assert [c.job_id for c in owed(run, at(8)) if isinstance(c, StopJob)] == ["job-2"]

    def test_a_job_that_succeeds_after_all_changes_nothing_about_it(self):
        run = self.cancel(a_run(until="execute")).run
        run = decide(run, seen("job-2", JobStatus.SUCCEEDED, 2, ended_attempts=1)).run
        assert run.state is RunState.CANCELED
        assert run.stage("execute").status is StageStatus.CANCELED
        assert run.stage("execute").result is None

    def test_an_unconfirmed_submission_is_looked_for_before_the_run_settles(self):
        run = self.cancel(an_intent()).run
        assert run.settled_at is None
        _, commands = decide(run, seen("ghost", JobStatus.RUNNABLE, 2))
        assert [c.job_id for c in commands if isinstance(c, StopJob)] == ["ghost"]
        gone = JobNotFound(run_id="r1", at=at(1 + GRACE), stage="execute", serial=2)
        assert decide(run, gone).run.settled_at is not None

    def test_again_is_harmless_and_on_an_ended_run_a_conflict(self):
        run = self.cancel(a_run(until="execute")).run
        assert self.cancel(run).run is run
        with pytest.raises(Conflict, match="SUCCESS"):
            self.cancel(a_run())


class TestCleanUp:
    @pytest.mark.parametrize(
        ("policy", "cleans"),
        [(CleanUpPolicy.ALWAYS, True), (CleanUpPolicy.ON_SUCCESS, False)],
    )
    def test_after_a_failure_the_policy_decides(self, policy, cleans):
        run = a_run(until="execute", plan=a_plan(policy=policy))
        failed = seen("job-2", JobStatus.FAILED, 2, ended_attempts=1, exit_code=1)
        run, commands = decide(run, failed)
        assert run.state is RunState.ERROR
        assert (commands == (StartJob(stage="clean-up", serial=3),)) is cleans
        assert (run.settled_at is None) is cleans
        run = drive(run, commands, until="")
        assert run.settled_at is not None
        assert (run.stage("clean-up").status is StageStatus.COMPLETE) is cleans

    def test_after_a_cancel_it_waits_for_the_jobs(self):
        run = a_run(until="execute", plan=a_plan(policy=CleanUpPolicy.ALWAYS))
        run, commands = decide(run, CancelRequested(run_id="r1", at=at(7)))
        assert not [c for c in commands if isinstance(c, StartJob)]
        ended = seen("job-2", JobStatus.FAILED, 2, ended_attempts=1)
        run, commands = decide(run, ended)
        assert commands == (StartJob(stage="clean-up", serial=3),)

    def test_its_failure_does_not_change_how_the_run_ended(self):
        run = worn_out(a_run(until="clean-up"), "clean-up")
        assert (run.state, run.settled_at) == (RunState.SUCCESS, None)
        run, _ = decide(run, seen("job-4", JobStatus.FAILED, 4, ended_attempts=1))
        event = OutcomeRead(run_id="r1", at=at(8), stage="clean-up", serial=4)
        run = decide(run, event).run
        assert (run.state, run.error) == (RunState.SUCCESS, None)
        assert run.stage("clean-up").status is StageStatus.ERROR
        assert run.settled_at == at(8)


class TestCalls:
    def test_a_call_that_fails_for_good_ends_the_run(self):
        run = decide(None, requested()).run
        event = CallEnded(run_id="r1", at=at(1), stage="scaffold", attempt=1, error="no")
        run = decide(run, event).run
        assert (run.error.stage, run.error.cause, run.error.message) == ("scaffold", "call", "no")

    def test_an_end_of_another_attempt_is_ignored(self):
        run = decide(None, requested()).run
        event = CallEnded(run_id="r1", at=at(1), stage="scaffold", attempt=2)
        assert decide(run, event).run is run

    def test_it_stays_owed_until_it_has_ended(self):
        run = decide(None, requested()).run
        assert owed(run, at(60)) == (MakeCall(stage="scaffold", attempt=1),)

    def test_after_a_long_sleep_it_is_tried_before_it_is_given_up(self):
        run = decide(None, requested()).run
        event = TimerFired(run_id="r1", at=at(CALL_LIFE.total_seconds() * 3))
        run, commands = decide(run, event)
        assert commands == (MakeCall(stage="scaffold", attempt=1),)
        punctual = TimerFired(run_id="r1", at=run.next_check_at)
        assert decide(run, punctual).run.state is RunState.ERROR

    def test_it_is_given_up_after_an_hour(self):
        run = decide(None, requested()).run
        run = run.model_copy(update={"next_check_at": at(CALL_LIFE.total_seconds())})
        event = TimerFired(run_id="r1", at=at(CALL_LIFE.total_seconds()))
        assert decide(run, event).run.state is RunState.ERROR


class TestHistory:
    def test_one_entry_for_one_execution(self):
        history = a_run().stage("execute").history
        assert [entry.model_dump(mode="json") for entry in history] == [
            {
                "attempt": 1,
                "begin_status": "CREATED",
                "end_status": "COMPLETE",
                "begin_ts": "2026-01-01T00:00:01+00:00",
                "end_ts": "2026-01-01T00:00:01+00:00",
                "message": "OK",
                "run_time_seconds": 0.0,
            }
        ]

    def test_a_cancel_before_the_first_run_has_attempt_0(self):
        run = decide(a_run(until="execute"), CancelRequested(run_id="r1", at=at(7))).run
        entry = run.stage("stage-out").history[0]
        assert (entry.attempt, entry.begin_status, entry.end_status) == (0, "CREATED", "CANCELED")

    def test_times_never_run_backwards(self):
        event = seen("job-2", JobStatus.SUCCEEDED, 2, ended_attempts=1, at=at(-50))
        run = decide(a_run(until="execute"), event).run
        assert run.stage("execute").history[0].run_time_seconds == 0.0


def test_a_result_stands_only_beside_complete():
    for until in NAMES[2:]:
        for stage in a_run(until=until).stages:
            assert (stage.result is None) or stage.status is StageStatus.COMPLETE


def test_the_timer_puts_the_next_look_off_but_not_before_it_is_due():
    run = a_run(until="execute")
    assert decide(run, TimerFired(run_id="r1", at=at(3))).run is run
    late = decide(run, TimerFired(run_id="r1", at=at(60))).run
    assert late.next_check_at == at(90)


def test_a_settled_run_has_nothing_to_look_at():
    run = a_run()
    assert decide(run, TimerFired(run_id="r1", at=at(10**6))) == (run, ())


def test_an_answer_that_was_asked_for_and_is_old_news_repeats_no_order():
    run = decide(a_run(until="execute"), CancelRequested(run_id="r1", at=at(7))).run
    told = seen("job-2", JobStatus.SUBMITTED, 2)
    assert [c.job_id for c in decide(run, told).commands] == ["job-2"]
    assert decide(run, told.model_copy(update={"is_fresh": True})).commands == ()


class TestNextCheck:
    def test_one_that_comes_soon_enough_is_not_moved(self):
        run = a_run(until="execute")
        planned = run.next_check_at
        run = decide(run, seen("job-2", JobStatus.RUNNING, 2, at=at(9))).run
        assert run.next_check_at == planned

    def test_it_is_moved_once_it_was_due(self):
        run = a_run(until="execute")
        due = TimerFired(run_id="r1", at=run.next_check_at)
        assert decide(run, due).run.next_check_at == run.next_check_at + timedelta(seconds=30)

    def test_it_never_comes_later_than_it_must(self):
        run = a_run(until="execute")
        run = decide(run, seen("job-2", JobStatus.SUCCEEDED, 2, at=at(31))).run
        run, _ = decide(run, started(run, "stage-out", when=31))
        assert run.next_check_at == at(31 + GRACE)
