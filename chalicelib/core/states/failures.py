"""How a run of states ended: its output, or ``{Error, Cause}`` of the first step that failed.

The names of errors are those that state machines catch. What failed says which it is::

    a job                      States.TaskFailed, with the job as cause; States.Timeout
    a job that was refused     Batch.BatchException, and so for defining one
    an object                  S3.S3Exception; S3.NoSuchKeyException for a missing response
    a response                 States.IntrinsicFailure
    a function                 the name of what it raised; else Lambda.AWSLambdaException
"""

from __future__ import annotations

import json
import re
from typing import Final

from pydantic import JsonValue

from chalicelib.core.job_state import JobState
from chalicelib.core.noun import Noun
from chalicelib.core.plans.function_actions import DeregisterJobs, InvokeFunction, ReadObject
from chalicelib.core.plans.plan import DefineJobs, JobAction, PutDocuments
from chalicelib.core.run import Run, RunError, RunState
from chalicelib.core.states.responses import BAD_RESPONSE, FUNCTION, NO_RESPONSE, error_of

TASK_FAILED: Final = "States.TaskFailed"
CHILD: Final = "child"
_CHILD: Final = re.compile(r"run (?P<run>\S+) ended in \S+( \((?P<error>[A-Za-z][\w.]*)\))?")
"""As ``told_of_child`` says it."""
_TIMEOUTS: Final = ("timeout", "queue_wait")


class StatesFailure(Noun):
    """What a state machine catches; the spelling is its own."""

    Error: str
    Cause: str


def output_of(run: Run) -> JsonValue:
    """Return what the run comes to: its outputs, or else the result of its last stage.

    None until there is one. Stages that close a run add nothing to it.
    """
    if run.plan.outputs_from is not None:
        return {"outputs": run.outputs}
    if run.plan.result_from is not None:
        return run.stage(run.plan.result_from).result
    last = [plan.name for plan in run.plan.stages if not plan.is_closing][-1:]
    return run.stage(last[0]).result if last else None


def failure_of(run: Run) -> StatesFailure | None:
    """Return why the run failed; None unless it did. A run that was canceled has not failed."""
    if run.state is not RunState.ERROR or run.error is None:
        return None
    error = run.error
    job = run.job(error.stage) if error.stage is not None else None
    name = _name(run, error)
    is_jobs = job is not None and name == TASK_FAILED
    return StatesFailure(Error=name, Cause=_job_text(job) if is_jobs and job else error.message)


def told_of_child(child: Run) -> StatesFailure:
    """Return what a run that waited for ``child`` failed of."""
    failure = failure_of(child)
    if failure is None:
        return StatesFailure(Error=TASK_FAILED, Cause=f"run {child.id} ended in {child.state}")
    cause = f"run {child.id} ended in {child.state} ({failure.Error}): {failure.Cause}"
    return StatesFailure(Error=failure.Error, Cause=cause)


def error_of_child(message: str) -> str | None:
    """Return the name of the error in what ``told_of_child`` says."""
    match = _CHILD.match(message)
    return match["error"] if match else None


def child_named(message: str) -> str | None:
    """Return the id of the run in what ``told_of_child`` says."""
    match = _CHILD.match(message)
    return match["run"] if match else None


def _name(run: Run, error: RunError) -> str:
    if error.cause in _TIMEOUTS or error.stage is None:
        return "States.Timeout"
    known = {
        NO_RESPONSE: "S3.NoSuchKeyException",
        BAD_RESPONSE: "States.IntrinsicFailure",
        FUNCTION: error_of(error.message),
        "refused": "Batch.BatchException",
    }
    name = known.get(error.cause)
    if error.cause == CHILD:
        return error_of_child(error.message) or TASK_FAILED
    if name is None and error.cause == "call":
        name = _of_call(run, error.stage)
    return name or TASK_FAILED


def _of_call(run: Run, stage: str) -> str | None:
    match run.plan.stage(stage).action:
        case PutDocuments() | ReadObject():
            return "S3.S3Exception"
        case DefineJobs() | DeregisterJobs():
            return "Batch.BatchException"
        case InvokeFunction():
            return "Lambda.AWSLambdaException"
        case JobAction():
            return TASK_FAILED
        case _:
            return None


def _job_text(job: JobState) -> str:
    """Return the job's description, as far as a run remembers it."""
    container = {"ExitCode": job.exit_code, "LogStreamName": job.log_stream}
    told = {
        "JobName": job.name,
        "JobId": job.job_id,
        "JobQueue": job.queue,
        "Status": job.status,
        "StatusReason": job.reason,
        "Container": {name: value for name, value in container.items() if value is not None},
    }
    return json.dumps({name: value for name, value in told.items() if value is not None})
