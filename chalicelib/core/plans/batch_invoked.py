"""A handler, or an executor, that runs as a job: request and response are objects (4.1, 4.2).

::

    put-request ─▶ define-job ─▶ invoke ─▶ read-response
       call           call         job         call
                                     └ ─ ─▶ deregister
                                              call, closing: whatever has happened

What is in the response is the result of the last stage. A plan may have several of these chains:
each stage's name, and the definition's key, then begins with the chain's own prefix.
"""

from __future__ import annotations

from typing import Any, Final

from pydantic import JsonValue

from chalicelib.core.demand.batch_create import RETRY_STRATEGY
from chalicelib.core.mounts import mount_variables
from chalicelib.core.noun import Noun
from chalicelib.core.plans.operations import (
    After,
    deregister,
    get_payload,
    put_payload,
    register,
    submit,
)
from chalicelib.core.plans.plan import JobAction, JobDefinition, StagePlan
from chalicelib.core.plans.workers import WORKER
from chalicelib.core.site import Site
from chalicelib.core.states.objects import (
    KEY_PREFIX,
    Exchange,
    definition_name,
    exchange,
    task_id,
)

PUT, DEFINE, INVOKE, DEREGISTER, READ = STAGES = (
    "put-request",
    "define-job",
    "invoke",
    "deregister",
    "read-response",
)
CLOSING: Final = (DEREGISTER,)
EXECUTOR: Final = "run_cli_executor"


class Invocation(Noun):
    """One call of a handler or an executor; nothing in it is a reference any more."""

    name: str
    image: str
    handler: str | None = None
    """Looked up by the image's own program; None: the image runs ``executor`` instead."""
    executor: str | None = None
    payload: JsonValue = None
    queue: str
    bucket: str
    key_prefix: str = KEY_PREFIX
    command: tuple[str, ...] = ()
    """Empty: the image's own."""
    environment: dict[str, str] = {}
    resource_requirements: tuple[dict[str, str], ...] = ()
    mount_points: tuple[dict[str, Any], ...] = ()
    volumes: tuple[dict[str, Any], ...] = ()
    job_role_arn: str | None = None
    fallback_queue: str | None = None
    timeout_seconds: int | None = None


def batch_invoked(  # noqa: PLR0913 -- a chain is placed by these
    call: Invocation, run_id: str, uid: str, site: Site, *, prefix: str = "", after: After = ()
) -> tuple[StagePlan, ...]:
    """Return the stages; the plan's ``clean_up`` has to be ALWAYS for the closing one."""
    put, define, run, end, read = (f"{prefix}{name}" for name in STAGES)
    key = f"{prefix}function"
    place = place_of(call, run_id, uid, prefix)
    job = JobAction(
        definition=key,
        queue=call.queue,
        environment=variables(call, place, site),
        resource_requirements=call.resource_requirements,
        tags=site.default_tags | {"job_name": call.name},
        fallback_queue=call.fallback_queue,
    )
    return (
        put_payload(put, place.request, call.payload, after),
        register(define, {key: _definition(call, place, f"{prefix}{uid}", site)}, (put,)),
        submit(run, job, (define,), timeout_seconds=call.timeout_seconds),
        deregister(end, (key,), (run,)),
        get_payload(read, place.response, (run,), written_by=run),
    )


def place_of(call: Invocation, run_id: str, uid: str, prefix: str = "") -> Exchange:
    """Return where the request and the response of the call are."""
    return exchange(call.bucket, call.key_prefix, run_id, task_id(uid, f"{prefix}{INVOKE}"))


def variables(call: Invocation, place: Exchange, site: Site) -> dict[str, str]:
    """Return the container's variables: the request's own, and over them those of the contract.

    Our own worker gets the site's too, under them: it finds file systems and buckets by those.
    """
    own: dict[str, str] = {}
    if call.image == site.worker_image:
        own = {**site.worker_environment, **mount_variables(site.worker_mounts)}
    contract: dict[str, str] = {}
    if call.handler is not None:
        contract = {
            "AWS_LAMBDA_FUNCTION_NAME": call.name,
            "AWS_LAMBDA_FUNCTION_HANDLER": call.handler,
            "AWS_LAMBDA_EVENT_PAYLOAD": place.request,
            "AWS_LAMBDA_EVENT_RESPONSE_LOCATION": place.response,
        }
    return {
        **own,
        **call.environment,
        **contract,
        "env_base": site.env_base,
        "AWS_REGION": site.aws_region,
        "AWS_ACCOUNT_ID": site.account_id,
    }


def _definition(call: Invocation, place: Exchange, mark: str, site: Site) -> JobDefinition:
    """Nobody else's: its name is the run's own, so that it may be taken back."""
    return JobDefinition(
        name=definition_name(site.env_base, call.name, mark),
        image=call.image,
        command=_command(call, place, site),
        mount_points=call.mount_points,
        volumes=call.volumes,
        job_role_arn=call.job_role_arn,
        resource_requirements=call.resource_requirements,
        retry_strategy=RETRY_STRATEGY,
        tags=site.default_tags,
    )


def _command(call: Invocation, place: Exchange, site: Site) -> tuple[str, ...]:
    if call.executor is not None:
        said = ("--executor", call.executor, "--input", place.request)
        return (EXECUTOR, *said, "--output-location", place.response)
    if not call.command and call.image == site.worker_image:
        return (WORKER, "lambda")
    return call.command
