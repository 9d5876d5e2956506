"""Runs to try the lifecycle on: a plan of no work, and the events that move it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib.core.commands import Command, MakeCall, ReadOutcome, StartJob, SubmitJob
from chalicelib.core.events import (
    CallEnded,
    JobChanged,
    OutcomeRead,
    RunRequested,
    SubmissionStarted,
)
from chalicelib.core.job_state import JobStatus
from chalicelib.core.lifecycle import decide
from chalicelib.core.lifecycle.attempts import MAX_SPOILT
from chalicelib.core.plans.plan import (
    CleanUpPolicy,
    DefineJobs,
    JobAction,
    JobDefinition,
    NoAction,
    Plan,
    PutDocuments,
    StagePlan,
)
from chalicelib.core.run import Run, StageStatus

UID = "abcdefghijklmnop2345"
START = datetime(2026, 1, 1, tzinfo=UTC)
GRACE = 10
NAMES = ("scaffold", "define-jobs", "stage-in", "execute", "stage-out", "clean-up")


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def worker(verb: str) -> JobAction:
    return JobAction(definition="worker", queue="default", command=("w", verb), is_worker=True)


def a_plan(*, policy: CleanUpPolicy = CleanUpPolicy.ON_SUCCESS, digest: str = "d") -> Plan:
    actions = {
        "scaffold": PutDocuments(documents={"s3://f/doc": "{}"}, result={"ok": True}),
        "define-jobs": DefineJobs(
            definitions={
                "user": JobDefinition(name="u", image="i"),
                "worker": JobDefinition(name="w", image="w"),
            }
        ),
        "stage-in": worker("stage-in"),
        "execute": JobAction(definition="user", queue="default"),
        "stage-out": worker("stage-out"),
        "clean-up": worker("clean-up"),
    }
    stages = tuple(
        StagePlan(
            name=name,
            action=action,
            after=NAMES[: NAMES.index(name)][-1:],
            is_closing=name == "clean-up",
        )
        for name, action in actions.items()
    )
    return Plan(
        stages=stages,
        request_digest=digest,
        clean_up=policy,
        outputs_from="stage-out",
        results_prefix="s3://f/out/",
        submit_grace_seconds=GRACE,
        check_seconds=30,
    )


def idle_plan() -> Plan:
    """One stage with nothing to do."""
    return Plan(stages=(StagePlan(name="a", action=NoAction()),))


def requested(plan: Plan | None = None, **changes: Any) -> RunRequested:
    return RunRequested.model_validate(
        {
            "run_id": "r1",
            "at": at(0),
            "uid": UID,
            "kind": "demand-execution",
            "group": "default",
            "plan": plan or a_plan(),
            **changes,
        }
    )


def seen(job_id: str, status: JobStatus, serial: int, **told: Any) -> JobChanged:
    return JobChanged.model_validate(
        {
            "run_id": "r1",
            "at": at(5),
            "uid": UID,
            "serial": serial,
            "job_id": job_id,
            "queue": "default",
            "status": status,
            **told,
        }
    )


def step(
    run: Run, command: Command, when: float = 1, **told: Any
) -> tuple[Run, tuple[Command, ...]]:
    """Perform a command the easy way: calls and workers succeed, submissions are accepted."""
    match command:
        case MakeCall(stage=stage, attempt=attempt):
            event = CallEnded(
                run_id="r1",
                at=at(when),
                stage=stage,
                attempt=attempt,
                result={"user": "arn:u", "worker": "arn:w"},
            )
        case StartJob(stage=stage, serial=serial):
            event = SubmissionStarted(run_id="r1", at=at(when), stage=stage, serial=serial)
        case SubmitJob(serial=serial):
            event = seen(f"job-{serial}", JobStatus.SUBMITTED, serial, at=at(when))
        case ReadOutcome(stage=stage, serial=serial):
            job = run.job(stage)
            assert job is not None
            event = OutcomeRead.model_validate(
                {
                    "run_id": "r1",
                    "at": at(when),
                    "stage": stage,
                    "serial": serial,
                    "holder_job_id": job.job_id,
                    "is_written": True,
                    "result": {"outputs": {"o": {"uri": "s3://b/o"}}},
                    **told,
                }
            )
        case _:
            raise AssertionError(command)
    return decide(run, event)


def drive(run: Run, commands: tuple[Command, ...], *, until: str, when: float = 1) -> Run:
    """Perform everything and let jobs succeed, until the stage ``until`` has a running job."""
    waiting = list(commands)
    for _ in range(50):
        while waiting:
            run, more = step(run, waiting.pop(0), when)
            waiting += more
        current = next((s for s in run.stages if s.status is StageStatus.RUNNING), None)
        if current is None or current.stage_name == until:
            return run
        job = run.job(current.stage_name)
        assert job is not None
        assert job.job_id is not None
        event = seen(job.job_id, JobStatus.SUCCEEDED, job.serial, at=at(when), ended_attempts=1)
        run, more = decide(run, event)
        waiting += more
    raise AssertionError(f"the run does not come to {until or 'its end'}")


def a_run(*, until: str = "", plan: Plan | None = None) -> Run:
    """A run that has come so far that the stage ``until`` has a job; ``""``: to its end."""
    return drive(*decide(None, requested(plan)), until=until)


def worn_out(run: Run, name: str) -> Run:
    """The run as it is after the infrastructure has spoilt all that it may of the stage."""
    stage = run.stage(name)
    worn = stage.model_copy(update={"free_attempts": MAX_SPOILT})
    stages = tuple(worn if each is stage else each for each in run.stages)
    return run.model_copy(update={"stages": stages})
