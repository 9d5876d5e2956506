"""The calls of functions' runs: a response is read, a function called, a definition taken back.

Nothing here decides. What is the user's own fault raises StepFailed, with the word for it.
"""

from __future__ import annotations

from itertools import islice
from typing import assert_never

from pydantic import JsonValue

from chalicelib.core.errors import NotFound
from chalicelib.core.plans.function_actions import (
    DeregisterJobs,
    InvokeFunction,
    ReadObject,
    TellJob,
)
from chalicelib.core.plans.plan import DefineJobs
from chalicelib.core.run import Run
from chalicelib.core.states import responses
from chalicelib.ports import Ports


def make_call(
    action: ReadObject | InvokeFunction | DeregisterJobs | TellJob,
    run: Run,
    stage: str,
    ports: Ports,
) -> JsonValue:
    """Perform the call of that stage and return its result."""
    match action:
        case ReadObject():
            return _read_object(action, ports)
        case InvokeFunction():
            return _invoke(action, run, stage, ports)
        case DeregisterJobs():
            return _deregister(action, run, ports)
        case TellJob(stage=named):
            return _job(run, named, ports)
        case _:
            assert_never(action)


def defined(run: Run) -> dict[str, str]:
    """Return {key: ARN} of what the run's stages have defined."""
    found: dict[str, str] = {}
    for stage in run.stages:
        is_definer = isinstance(run.plan.stage(stage.stage_name).action, DefineJobs)
        if is_definer and isinstance(stage.result, dict):
            found.update({key: str(arn) for key, arn in stage.result.items()})
    return found


def _read_object(action: ReadObject, ports: Ports) -> JsonValue:
    """Return what the object says. Its size is asked first: nobody knows who wrote it."""
    listed = islice(ports.objects.list(action.uri), 1)
    size = next((each.size_bytes for each in listed if each.uri == action.uri), None)
    if size is None:
        raise responses.missing(action.uri, action.written_by)
    responses.check_size(action.uri, size)
    try:
        content = ports.objects.read(action.uri)
    except NotFound as exc:
        raise responses.missing(action.uri, action.written_by) from exc
    return responses.parsed(action.uri, content, is_json=action.is_json)


def _invoke(action: InvokeFunction, run: Run, stage: str, ports: Ports) -> JsonValue:
    """Whatever is made again because nobody answered bears the same token."""
    state = run.stage(stage)
    token = f"{run.uid}-{stage}-{run.generation}-{state.attempts - state.free_attempts}"
    answer = ports.functions.invoke(action.function, action.payload.encode(), token)
    where = f"the answer of function {action.function}"
    responses.check_size(where, len(answer))
    return responses.parsed(where, answer or b"null", is_json=True)


def _job(run: Run, stage: str, ports: Ports) -> JsonValue:
    job, site = run.job(stage), ports.site
    if job is None or job.job_id is None:
        raise NotFound(f"stage {stage} of run {run.id} has no job")
    place = f"arn:aws:batch:{site.aws_region}:{site.account_id}"
    if job.queue.startswith("arn:"):
        place = job.queue.partition(":job-queue/")[0]
    arn = f"{place}:job/{job.job_id}"
    return {"JobName": job.name, "JobId": job.job_id, "JobArn": arn}


def _deregister(action: DeregisterJobs, run: Run, ports: Ports) -> JsonValue:
    """Take back what the run has defined under these keys."""
    known = defined(run)
    for key in action.definitions:
        if key in known:
            ports.definitions.deregister(known[key])
    return {}
