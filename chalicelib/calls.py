"""What performing a command means for the ports: short steps, each harmless when repeated.

Nothing here decides. A step that fails for good raises Refused, NotFound or InvalidRequest, and
the engine reports that; Unavailable passes through, and the step stays owed.
"""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from pydantic import JsonValue, ValidationError

from chalicelib import batches, function_calls
from chalicelib.core.commands import WatchJob
from chalicelib.core.errors import NotFound, Refused
from chalicelib.core.events import JobChanged, JobNotFound, OutcomeRead
from chalicelib.core.job_names import parse_job_name
from chalicelib.core.job_state import JobState, JobStatus
from chalicelib.core.plans.function_actions import (
    DeregisterJobs,
    InvokeFunction,
    ReadObject,
    TellJob,
)
from chalicelib.core.plans.plan import (
    DefineJobs,
    JobAction,
    JobDefinition,
    NoAction,
    PutDocuments,
    WorkCall,
    WriteFile,
)
from chalicelib.core.plans.run_actions import Choose, MakeValue, RunsAction
from chalicelib.core.run import Run, StageStatus
from chalicelib.core.run_values import NO_CHOICE, choice_of, value_of
from chalicelib.core.worker_documents import Outcome
from chalicelib.job_ports import JobRequest, JobSeen
from chalicelib.ports import Ports


def make_call(run: Run, stage: str, ports: Ports) -> JsonValue:  # noqa: PLR0911
    """Perform a stage's call and return its result."""
    action = run.plan.stage(stage).action
    match action:
        case PutDocuments():
            for uri, text in action.documents.items():
                ports.objects.write(uri, text.encode())
            return action.result
        case DefineJobs():
            return {key: _define(job, ports) for key, job in action.definitions.items()}
        case WriteFile():
            ports.facilities.write_file(action.path, action.text.encode())
            return {"path": action.path}
        case WorkCall():
            return ports.works.perform(action, ports.clock())
        case ReadObject() | InvokeFunction() | DeregisterJobs() | TellJob():
            return function_calls.make_call(action, run, stage, ports)
        case MakeValue(value=value):
            return value_of(run, stage, value)
        case Choose():
            return _chosen(action, run, stage)
        case NoAction() | JobAction() | RunsAction():
            raise AssertionError(action)
        case _:
            assert_never(action)


def _chosen(action: Choose, run: Run, stage: str) -> str:
    branch = choice_of(run, stage, action)
    if branch is None:
        raise Refused(NO_CHOICE)
    return branch


def _define(definition: JobDefinition, ports: Ports) -> str:
    image = ports.facilities.resolve_image(definition.image)
    return ports.jobs.define(definition.model_copy(update={"image": image}))


def job_request(run: Run, job: JobState) -> JobRequest:
    """Return what to submit for the intent ``job``: all from the saved run, nothing fresh."""
    action = _action(run, job)
    command = action.command
    if command is not None and action.unsaved_argument and not _has_saved(run):
        command = (*command, action.unsaved_argument)
    return JobRequest(
        name=job.name,
        queue=job.queue,
        definition_arn=_definition_arn(run, action.definition),
        command=command,
        environment={
            **action.environment,
            **_identity(run, job),
            **({"FALSEWORK_OUTCOME_URI": outcome_uri(run, job)} if action.is_worker else {}),
            **batches.environment(run, job),
        },
        parameters=action.parameters,
        resource_requirements=action.resource_requirements,
        array_size=job.children if job.children and job.children > 1 else None,
        tags={**action.tags, "falsework:run": run.id},
        group=run.group,
    )


def _action(run: Run, job: JobState) -> JobAction:
    action = run.plan.stage(job.stage).action
    assert isinstance(action, JobAction)  # noqa: S101 -- only job stages have jobs
    if job.is_preparation:
        return action.preparation or action
    return action.fan_out or action if job.children else action


def outcome_uri(run: Run, job: JobState) -> str:
    """Return where the worker that holds the claim of ``job`` writes its result document: of a
    job that does batches, below which every child writes its own."""
    if job.children:
        return batches.documents_uri(run, job.stage)
    return f"{run.plan.results_prefix}{job.name}.json"


def read_outcome(run: Run, job: JobState, ports: Ports, at: datetime) -> OutcomeRead:
    """Return who holds the claim and what the holder wrote, both read consistently."""
    if job.children:
        return batches.read(run, job, ports, at)
    holder = ports.claims.holder(job.name, 0)
    event = OutcomeRead(
        run_id=run.id,
        at=at,
        stage=job.stage,
        serial=job.serial,
        holder_job_id=holder.job_id if holder else None,
    )
    try:
        outcome = Outcome.model_validate_json(ports.objects.read(outcome_uri(run, job)))
    except NotFound:
        return event
    except ValidationError as exc:
        return event.model_copy(update={"is_written": True, "error": f"not an outcome: {exc}"})
    return event.model_copy(
        update={"is_written": True, "result": outcome.result, "error": outcome.error}
    )


def job_changed(
    seen: JobSeen, run_id: str, at: datetime, *, is_fresh: bool = False
) -> JobChanged | None:
    """Return the event for a job that was seen, or None when its name is not one of ours."""
    name = parse_job_name(seen.name)
    if name is None:
        return None
    return JobChanged(
        run_id=run_id,
        at=at,
        uid=name.uid,
        serial=name.serial,
        is_fresh=is_fresh,
        **seen.model_dump(exclude={"name", "run_id", "all_attempts_seconds"}),
    )


def submitted(run: Run, job: JobState, job_id: str, at: datetime) -> JobChanged:
    """Return the event for a job that the backend has just accepted."""
    return JobChanged(
        run_id=run.id,
        at=at,
        uid=run.uid,
        serial=job.serial,
        job_id=job_id,
        queue=job.queue,
        status=JobStatus.SUBMITTED,
    )


def forgotten(run_id: str, command: WatchJob, at: datetime) -> JobNotFound:
    """Return the event for a job that the backend knew once and knows no more."""
    return JobNotFound(
        run_id=run_id, at=at, stage=command.stage, serial=command.serial, job_id=command.job_id
    )


def _definition_arn(run: Run, key: str) -> str:
    arn = function_calls.defined(run).get(key, key if key.startswith("arn:") else None)
    if arn is None:
        raise Refused(f"no stage of the run has defined the job {key!r}")
    return arn


def _has_saved(run: Run) -> bool:
    """A run that never had outputs has none to lose."""
    name = run.plan.outputs_from
    return name is None or run.stage(name).status is StageStatus.COMPLETE


def _identity(run: Run, job: JobState) -> dict[str, str]:
    return {
        "FALSEWORK_RUN_ID": run.id,
        "FALSEWORK_STAGE": job.stage,
        "FALSEWORK_SERIAL": str(job.serial),
        "FALSEWORK_JOB_NAME": job.name,
    }
