"""What an operator may set, and the only module that reads the environment.

Precedence: a command line flag, before a variable ``FALSEWORK_<NAME>``, before the ``--site``
file, before the default. ``ENV_BASE`` and ``AWS_REGION`` count as well.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field, ValidationError

from chalicelib.core.errors import Misconfigured
from chalicelib.core.limits import HTTP_CONNECTIONS
from chalicelib.core.noun import Noun
from chalicelib.core.site import FileSystems, Mount, Site
from chalicelib.site_file import read_site
from chalicelib.worker_settings import DataSyncSettings, LambdaEnvelope, WorkerSettings

Runner = Literal["auto", "bubblewrap", "host", "docker"]


class Settings(Noun):
    """Everything that this process was told."""

    model_config = ConfigDict(hide_input_in_errors=False)  # the operator reads them

    root: Path = Path(".falsework")
    """The embedded home's folder."""
    runner: Runner = "auto"
    """How a local job runs; ``auto`` takes bubblewrap where it works, else the host."""
    url: str = ""
    """Address of a deployment that the command line talks to; empty: the embedded home."""
    token: str = Field(default="", repr=False)
    http_connections: int = Field(default=HTTP_CONNECTIONS, ge=1, le=10_000)
    """How many connections ``serve`` answers at once, each with a thread; the others get 503."""
    table: str = ""
    """Name of the DynamoDB table; set: the AWS home."""
    wake_queue_url: str = ""
    """The SQS queue that brings TimerFired; empty: the due index alone does."""
    submissions_queue_url: str = ""
    """Where many executions that came together are sent on, a few to a message; empty: they are
    taken in at once, however many they are."""
    dead_letter_queue_url: str = ""
    """Where submissions go that cannot be read, each with its reason."""
    notices_queue_url: str = ""
    """Where notices wait for their delivery; empty: this deployment can tell nobody anything."""
    notice_dead_letter_queue_url: str = ""
    """Where notices go that cannot be delivered."""
    reports_batch_item_failures: bool = False
    """Whether the deployment has set ReportBatchItemFailures on the queues' mappings."""
    job_log_group: str = "/aws/batch/job"
    job_execution_role_arn: str = ""
    """The role with which ECS fetches a job's secrets; empty: jobs can have none."""
    tracer: bool = False
    """Whether X-Ray is told of each event that a run is told, with the run's id."""
    in_lambda: bool = False
    site: Site = Site()
    file_systems: FileSystems | None = None
    """From the site file; None: the home's own."""
    mounts: tuple[Mount, ...] = ()


class EventSources(Noun):
    """What the deployed handlers listen to: names that Chalice needs when it imports ``app.py``.

    The only settings that are read at import, and so they are plain text that cannot be wrong.
    """

    submissions_queue: str = "falsework-submissions"
    wake_queue: str = "falsework-wake"
    notices_queue: str = "falsework-notices"
    cleanup_schedule: str = "cron(0 9 * * ? *)"
    """When file systems are cleaned up, as EventBridge has it: minute 0 of hour 9, UTC."""
    requests_bucket: str = Site().requests_bucket
    prefix: str = Site().prefix
    handler: str = ""
    """Lambda's name of the handler that this process is of; empty elsewhere."""


class HostEnvironment(Noun):
    """What a local job gets of this process's own environment; nothing else passes."""

    path: str
    """Where programs are looked for; this Python's own folder comes first."""
    home: str
    lang: str


_FROM_ENVIRONMENT = (
    "root",
    "runner",
    "url",
    "token",
    "http_connections",
    "table",
    "wake_queue_url",
    "submissions_queue_url",
    "dead_letter_queue_url",
    "notices_queue_url",
    "notice_dead_letter_queue_url",
    "reports_batch_item_failures",
    "job_log_group",
    "job_execution_role_arn",
    "tracer",
)

_FOR_WORKERS = ("FALSEWORK_DATA_ROOTS", "DATA_SYNC_LOCK_ROOT")
"""What data syncs are told, wherever they run: ``load_data_sync`` reads it there."""


def load(
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    site_file: Path | None = None,
) -> Settings:
    """Return the settings. Raises Misconfigured, naming what does not fit."""
    env = os.environ if environ is None else environ
    own: dict[str, Any] = {
        name: env[variable]
        for name in _FROM_ENVIRONMENT
        if (variable := f"FALSEWORK_{name.upper()}") in env
    }
    site, file_systems = read_site(env, site_file or _path(env.get("FALSEWORK_SITE")))
    told = {name: env[name] for name in _FOR_WORKERS if name in env} | site.worker_environment
    site = site.model_copy(update={"worker_environment": told})
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    try:
        return Settings.model_validate(
            {
                **own,
                **given,
                "site": site,
                "file_systems": file_systems,
                "mounts": _mounts(env),
                "in_lambda": "AWS_LAMBDA_FUNCTION_NAME" in env,
            }
        )
    except ValidationError as exc:
        raise Misconfigured(f"settings: {exc}") from exc


def host_environment(environ: Mapping[str, str] | None = None) -> HostEnvironment:
    """Return what local jobs are started with."""
    env = os.environ if environ is None else environ
    return HostEnvironment(
        path=os.pathsep.join((str(Path(sys.executable).parent), env.get("PATH", os.defpath))),
        home=env.get("HOME", "/"),
        lang=env.get("LANG", "C.UTF-8"),
    )


def secret_variable(name: str, environ: Mapping[str, str] | None = None) -> str:
    """Return a secret that the operator gave this process. Raises Misconfigured, without it."""
    env = os.environ if environ is None else environ
    if not env.get(name):
        raise Misconfigured(f"the variable {name}, which should hold a secret, is not set")
    return env[name]


def load_event_sources(environ: Mapping[str, str] | None = None) -> EventSources:
    """Return the names; those that are not set have their defaults."""
    env = os.environ if environ is None else environ
    told = {name: env.get(f"FALSEWORK_{name.upper()}") for name in EventSources.model_fields}
    told["handler"] = env.get("_HANDLER")
    return EventSources.model_validate({name: text for name, text in told.items() if text})


def load_worker(environ: Mapping[str, str] | None = None) -> WorkerSettings:
    """Return what this worker job was told. Raises Misconfigured outside of one."""
    env = os.environ if environ is None else environ
    try:
        return WorkerSettings(
            job_name=env["FALSEWORK_JOB_NAME"],
            job_id=env["AWS_BATCH_JOB_ID"],
            attempt=int(env.get("AWS_BATCH_JOB_ATTEMPT", "1")),
            index=int(env.get("AWS_BATCH_JOB_ARRAY_INDEX", "0")),
            request_uri=env["FALSEWORK_REQUEST_URI"],
            outcome_uri=env["FALSEWORK_OUTCOME_URI"],
            batches_left=env.get("FALSEWORK_BATCHES_LEFT", ""),
            batch_index=int(index) if (index := env.get("FALSEWORK_BATCH_INDEX")) else None,
            batches_done=env.get("FALSEWORK_BATCHES_DONE", ""),
            mounts=_mounts(env),
        )
    except (KeyError, ValueError) as exc:
        raise Misconfigured(f"not inside a worker job: {exc!r}") from exc


def load_data_sync(environ: Mapping[str, str] | None = None) -> DataSyncSettings:
    """Return what data syncs are told."""
    env = os.environ if environ is None else environ
    roots = env.get("FALSEWORK_DATA_ROOTS", "").split(os.pathsep)
    return DataSyncSettings(
        lock_root=_path(env.get("DATA_SYNC_LOCK_ROOT")),
        default_bucket=env.get("DEFAULT_BUCKET_NAME", ""),
        roots=tuple(Path(root) for root in roots if root),
        home=_path(env.get("FALSEWORK_ROOT")),
    )


def aws_environment(environ: Mapping[str, str] | None = None) -> tuple[tuple[str, str], ...]:
    """Return the variables that the AWS SDKs read, so that a change of them is seen."""
    env = os.environ if environ is None else environ
    return tuple(sorted((name, text) for name, text in env.items() if name.startswith("AWS_")))


def is_local_job(environ: Mapping[str, str] | None = None) -> bool:
    """Tell whether this process is a job of an embedded home, which told it where it is."""
    env = os.environ if environ is None else environ
    is_job = "AWS_BATCH_JOB_ID" in env and "FALSEWORK_ROOT" in env
    return is_job and not env.get("FALSEWORK_TABLE") and not env.get("AWS_ENDPOINT_URL")


def load_lambda_envelope(environ: Mapping[str, str] | None = None) -> LambdaEnvelope:
    """Return how this process is to call a handler; what is not set is empty."""
    env = os.environ if environ is None else environ
    return LambdaEnvelope(
        handler=env.get("AWS_LAMBDA_FUNCTION_HANDLER") or env.get("_HANDLER", ""),
        name=env.get("AWS_LAMBDA_FUNCTION_NAME", ""),
        payload=env.get("AWS_LAMBDA_EVENT_PAYLOAD", ""),
        response_location=env.get("AWS_LAMBDA_EVENT_RESPONSE_LOCATION", ""),
    )


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


def _mounts(env: Mapping[str, str]) -> tuple[Mount, ...]:
    """``EFS_MOUNT_POINT_PATH_<n>`` and ``EFS_MOUNT_POINT_ID_<n>`` (demand wire format, 6.10)."""
    prefix = "EFS_MOUNT_POINT_ID_"
    return tuple(
        Mount(id=env[name], path=env[f"EFS_MOUNT_POINT_PATH_{name.removeprefix(prefix)}"])
        for name in sorted(env)
        if name.startswith(prefix) and f"EFS_MOUNT_POINT_PATH_{name.removeprefix(prefix)}" in env
    )
