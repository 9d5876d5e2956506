"""What a run waits for and why it failed: whole answers, compared word for word."""

from __future__ import annotations

from datetime import timedelta, timezone

import pytest

from chalicelib.core.events import (
    CallEnded,
    CancelRequested,
    JobNotFound,
    OutcomeRead,
    SubmissionRefused,
)
from chalicelib.core.failures import Failure
from chalicelib.core.job_state import JobStatus
from chalicelib.core.lifecycle import decide
from chalicelib.core.plans.plan import CleanUpPolicy
from chalicelib.core.remedies import ADVICE
from chalicelib.core.run import RunError, RunState
from chalicelib.core.waiting import LONG_WAIT
from chalicelib.core.why import why
from tests.unit.runs import (
    GRACE,
    UID,
    a_plan,
    a_run,
    at,
    drive,
    idle_plan,
    requested,
    seen,
    worn_out,
)

LOOK = "Whatever happens, it is looked at again at 2026-01-01 00:00:{} UTC."
BY = "The run must have ended by 2026-01-31 00:00:00 UTC."
SETTLED = "Nothing is left to do since 2026-01-01 00:00:{} UTC."
KEPT = "Stage clean-up does not run (cleanup: {})."
AGAIN = (
    "If the request has to change, submit it again under another id; else, when the cause is "
    "mended, resume it: falsework resume r1"
)
EXECUTE = f"falsework-{UID}-execute-2"
STAGE_IN = f"falsework-{UID}-stage-in-1"


def changed(run, stage, **changes):
    """The run with fields of the stage's job changed."""
    job = run.job(stage)
    jobs = tuple(each.model_copy(update=changes) if each is job else each for each in run.jobs)
    return run.model_copy(update={"jobs": jobs})


def failed(exit_code=None, reason=None):
    told = {"ended_attempts": 1, "exit_code": exit_code, "reason": reason}
    run = worn_out(a_run(until="execute"), "execute")
    return decide(run, seen("job-2", JobStatus.FAILED, 2, **told)).run


def canceled(until="execute", policy=CleanUpPolicy.ON_SUCCESS):
    run = a_run(until=until, plan=a_plan(policy=policy))
    return decide(run, CancelRequested(run_id="r1", at=at(7))).run


class TestWaiting:
    def test_for_a_call_that_is_owed(self):
        assert why(decide(None, requested()).run, at(65)) == [
            (
                "Stage scaffold waits for a short step that Falsework performs itself, owed since "
                "2026-01-01 00:00:00 UTC (0:01:05 ago); it is tried again with every look, and "
                "given up after 2026-01-01 01:00:00 UTC."
            ),
            BY,
            LOOK.format(30),
        ]

    def test_for_the_turn_of_its_job(self):
        run = decide(a_run(until="execute"), seen("job-2", JobStatus.SUCCEEDED, 2)).run
        told = "Stage stage-out has its turn, and its job is about to be submitted."
        assert why(run, at(6))[0] == told
        lost = run.job("execute").model_copy(update={"is_absent": True, "is_own": False})
        assert why(run.model_copy(update={"jobs": (*run.jobs, lost)}), at(6))[0] == told

    def test_for_another_job_after_one_that_never_showed_up(self):
        run = changed(a_run(until="execute"), "execute", job_id=None, status=None)
        gone = JobNotFound(run_id="r1", at=at(1 + GRACE), stage="execute", serial=2)
        assert why(decide(run, gone).run, at(12))[0] == (
            "Stage execute has its turn, and its job is about to be submitted; 1 submitted before "
            "never showed up."
        )

    def test_for_a_submission_that_nobody_has_confirmed(self):
        run = changed(a_run(until="execute"), "execute", job_id=None, status=None)
        handed = (
            f"Stage execute: job {EXECUTE} was handed to queue default at 2026-01-01 00:00:01 UTC "
            "({} ago), and nobody has confirmed that it arrived. "
        )
        assert why(run, at(GRACE))[0] == handed.format("0:00:09") + (
            "Nobody submits it again before 2026-01-01 00:00:11 UTC; if it shows up it counts."
        )
        assert why(run, at(GRACE))[1:-1] == [BY]
        assert why(run, at(1 + GRACE))[0] == handed.format("0:00:10") + (
            "Its time was over at 2026-01-01 00:00:11 UTC: if its name is not found now, it is "
            "submitted once more, under a new name."
        )

    @pytest.mark.parametrize(
        ("status", "doing"),
        [
            ("SUBMITTED", "has been accepted and is being looked at"),
            ("PENDING", "waits for other jobs"),
            ("RUNNABLE", "waits for a host with room for it"),
            ("STARTING", "has a host, which fetches the image and starts the container"),
            ("RUNNING", "is at work"),
        ],
    )
    def test_for_a_job(self, status, doing):
        run = changed(a_run(until="execute"), "execute", status=JobStatus(status))
        assert why(run, at(31)) == [
            (
                f"Stage execute: job {EXECUTE} {doing} ({status}), submitted to queue default at "
                "2026-01-01 00:00:01 UTC (0:00:30 ago)."
            ),
            BY,
            LOOK.format(11),
        ]

    def test_for_a_job_that_runs_since_it_was_started(self):
        elsewhere = at(3).astimezone(timezone(timedelta(hours=2)))
        event = seen("job-2", JobStatus.RUNNING, 2, started_at=elsewhere)
        assert why(decide(a_run(until="execute"), event).run, at(2))[0].endswith(
            "is at work (RUNNING), since 2026-01-01 00:00:03 UTC (0:00:00 ago)."
        )

    def test_for_room_for_long_and_what_its_queue_says(self):
        reason = "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT"
        event = seen("job-2", JobStatus.RUNNABLE, 2, reason=reason)
        run = decide(a_run(until="execute"), event).run
        late = at(1) + LONG_WAIT
        assert why(run, late)[1:-1] == [
            f"Its queue says: {reason}",
            (
                "That is long: are the hosts of queue default enabled, in order, and as large as "
                "the job asks for (resource_requirements)?"
            ),
            BY,
        ]
        assert len(why(run, at(1))) == 4
        assert len(why(changed(run, "execute", status=JobStatus.STARTING), late)) == 4

    def test_for_what_a_worker_left_behind(self):
        run = a_run(until="stage-in")
        ended = decide(run, seen("job-1", JobStatus.SUCCEEDED, 1, ended_attempts=1)).run
        name = f"Stage stage-in: job {STAGE_IN}"
        left = "what it left behind has yet to be read."
        assert why(ended, at(6))[0] == f"{name} has ended (SUCCEEDED); {left}"
        forgotten = changed(run, "stage-in", is_absent=True)
        assert why(forgotten, at(6))[0] == f"{name} has ended (forgotten by its queue); {left}"

    def test_for_news_of_the_holder_of_a_claim(self):
        run = changed(a_run(until="stage-in"), "stage-in", status=None)
        assert why(run, at(6))[0] == (
            f"Stage stage-in: job {STAGE_IN} is there, but nobody has told yet how it is; its "
            "queue is asked."
        )

    def test_with_an_extra_copy_that_has_to_stop(self):
        run = decide(a_run(until="execute"), seen("copy", JobStatus.RUNNING, 2)).run
        stop = f"Job {EXECUTE} of stage execute has to stop: an extra copy of a job of this run. "
        repeated = "; the order is repeated until it has ended."
        assert why(run, at(6))[1:-2] == [f"{stop}It is RUNNING{repeated}"]
        copy = run.jobs[-1].model_copy(update={"status": None})
        run = run.model_copy(update={"jobs": (*run.jobs[:-1], copy)})
        assert why(run, at(6))[1:-2] == [f"{stop}It is in an unknown state{repeated}"]


class TestEnded:
    def test_in_success(self):
        assert why(a_run(), at(9)) == [
            "The run succeeded: what it was for is done.", SETTLED.format("01")
        ]  # fmt: skip

    def test_in_success_while_it_is_cleaned_up(self):
        success, clean_up, look = why(a_run(until="clean-up"), at(2))
        assert success == "The run succeeded: what it was for is done."
        assert clean_up.startswith(f"Stage clean-up: job falsework-{UID}-clean-up-4 has been")
        assert look == LOOK.format(11)

    def test_in_success_with_its_clean_up_failed(self):
        run = decide(
            a_run(until="clean-up"), seen("job-4", JobStatus.FAILED, 4, ended_attempts=1)
        ).run
        event = OutcomeRead(run_id="r1", at=at(8), stage="clean-up", serial=4, error="no room")
        assert why(decide(run, event).run, at(9))[1:] == [
            (
                "Stage clean-up failed, and files may be left; how the run ended stays as it is. "
                "The message is: no room"
            ),
            SETTLED.format("08"),
        ]

    def test_by_the_users_own_failure(self):
        assert why(failed(3, "Essential container in task exited"), at(9)) == [
            "The run failed in stage execute: the command ran and failed (exit code 3).",
            (
                f"The message is: job {EXECUTE} failed with exit code 3: Essential container in "
                "task exited"
            ),
            "Look at what it wrote: falsework logs r1 --stage execute",
            AGAIN,
            KEPT.format("on_success"),
            SETTLED.format("05"),
        ]

    @pytest.mark.parametrize(
        ("exit_code", "told"),
        [
            (1, []),
            (126, ["126 is what a shell says of a command that it may not execute."]),
            (127, ["127 is what a shell says of a command that it does not find."]),
            (128, []),
            (
                137,
                ["137 is 128 + 9: it was killed (SIGKILL), often for taking too much memory."],
            ),
            (139, ["139 is 128 + 11: signal 11 ended it."]),
            (255, []),
        ],
        ids=lambda value: str(value) if isinstance(value, int) else "",
    )
    def test_with_an_exit_code_that_gives_something_away(self, exit_code, told):
        assert why(failed(exit_code), at(9))[2:-4] == told

    @pytest.mark.parametrize(
        ("exit_code", "reason", "cause", "words"),
        [
            (
                None,
                "Host EC2 (instance i-1) terminated.",
                "infrastructure",
                "to correct: resume it",
            ),
            (137, "OutOfMemoryError: Container killed", "out_of_memory", "under another id"),
            (137, "Job attempt duration exceeded timeout", "timeout", "of queue default"),
            (143, "its stage has ended", "canceled", "still wanted, resume it"),
            (None, "CannotPullContainerError: a not found", "misconfigured", "the image's name"),
        ],
        ids=["infrastructure", "out_of_memory", "timeout", "canceled", "misconfigured"],
    )
    def test_by_another_failure_of_its_job(self, exit_code, reason, cause, words):
        run = failed(exit_code, reason)
        assert run.error.cause == cause
        first, message, *mend, _, _ = why(run, at(9))
        code = f" (exit code {exit_code})" if exit_code else ""
        assert first == f"The run failed in stage execute: {ADVICE[cause].meaning}{code}."
        assert message.endswith(reason)
        assert words in " ".join(mend)
        assert mend[-1].endswith("resume it: falsework resume r1")

    def test_by_a_refusal(self):
        run = changed(a_run(until="execute"), "execute", job_id=None, status=None)
        event = SubmissionRefused(
            run_id="r1", at=at(2), stage="execute", serial=2, message="no such queue"
        )
        assert why(decide(run, event).run, at(9))[:3] == [
            "The run failed in stage execute: the job was refused when it was submitted.",
            "The message is: no such queue",
            "Correct what the message speaks of.",
        ]

    def test_by_the_loss_of_its_submission(self):
        run = changed(a_run(until="execute"), "execute", job_id=None, status=None)
        before = {"serial": 1, "name": "before", "is_absent": True, "is_own": False}
        earlier = run.job("execute").model_copy(update=before)
        run = run.model_copy(update={"jobs": (earlier, *run.jobs)})
        gone = JobNotFound(run_id="r1", at=at(10**6), stage="execute", serial=2)
        assert why(decide(run, gone).run, at(10**6))[2] == (
            f"It may have run. Look for {EXECUTE} in queue default and at what it wrote before "
            "you resume it: falsework resume r1"
        )

    def test_by_a_call(self):
        event = CallEnded(run_id="r1", at=at(1), stage="scaffold", attempt=1, error="no")
        assert why(decide(decide(None, requested()).run, event).run, at(9))[:2] == [
            (
                "The run failed in stage scaffold: a step that Falsework performs itself could "
                "not be done."
            ),
            "The message is: no",
        ]

    def test_by_a_worker(self):
        run = decide(
            a_run(until="stage-in"), seen("job-1", JobStatus.SUCCEEDED, 1, ended_attempts=1)
        ).run
        event = OutcomeRead(run_id="r1", at=at(6), stage="stage-in", serial=1, error="no input")
        assert why(decide(run, event).run, at(9))[:3] == [
            "The run failed in stage stage-in: the worker that copies or removes files failed.",
            "The message is: no input",
            (
                "If the message names something to correct, correct it. What the worker wrote: "
                "falsework logs r1 --stage stage-in"
            ),
        ]

    def test_by_a_worker_after_the_command(self):
        run = decide(
            a_run(until="stage-out"), seen("job-3", JobStatus.SUCCEEDED, 3, ended_attempts=1)
        ).run
        event = OutcomeRead(run_id="r1", at=at(9), stage="stage-out", serial=3, error="no output")
        assert why(decide(run, event).run, at(9))[2] == (
            "If the message names something to correct, correct it; where the command has to "
            "run again for that: falsework rollback r1 execute. What the worker wrote: "
            "falsework logs r1 --stage stage-out"
        )

    @pytest.mark.parametrize(
        ("error", "told"),
        [
            (None, ["The run ended in ERROR; the reason was not recorded."]),
            (RunError(stage=None, cause="x", message="m"), ["The run failed: m"]),
            (
                RunError(stage="a", cause="x", message="m"),
                [
                    "The run failed in stage a: it failed.",
                    "The message is: m",
                    "The message tells what is known.",
                ],
            ),
        ],
        ids=["nothing", "no-stage", "unknown-cause"],
    )
    def test_by_what_is_not_known(self, error, told):
        run = decide(None, requested(idle_plan())).run
        run = run.model_copy(update={"state": RunState.ERROR, "error": error})
        assert why(run, at(9))[:-1] == told

    def test_under_an_id_that_a_shell_would_take_apart(self):
        run = failed(1).model_copy(update={"id": "a b{stage}"})
        assert why(run, at(9))[2].endswith("falsework logs 'a b{stage}' --stage execute")
        assert why(run, at(9))[3].endswith("falsework resume 'a b{stage}'")


class TestCanceled:
    HOW = (
        "The run was canceled by a request (falsework cancel, or POST /runs/{id}/cancel); whose "
        "it was tells GET /runs/{id}/audit."
    )
    WANTED = "If it is still wanted, resume it: falsework resume r1"

    def test_with_the_reason_that_was_given(self):
        event = CancelRequested(run_id="r1", at=at(5), reason="the sample was the wrong one")
        run = decide(a_run(until="execute"), event).run
        assert why(run, at(9))[:3] == [
            self.HOW,
            "The reason that was given: the sample was the wrong one",
            self.WANTED,
        ]

    def test_with_a_job_that_has_to_stop(self):
        assert why(canceled(), at(9)) == [
            self.HOW,
            self.WANTED,
            (
                f"Job {EXECUTE} of stage execute has to stop: the run was canceled. It is "
                "SUBMITTED; the order is repeated until it has ended."
            ),
            KEPT.format("on_success"),
            LOOK.format(11),
        ]

    def test_with_a_submission_that_nobody_has_confirmed(self):
        run = changed(canceled(), "execute", job_id=None, status=None)
        told = (
            f"Nobody has confirmed that job {EXECUTE} of stage execute arrived in queue default; "
            "it is looked for until 2026-01-01 00:00:{} UTC, and stopped if it is there."
        )
        assert why(run, at(9))[2] == told.format(11)
        assert why(run, at(20))[2] == told.format(20)

    def test_its_clean_up_waits_for_its_jobs(self):
        run = canceled(policy=CleanUpPolicy.ALWAYS)
        assert why(run, at(9))[3] == "Stage clean-up waits until every job has ended."
        ended = decide(run, seen("job-2", JobStatus.FAILED, 2, ended_attempts=1)).run
        assert why(ended, at(9)) == [
            self.HOW,
            self.WANTED,
            "Stage clean-up has its turn, and its job is about to be submitted.",
            LOOK.format(11),
        ]

    def test_and_settled(self):
        run = decide(canceled(), seen("job-2", JobStatus.FAILED, 2, ended_attempts=1)).run
        told = [self.HOW, self.WANTED, KEPT.format("on_success"), SETTLED.format("05")]
        assert why(run, at(9)) == told


def test_every_failure_of_a_job_has_its_advice():
    assert set(Failure) <= set(ADVICE)


@pytest.mark.parametrize("policy", CleanUpPolicy, ids=str)
def test_a_settled_run_waits_for_nothing(policy):
    run = decide(None, requested(a_plan(policy=policy)))
    settled = drive(*run, until="")
    assert why(settled, at(9))[-1] == SETTLED.format("01")
    assert len(why(settled, at(9))) == (3 if policy is CleanUpPolicy.NEVER else 2)
