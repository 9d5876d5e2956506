"""What a stage waits for when it is tried again, and by when: whole answers, word for word."""

from __future__ import annotations

import pytest

from chalicelib.core.events import (
    CancelRequested,
    JobNotFound,
    OutcomeRead,
    ResumeRequested,
    SubmissionDeferred,
    SubmissionStarted,
    TimerFired,
)
from chalicelib.core.job_state import JobStatus
from chalicelib.core.lifecycle import decide
from chalicelib.core.plans.plan import CleanUpPolicy, RetryPolicy
from chalicelib.core.run import StageStatus
from chalicelib.core.why import why
from tests.unit.runs import UID, a_plan, a_run, at, seen, worker

EXECUTE = f"falsework-{UID}-execute-{{}}"
FAILED = f"job {EXECUTE.format(2)} failed with exit code 1"


def plan(*, execute=None, **changes):
    """A plan under STAGE with three attempts; ``execute`` changes the stage of that name."""
    whole = a_plan()
    stage = whole.stage("execute")
    action = stage.action.model_copy(
        update={"fallback_queue": "spare", "preparation": worker("stage-in")}
    )
    mine = stage.model_copy(update={"action": action, **(execute or {})})
    stages = tuple(mine if each is stage else each for each in whole.stages)
    told = {"retry_policy": RetryPolicy.STAGE, "max_attempts": 3, **changes}
    return whole.model_copy(update={"stages": stages, **told})


def begun(**changes):
    return a_run(until="execute", plan=plan(**changes))


def ended(run, job_id, serial, when=5, **told):
    about = {"ended_attempts": 1, "exit_code": 1, "at": at(when), **told}
    return decide(run, seen(job_id, JobStatus.FAILED, serial, **about)).run


def started(run, when):
    """The intent of the stage's next job."""
    event = SubmissionStarted(run_id="r1", at=at(when), stage="execute", serial=run.serial + 1)
    return decide(run, event).run


def again(run):
    """The failed run with its backoff over, and its preparation submitted."""
    due = decide(run, TimerFired(run_id="r1", at=at(10))).run
    return decide(started(due, 10), seen("prep", JobStatus.RUNNING, due.serial + 1)).run


class TestRetry:
    def test_the_next_attempt_has_its_time(self):
        run = ended(begun(), "job-2", 2)
        retry_at = run.stage("execute").retry_at
        assert why(run, at(5))[0] == (
            f"Stage execute: attempt 1 failed because {FAILED}; attempt 2 begins at "
            f"{retry_at:%Y-%m-%d %H:%M:%S} UTC."
        )

    def test_faults_of_ours_are_told_with_how_often_there_may_be(self):
        run = again(begun())
        stages = tuple(
            each.model_copy(update={"faults": 3 if each.stage_name == "execute" else 0})
            for each in run.stages
        )
        told = why(run.model_copy(update={"stages": stages}), at(5))
        assert told[0] == (
            "Stage execute: a step of it has raised what nobody foresaw 3 times in a row; it is "
            "tried again each minute, and after 20 times the stage fails. The log of the engine "
            "has the rest."
        )
        assert told[1:] == why(run, at(5))

    def test_when_its_time_has_come(self):
        run = decide(ended(begun(), "job-2", 2), TimerFired(run_id="r1", at=at(10))).run
        assert why(run, at(10))[0] == (
            f"Stage execute: attempt 1 failed because {FAILED}; attempt 2 begins now."
        )

    def test_when_another_job_of_the_stage_still_lives(self):
        run = decide(begun(), seen("copy", JobStatus.RUNNING, 2)).run
        run = decide(ended(run, "job-2", 2), TimerFired(run_id="r1", at=at(10))).run
        assert why(run, at(10))[0] == (
            f"Stage execute: attempt 1 failed because {FAILED}; attempt 2 begins when the jobs "
            f"before it have ended: {EXECUTE.format(2)} (RUNNING)."
        )

    def test_after_the_infrastructure_failed_twice_it_goes_to_the_fallback_queue(self):
        lost = {"exit_code": None, "reason": "Host EC2 (instance i-1) terminated."}
        run = ended(begun(), "job-2", 2, **lost)
        assert "spare" not in why(run, at(5))[0]
        run = again(run)
        run = ended(run, "prep", 3, when=12, **lost)
        gone = OutcomeRead(run_id="r1", at=at(12), stage="execute", serial=3)
        assert why(decide(run, gone).run, at(12))[0].endswith(" UTC, in queue spare.")

    def test_the_ground_is_cleared_first(self):
        run = again(ended(begun(), "job-2", 2))
        assert why(run, at(11))[0] == (
            f"Stage execute: job {EXECUTE.format(3)}, which clears the ground for attempt 2, is "
            "at work (RUNNING), submitted to queue default at 2026-01-01 00:00:10 UTC (0:00:01 "
            "ago)."
        )
        run = decide(run, seen("prep", JobStatus.SUCCEEDED, 3, ended_attempts=1)).run
        assert why(run, at(12))[0] == (
            f"Stage execute: job {EXECUTE.format(3)}, which clears the ground for attempt 2, has "
            "ended (SUCCEEDED); what it left behind has yet to be read."
        )
        told = {"holder_job_id": "prep", "is_written": True}
        event = OutcomeRead(run_id="r1", at=at(13), stage="execute", serial=3, **told)
        assert why(decide(run, event).run, at(13))[0] == (
            "Stage execute: the ground is cleared for attempt 2, and its own job is about to be "
            "submitted."
        )

    def test_only_submissions_of_this_attempt_count_as_lost(self):
        run = begun()
        absent = {"job_id": None, "status": None, "is_absent": True, "is_own": False, "serial": 1}
        before = run.job("execute").model_copy(update=absent)
        run = ended(run.model_copy(update={"jobs": (before, *run.jobs)}), "job-2", 2)
        run = started(decide(run, TimerFired(run_id="r1", at=at(10))).run, 10)
        lost = JobNotFound(run_id="r1", at=at(30), stage="execute", serial=3)
        assert why(decide(run, lost).run, at(30))[0] == (
            "Stage execute has its turn, and its job is about to be submitted; 1 submitted before "
            "never showed up."
        )

    def test_a_submission_that_was_turned_away_has_its_time(self):
        run = decide(ended(begun(), "job-2", 2), TimerFired(run_id="r1", at=at(10))).run
        event = SubmissionDeferred(run_id="r1", at=at(11), stage="execute", serial=3)
        run = decide(started(run, 10), event).run
        retry_at = run.stage("execute").retry_at
        assert why(run, at(11))[0] == (
            "Stage execute: its job was turned away for now, for many are submitted at once; it "
            f"is submitted again at {retry_at:%Y-%m-%d %H:%M:%S} UTC."
        )

    def test_how_often_it_was_tried_is_told_at_the_end(self):
        run = again(ended(begun(max_attempts=2), "job-2", 2))
        failure = OutcomeRead(run_id="r1", at=at(13), stage="execute", serial=3, error="no room")
        run = decide(run, seen("prep", JobStatus.SUCCEEDED, 3, ended_attempts=1)).run
        assert why(decide(run, failure).run, at(13))[2] == (
            "It was tried 2 times: falsework show r1"
        )


class TestResumed:
    def canceled_and_resumed(self):
        run = decide(begun(), CancelRequested(run_id="r1", at=at(7))).run
        return decide(run, ResumeRequested(run_id="r1", at=at(8))).run

    def test_it_waits_for_the_jobs_before(self):
        told = why(self.canceled_and_resumed(), at(9))
        job = EXECUTE.format(2)
        assert told[:2] == [
            (
                "Stage execute has its turn, and goes on when the jobs before it have ended: "
                f"{job} (SUBMITTED)."
            ),
            (
                f"Job {job} of stage execute has to stop: its stage has ended. It is SUBMITTED; "
                "the order is repeated until it has ended."
            ),
        ]

    def test_many_of_them_are_counted(self):
        run = self.canceled_and_resumed()
        more = tuple(
            run.jobs[-1].model_copy(update={"job_id": f"j{n}", "name": f"j{n}"}) for n in range(4)
        )
        run = run.model_copy(update={"jobs": (*run.jobs, *more)})
        assert why(run, at(9))[0].endswith("(SUBMITTED), j0 (SUBMITTED), j1 (SUBMITTED), 2 more.")

    def test_and_then_has_its_turn(self):
        run = ended(self.canceled_and_resumed(), "job-2", 2)
        assert run.stage("execute").status is StageStatus.CREATED
        told = "Stage execute has its turn, and its job is about to be submitted."
        assert why(run, at(9))[0] == told

    def test_its_time_counts_from_then_on(self):
        run = decide(
            a_run(until="execute", plan=plan(timeout_seconds=100)),
            CancelRequested(run_id="r1", at=at(7)),
        ).run
        run = decide(run, ResumeRequested(run_id="r1", at=at(60))).run
        assert "The run must have ended by 2026-01-01 00:02:40 UTC." in why(run, at(61))


class TestDeadlines:
    def test_of_an_attempt_are_told_once_its_job_has_started(self):
        run = begun(execute={"timeout_seconds": 40})
        limit = (
            "The attempt must have ended by 2026-01-01 00:00:43 UTC "
            "(options.timeout_seconds.execute)."
        )
        assert limit not in why(run, at(4))
        event = seen("job-2", JobStatus.RUNNING, 2, started_at=at(3))
        assert why(decide(run, event).run, at(4))[1] == limit

    def test_of_the_queue_are_told_while_the_job_waits(self):
        run = begun(queue_wait_timeout_seconds=50)
        limit = (
            "If no host has taken it by 2026-01-01 00:00:51 UTC it is stopped "
            "(options.queue_wait_timeout_seconds)."
        )
        assert why(run, at(4))[1] == limit
        taken = decide(run, seen("job-2", JobStatus.STARTING, 2)).run
        assert limit not in why(taken, at(4))

    @pytest.mark.parametrize(
        ("changes", "when", "cause", "message", "words"),
        [
            (
                {"execute": {"timeout_seconds": 40}, "max_attempts": 1},
                60,
                "timeout",
                "attempt 1 took longer than 40 seconds",
                "options.timeout_seconds",
            ),
            (
                {"timeout_seconds": 50},
                60,
                "timeout",
                "the run has not ended within 50 seconds",
                "whose limit",
            ),
        ],
        ids=["stage", "run"],
    )
    def test_that_are_over_say_whose_they_were(self, changes, when, cause, message, words):
        event = seen("job-2", JobStatus.RUNNING, 2, started_at=at(3))
        run = decide(begun(**changes), event).run
        run = decide(run, TimerFired(run_id="r1", at=at(when))).run
        asked = {"is_fresh": True, "at": at(when)}
        run = decide(run, seen("job-2", JobStatus.RUNNING, 2, **asked)).run
        assert run.error.cause == cause
        first, second, *rest = why(run, at(when))
        assert first == (
            "The run failed in stage execute: it took longer than it is allowed to, and was "
            "stopped."
        )
        assert second == f"The message is: {message}"
        assert words in " ".join(rest)
        assert any("has to stop: it ran longer than it was allowed to" in each for each in rest)

    def test_that_are_over_between_two_attempts_tell_no_exit_code(self):
        run = ended(begun(timeout_seconds=50), "job-2", 2)
        event = TimerFired(run_id="r1", at=at(60))
        assert "exit code" not in why(decide(run, event).run, at(60))[0]

    def test_of_the_queue_say_what_to_ask(self):
        run = begun(queue_wait_timeout_seconds=50, execute={"action": a_plan().stages[3].action})
        waiting = decide(run, seen("job-2", JobStatus.RUNNABLE, 2)).run
        asked = {"is_fresh": True, "at": at(60)}
        run = decide(waiting, seen("job-2", JobStatus.RUNNABLE, 2, **asked)).run
        assert run.error.cause == "queue_wait"
        told = why(run, at(60))
        assert told[2] == (
            "Are the hosts of queue default enabled, in order, and as large as the job asks for? "
            "When they are, resume it: falsework resume r1"
        )


def test_a_run_that_used_its_attempts_up_is_not_to_be_resumed():
    run = begun(retry_policy=RetryPolicy.GLOBAL, max_attempts=5, clean_up=CleanUpPolicy.NEVER)
    run = again(ended(run, "job-2", 2))
    run = ended(run, "prep", 3, when=13)
    failure = OutcomeRead(run_id="r1", at=at(13), stage="execute", serial=3, error="no room")
    told = why(decide(run, failure).run, at(14))
    assert not any("falsework resume" in sentence for sentence in told)
    assert any("under another id, for its attempts are used up" in each for each in told)


def test_a_stage_that_the_others_left_no_attempt_says_so():
    run = a_run(plan=plan(retry_policy=RetryPolicy.GLOBAL, max_attempts=4))
    assert (run.error.stage, run.error.cause) == ("stage-out", "attempts_exhausted")
    assert why(run, at(9))[:3] == [
        (
            "The run failed in stage stage-out: the attempts that all stages share (retry_policy "
            "GLOBAL) were used up before its turn."
        ),
        "The message is: attempts exhausted",
        "Give it a larger options.max_attempts and submit it again under another id.",
    ]
