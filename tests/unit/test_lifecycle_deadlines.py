"""Nothing lasts for ever: a run, an attempt, a wait in a queue, a closing stage."""

from __future__ import annotations

import pytest

from chalicelib.core.commands import MakeCall, StartJob, StopJob, StopReason, WatchJob
from chalicelib.core.events import TimerFired
from chalicelib.core.job_state import JobStatus
from chalicelib.core.lifecycle import decide, owed
from chalicelib.core.plans.plan import CleanUpPolicy, Plan, PutDocuments, StagePlan
from chalicelib.core.run import RunState, StageStatus
from tests.unit.runs import a_plan, a_run, at, drive, requested, seen
from tests.unit.test_lifecycle_attempts import Player, a_chain, statuses


def stops(commands):
    return [(c.job_id, c.reason) for c in commands if isinstance(c, StopJob)]


class TestOfTheRun:
    def test_it_ends_in_error_and_its_job_is_stopped(self):
        player = Player(a_chain("A", "B", timeout_seconds=100))
        player.submit()
        player.wait(99)
        assert player.run.state is RunState.RUNNING
        assert player.run.next_check_at == at(100)
        player.wait(1)
        assert (player.run.state, player.run.error.cause) == (RunState.ERROR, "timeout")
        assert player.run.error.message == "the run has not ended within 100 seconds"
        assert statuses(player.run) == ["ERROR", "CREATED"]
        assert stops(player.commands) == [("job-1", StopReason.TIMED_OUT)]

    def test_the_stop_is_owed_until_the_job_has_ended(self):
        player = Player(a_chain("A", timeout_seconds=100))
        player.submit()
        player.wait(100)
        assert player.run.settled_at is None
        player.wait(500)
        assert stops(player.commands) == [("job-1", StopReason.TIMED_OUT)]
        player.see(1, JobStatus.FAILED, ended_attempts=1, exit_code=137)
        assert (player.run.error.cause, player.run.settled_at) == ("timeout", at(600))

    def test_it_ends_a_stage_that_waits_for_its_retry(self):
        player = Player(a_chain("A", timeout_seconds=100, retry_policy="STAGE", max_attempts=9))
        player.wait(99.5)
        player.end(player.submit(), 1)
        player.run = player.run.model_copy(
            update={"stages": (player.run.stages[0].model_copy(update={"retry_at": at(160)}),)}
        )
        player.wait(0.5)
        assert statuses(player.run) == ["ERROR"]
        assert player.run.settled_at is not None

    def test_it_ends_a_run_whose_turn_never_came(self):
        player = Player(a_chain("A", timeout_seconds=100))
        player.wait(100)
        assert (statuses(player.run), player.run.error.stage) == (["ERROR"], "A")
        assert player.run.settled_at == at(100)

    def test_it_does_not_touch_a_run_that_has_ended(self):
        run = a_run(plan=a_plan().model_copy(update={"timeout_seconds": 10}))
        assert decide(run, TimerFired(run_id="r1", at=at(10**6))).run is run


class TestOfAnAttempt:
    def plan(self, **told):
        plan = a_chain("A", **told)
        stages = tuple(s.model_copy(update={"timeout_seconds": 50}) for s in plan.stages)
        return plan.model_copy(update={"stages": stages})

    def test_it_counts_from_the_start_of_the_job(self):
        player = Player(self.plan())
        serial = player.submit()
        player.wait(1000)
        player.see(serial, JobStatus.RUNNING, started_at=at(990))
        assert player.run.next_check_at == at(1030)
        player.wait(39)
        player.ask(serial, JobStatus.RUNNING)
        assert statuses(player.run) == ["RUNNING"]
        player.wait(1)
        assert WatchJob(stage="A", serial=1, job_id="job-1") in player.commands
        player.ask(serial, JobStatus.RUNNING)
        assert (statuses(player.run), player.run.error.cause) == (["ERROR"], "timeout")
        assert player.run.error.message == "attempt 1 took longer than 50 seconds"
        assert stops(player.commands) == [("job-1", StopReason.TIMED_OUT)]

    def test_the_policy_may_allow_another_which_waits_for_the_end_of_the_job(self):
        player = Player(self.plan(retry_policy="STAGE", max_attempts=2))
        serial = player.submit()
        player.see(serial, JobStatus.RUNNING, started_at=at(0))
        player.wait(50)
        player.ask(serial, JobStatus.RUNNING)
        assert statuses(player.run) == ["RETRY"]
        player.wait(100)
        assert not [c for c in player.commands if isinstance(c, StartJob)]
        player.see(serial, JobStatus.FAILED, ended_attempts=1, exit_code=137)
        assert player.commands == (StartJob(stage="A", serial=2),)

    @pytest.mark.parametrize("status", [JobStatus.RUNNING, JobStatus.SUCCEEDED])
    def test_only_a_job_that_was_asked_about_is_ended(self, status):
        player = Player(self.plan())
        serial = player.submit()
        player.see(serial, JobStatus.RUNNING, started_at=at(0))
        player.wait(1000)
        player.see(serial, JobStatus.RUNNING)
        assert statuses(player.run) == ["RUNNING"]
        player.ask(serial, status, ended_attempts=int(status is JobStatus.SUCCEEDED))
        is_over = status is JobStatus.SUCCEEDED
        assert statuses(player.run) == (["COMPLETE"] if is_over else ["ERROR"])

    def test_of_a_call_counts_from_its_beginning(self):
        stage = StagePlan(name="a", action=PutDocuments(documents={}), timeout_seconds=5)
        player = Player(Plan(stages=(stage,)))
        player.wait(4)
        assert player.commands == (MakeCall(stage="a", attempt=1),)
        player.wait(1)
        assert player.run.error.cause == "timeout"

    def test_of_a_closing_stage_is_that_of_a_whole_run(self):
        plan = a_plan(policy=CleanUpPolicy.ALWAYS).model_copy(update={"timeout_seconds": 500})
        run = a_run(until="clean-up", plan=plan)
        late = TimerFired(run_id="r1", at=run.stage("clean-up").begun_at.replace(hour=1))
        run, commands = decide(run, late)
        assert run.state is RunState.SUCCESS
        assert run.stage("clean-up").status is StageStatus.ERROR
        assert stops(commands) == [("job-4", StopReason.TIMED_OUT)]
        ended = seen("job-4", JobStatus.FAILED, 4, ended_attempts=1, at=late.at)
        assert decide(run, ended).run.settled_at is not None


class TestOfAWaitInTheQueue:
    def wait(self, **told):
        player = Player(a_chain("A", queue_wait_timeout_seconds=60, **told))
        serial = player.submit()
        return player, serial

    def without_fallback(self):
        plan = a_chain("A", queue_wait_timeout_seconds=60)
        action = plan.stages[0].action.model_copy(update={"fallback_queue": None})
        stages = (plan.stages[0].model_copy(update={"action": action}),)
        player = Player(plan.model_copy(update={"stages": stages}))
        player.submit()
        return player

    def test_the_job_is_stopped_and_the_run_says_why(self):
        player = self.without_fallback()
        why = "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - too large"
        player.see(1, JobStatus.RUNNABLE)
        player.see(1, JobStatus.RUNNABLE, reason=why)
        player.wait(59)
        player.ask(1, JobStatus.RUNNABLE)
        assert statuses(player.run) == ["RUNNING"]
        player.wait(1)
        assert player.run.next_check_at == at(60)
        player.ask(1, JobStatus.RUNNABLE)
        assert (statuses(player.run), player.run.error.cause) == (["ERROR"], "queue_wait")
        assert "waited 60 seconds in queue spot" in player.run.error.message
        assert why in player.run.error.message
        assert stops(player.commands) == [("job-1", StopReason.WAITED_TOO_LONG)]

    def test_a_job_that_has_a_host_is_left_alone(self):
        player = self.without_fallback()
        player.wait(10_000)
        player.see(1, JobStatus.RUNNABLE)
        player.ask(1, JobStatus.STARTING)
        assert statuses(player.run) == ["RUNNING"]

    def test_with_a_fallback_queue_it_is_tried_there_for_free(self):
        player, serial = self.wait()
        player.wait(60)
        player.ask(serial, JobStatus.RUNNABLE)
        assert statuses(player.run) == ["RETRY"]
        player.see(serial, JobStatus.FAILED, ended_attempts=1, reason="it waited")
        player.wait(61)
        player.submit()
        assert [queue for _, _, queue, _ in player.queues] == ["spot", "steady"]
        player.wait(60)
        player.ask(2, JobStatus.RUNNABLE)
        assert (statuses(player.run), player.run.error.cause) == (["ERROR"], "queue_wait")


def test_what_is_over_in_the_meantime_is_seen_by_the_next_look_whenever_it_comes():
    run = drive(*decide(None, requested(a_plan())), until="execute")
    late = TimerFired(run_id="r1", at=at(365 * 24 * 3600))
    run, commands = decide(run, late)
    assert run.state is RunState.ERROR
    assert stops(commands) == [("job-2", StopReason.TIMED_OUT)]
    assert stops(owed(run, late.at)) == [("job-2", StopReason.TIMED_OUT)]
