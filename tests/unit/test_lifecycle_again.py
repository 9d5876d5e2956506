"""Resume and rollback: out of a terminal state, into the next generation."""

from __future__ import annotations

import pytest

from chalicelib.core.commands import MakeCall, StartJob, StopJob
from chalicelib.core.errors import Conflict, InvalidRequest
from chalicelib.core.events import (
    CallEnded,
    CancelRequested,
    OutcomeRead,
    ResumeRequested,
    RollbackRequested,
)
from chalicelib.core.job_state import JobStatus
from chalicelib.core.lifecycle import decide
from chalicelib.core.lifecycle.attempts import needs_preparation
from chalicelib.core.lifecycle.jobs import KEPT_JOBS
from chalicelib.core.plans.plan import CleanUpPolicy
from chalicelib.core.run import RunState, StageStatus
from tests.unit.runs import a_plan, a_run, at, drive, requested, seen, worker
from tests.unit.test_lifecycle_attempts import Player, a_chain, attempts, statuses


def a_plan_with_files(**told):
    plan = a_plan(**told)
    stages = tuple(
        stage.model_copy(update={"has_files": stage.name in ("stage-in", "execute")})
        for stage in plan.stages
    )
    return plan.model_copy(update={"stages": stages})


def a_failed_run(**told):
    run = a_run(until="execute", plan=a_plan_with_files(**told))
    return decide(run, seen("job-2", JobStatus.FAILED, 2, ended_attempts=1, exit_code=3)).run


def resume(run, when=50, **told):
    return decide(run, ResumeRequested(run_id="r1", at=at(when), **told))


def rollback(run, stage, when=50, **told):
    return decide(run, RollbackRequested(run_id="r1", at=at(when), stage=stage, **told))


class TestResume:
    def test_what_is_complete_is_skipped_and_the_rest_runs_again(self):
        run, commands = resume(a_failed_run())
        assert statuses(run) == ["COMPLETE"] * 3 + ["CREATED"] * 3
        assert commands == (StartJob(stage="execute", serial=3),)
        assert (run.state, run.generation, run.error) == (RunState.RUNNING, 2, None)
        assert (run.ended_at, run.settled_at, run.started_at) == (None, None, at(0))
        run = drive(run, commands, until="")
        assert run.state is RunState.SUCCESS
        assert attempts(run) == (1, 1, 1, 1, 1, 1)
        assert [entry.end_status.value for entry in run.stage("execute").history] == [
            "ERROR",
            "COMPLETE",
        ]

    def test_no_serial_is_ever_used_again(self):
        run = drive(*resume(a_failed_run()), until="")
        assert [job.serial for job in run.jobs] == [1, 2, 3, 4, 5]
        assert [job.generation for job in run.jobs] == [1, 1, 2, 2, 2]

    def test_a_canceled_run_waits_for_the_jobs_of_its_former_life(self):
        run = decide(a_run(until="execute"), CancelRequested(run_id="r1", at=at(7))).run
        run, commands = resume(run)
        assert [c.job_id for c in commands if isinstance(c, StopJob)] == ["job-2"]
        assert not [c for c in commands if isinstance(c, StartJob)]
        ended = seen("job-2", JobStatus.SUCCEEDED, 2, ended_attempts=1, at=at(60))
        run, commands = decide(run, ended)
        assert run.stage("execute").status is StageStatus.CREATED
        assert commands == (StartJob(stage="execute", serial=3),)

    def test_the_job_of_the_former_life_stays_owed_its_stop(self):
        run = decide(a_run(until="execute"), CancelRequested(run_id="r1", at=at(7))).run
        run = resume(run).run
        again = decide(run, ResumeRequested(run_id="r1", at=at(51), generation=1))
        assert [c.job_id for c in again.commands if isinstance(c, StopJob)] == ["job-2"]

    @pytest.mark.parametrize("state", ["running", "succeeded"])
    def test_what_has_not_failed_cannot_be_resumed(self, state):
        run = a_run() if state == "succeeded" else a_run(until="execute")
        with pytest.raises(Conflict, match="succeeded" if state == "succeeded" else "RUNNING"):
            resume(run)

    def test_a_repeat_that_names_its_generation_changes_nothing(self):
        run = resume(a_failed_run(), generation=1).run
        assert resume(run, generation=1).run is run
        with pytest.raises(Conflict, match="generation 2"):
            resume(run, generation=7)

    def test_a_repeat_is_told_when_what_it_began_has_ended_again(self):
        first = resume(a_failed_run(), generation=1).run
        run = decide(first, CancelRequested(run_id="r1", at=at(55))).run
        with pytest.raises(Conflict, match="left generation 1 already; generation 2 is CANCELED"):
            resume(run, generation=1, when=3600)
        assert resume(run, generation=2, when=3600).run.generation == 3

    def test_the_very_same_request_changes_nothing_however_late_it_comes_again(self):
        first = resume(a_failed_run(), generation=1).run
        run = decide(first, CancelRequested(run_id="r1", at=at(55))).run
        assert resume(run, generation=1).run is run

    @pytest.mark.parametrize(
        ("first", "second", "told"),
        [
            (
                lambda run: resume(run, generation=1),
                lambda run: rollback(run, "execute", generation=1, when=51),
                "resume",
            ),
            (
                lambda run: rollback(run, "execute", generation=1),
                lambda run: resume(run, generation=1, when=51),
                "rollback to execute",
            ),
            (
                lambda run: rollback(run, "execute", generation=1),
                lambda run: rollback(run, "stage-in", generation=1, when=51),
                "rollback to execute",
            ),
        ],
        ids=["rollback after resume", "resume after rollback", "rollback to elsewhere"],
    )
    def test_who_comes_second_with_another_wish_is_told_so(self, first, second, told):
        run = first(a_failed_run()).run
        with pytest.raises(Conflict, match=rf"by another request \({told}\); generation 2 is"):
            second(run)

    def test_of_a_generation_that_an_earlier_version_began_any_repeat_is_taken_for_its_own(self):
        run = resume(a_failed_run(), generation=1).run.model_copy(update={"begun_by": None})
        assert rollback(run, "execute", generation=1, when=51).run is run

    def test_after_clean_up_the_files_are_made_again(self):
        run, commands = a_failed_run(policy=CleanUpPolicy.ALWAYS), ()
        run = drive(run, (StartJob(stage="clean-up", serial=3),), until="")
        assert run.settled_at is not None
        run, commands = resume(run)
        assert statuses(run) == ["COMPLETE"] * 2 + ["CREATED"] * 4
        assert commands == (StartJob(stage="stage-in", serial=4),)

    def test_a_clean_up_under_way_is_stopped_and_waited_for(self):
        run = a_failed_run(policy=CleanUpPolicy.ALWAYS)
        run = drive(run, (StartJob(stage="clean-up", serial=3),), until="clean-up")
        run, commands = resume(run)
        assert [c.job_id for c in commands] == ["job-3"]
        history = run.stage("clean-up").history
        assert [entry.end_status.value for entry in history] == ["CANCELED"]
        ended = seen("job-3", JobStatus.FAILED, 3, ended_attempts=1, at=at(60))
        assert decide(run, ended).commands == (StartJob(stage="stage-in", serial=4),)

    def test_what_the_former_life_reports_moves_nothing(self):
        run = decide(None, requested()).run
        run = decide(run, CancelRequested(run_id="r1", at=at(1))).run
        run, commands = resume(run)
        assert commands == (MakeCall(stage="scaffold", attempt=1, generation=2),)
        late = CallEnded(run_id="r1", at=at(60), stage="scaffold", attempt=1, error="no")
        assert decide(run, late).run is run

    def test_an_outcome_of_the_former_life_moves_nothing(self):
        run = a_run(until="stage-in")
        run = decide(run, seen("job-1", JobStatus.SUCCEEDED, 1, ended_attempts=1)).run
        run = resume(decide(run, CancelRequested(run_id="r1", at=at(7))).run).run
        late = OutcomeRead(run_id="r1", at=at(60), stage="stage-in", serial=1, is_written=True)
        assert decide(run, late).run.stage("stage-in").status is StageStatus.CREATED

    def test_the_deadline_begins_anew(self):
        plan = a_chain("A", timeout_seconds=100)
        player = Player(plan)
        player.wait(100)
        player.apply(ResumeRequested(run_id="r1", at=at(500)))
        player.now = 599
        player.wait(0)
        assert player.run.state is RunState.PENDING
        player.wait(1)
        assert player.run.error.cause == "timeout"

    def test_it_is_bounded_what_a_run_remembers_of_its_former_lives(self):
        run = a_failed_run()
        for generation in range(1, 100):
            run, commands = resume(run)
            run = drive(run, commands, until="execute")
            job = run.job("execute")
            failed = {"ended_attempts": 1, "exit_code": 3}
            run = decide(run, seen(job.job_id, JobStatus.FAILED, job.serial, **failed)).run
            assert run.generation == generation + 1
        assert len(run.jobs) <= KEPT_JOBS + 2

    def test_but_never_forgets_that_a_stage_has_left_something_behind(self):
        plan = a_chain("A", "B", prep=worker("stage-in"))
        run = drive(*decide(None, requested(plan)), until="")
        copies = tuple(
            run.jobs[-1].model_copy(update={"job_id": f"copy-{number}", "is_own": False})
            for number in range(KEPT_JOBS)
        )
        run = run.model_copy(update={"jobs": (*run.jobs, *copies)})
        run = rollback(run, "A").run
        assert needs_preparation(run, "A")


class TestAttempts:
    def test_a_stage_has_all_of_its_attempts_again(self):
        player = Player(a_chain("A", retry_policy="STAGE", max_attempts=2))
        player.play([1, 1])
        player.apply(ResumeRequested(run_id="r1", at=at(player.now)))
        run = player.play([1, 0])
        assert (run.state, attempts(run), len(run.stages[0].history)) == (
            RunState.SUCCESS,
            (2,),
            4,
        )

    def test_under_global_they_are_not_given_back(self):
        player = Player(a_chain("A", "B", retry_policy="GLOBAL", max_attempts=3))
        player.play([0, 1])
        player.apply(CancelRequested(run_id="r1", at=at(player.now)))
        player.apply(ResumeRequested(run_id="r1", at=at(player.now)))
        assert attempts(player.run) == (1, 1)
        assert player.play([1]).state is RunState.ERROR
        with pytest.raises(Conflict, match="0 of its 3 attempts left"):
            player.apply(ResumeRequested(run_id="r1", at=at(player.now)))

    def test_what_they_cannot_finish_is_not_begun(self):
        plan = a_chain("A", "B", "C", retry_policy="GLOBAL", max_attempts=4)
        player = Player(plan)
        run = player.play([0, 0, 0])
        with pytest.raises(Conflict, match="1 of its 4 attempts left"):
            rollback(run, "B")
        assert rollback(run, "C").run.generation == 2


class TestKeptOutputs:
    """stage-out failed, clean-up ran and spared what was not brought home."""

    def run(self, until):
        plan = a_plan_with_files(policy=CleanUpPolicy.ALWAYS)
        run = a_run(until=until, plan=plan)
        job = run.job(until)
        run = decide(run, CancelRequested(run_id="r1", at=at(7))).run
        ended = seen(job.job_id, JobStatus.FAILED, job.serial, ended_attempts=1)
        return drive(*decide(run, ended), until="")

    def test_a_command_that_has_succeeded_is_not_run_again(self):
        run = self.run("stage-out")
        assert run.stage("clean-up").status is StageStatus.COMPLETE
        assert statuses(resume(run).run) == ["COMPLETE"] * 4 + ["CREATED"] * 2

    def test_one_that_has_not_gets_its_inputs_again(self):
        run = self.run("execute")
        assert statuses(resume(run).run) == ["COMPLETE"] * 2 + ["CREATED"] * 4


class TestRollback:
    def test_the_stage_and_what_follows_runs_again(self):
        run, commands = rollback(a_run(), "execute")
        assert statuses(run) == ["COMPLETE"] * 3 + ["CREATED"] * 3
        assert commands == (StartJob(stage="execute", serial=5),)
        assert (run.generation, run.outputs) == (2, {})
        assert all(stage.result is None for stage in run.stages[3:])
        run = drive(run, commands, until="")
        assert (run.state, len(run.stage("execute").history)) == (RunState.SUCCESS, 2)
        assert run.outputs == {"o": {"uri": "s3://b/o"}}

    def test_past_clean_up_the_files_are_made_again(self):
        run = rollback(a_run(plan=a_plan_with_files()), "stage-out").run
        assert statuses(run) == ["COMPLETE"] * 2 + ["CREATED"] * 4

    @pytest.mark.parametrize("stage", ["clean-up", "nowhere"])
    def test_only_to_a_stage_that_makes_something(self, stage):
        with pytest.raises(InvalidRequest) as caught:
            rollback(a_run(), stage)
        assert (caught.value.field, caught.value.value) == ("stage", stage)
        assert "execute" in caught.value.mend

    def test_a_run_under_way_must_be_canceled_first(self):
        with pytest.raises(Conflict, match="RUNNING"):
            rollback(a_run(until="execute"), "stage-in")

    def test_a_repeat_that_names_its_generation_changes_nothing(self):
        run = rollback(a_run(), "execute", generation=1).run
        assert rollback(run, "execute", generation=1).run is run
