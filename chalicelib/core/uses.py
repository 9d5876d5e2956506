"""What a request uses of the site, whatever kind of run it becomes: (field, list, value).

Everything that a job can reach counts, whether the request names it or the site picks it: all of
a volume that is mounted, and the queue that jobs over files go to. Whether the group may use it is
``allowances.py``'s to say. Links are not looked at here: where they lead is the file system's
affair.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from chalicelib.core.demand.batch_args import CreateDefinitionAndPrepareArgsRequest
from chalicelib.core.demand.scaffolding import Scaffolding
from chalicelib.core.file_requests import FileSubmission, paths_of, temporary_places_of
from chalicelib.core.paths import path_kind, s3_parts
from chalicelib.core.plans.batch_invoked import Invocation
from chalicelib.core.plans.plan import JobDefinition
from chalicelib.core.site import FileSystems
from chalicelib.core.submission import Submission
from chalicelib.core.submission_checks import object_paths


class Listed(StrEnum):
    """The lists of ``GroupRules``, and what each is called in a sentence."""

    QUEUE = "job_queues"
    ROLE = "job_roles"
    BUCKET = "buckets"
    ROOT = "roots"

    @property
    def noun(self) -> str:
        """Return what one of the values is."""
        return {"job_queues": "job queue", "job_roles": "job role", "buckets": "bucket"}.get(
            self, "path"
        )


class Use(NamedTuple):
    """One thing that a request uses."""

    field: str
    """Where the request says so."""
    listed: Listed
    value: str


def used_roles(definitions: Iterable[JobDefinition]) -> Iterator[Use]:
    """Yield the jobs' roles alone, for sites without lists."""
    for definition in definitions:
        if definition.job_role_arn:
            yield Use("job_role_arn", Listed.ROLE, definition.job_role_arn)


def used_by_demand(submission: Submission, prepared: Scaffolding) -> Iterator[Use]:
    """Yield what a demand execution uses."""
    create = prepared.response.setup_configs.batch_create_request
    platform = "demand_execution.execution_platform.aws_batch"
    yield Use(f"{platform}.job_queue_name", Listed.QUEUE, create.job_queue_name)
    yield from used_fallback(submission.options.fallback_job_queue_name)
    if create.job_role_arn:
        yield Use(f"{platform}.job_role", Listed.ROLE, create.job_role_arn)
    for field, path in object_paths(submission, prepared):
        if path:
            yield use_of_path(field, path)
    for volume in prepared.volumes:
        root = f"{volume.file_system_id}:{volume.access_point_path}"
        yield Use(f"file_system_configurations.{volume.role}", Listed.ROOT, root)


def used_by_file_job(submission: FileSubmission, queue: str) -> Iterator[Use]:
    """Yield what a job over files uses; ``queue`` is the one that the site sends it to."""
    yield Use("site.default_job_queue", Listed.QUEUE, queue)
    yield from used_fallback(submission.options.fallback_job_queue_name)
    for field, path in (*paths_of(submission.request), *temporary_places_of(submission.request)):
        yield use_of_path(field, path)


def used_by_invocation(call: Invocation, efs: FileSystems) -> Iterator[Use]:
    """Yield what a handler's or an executor's job uses."""
    yield Use("job_queue", Listed.QUEUE, call.queue)
    yield from used_fallback(call.fallback_queue)
    yield from _container(call.job_role_arn, call.volumes, efs)
    yield Use("bucket_name", Listed.BUCKET, call.bucket)


def used_by_batch_job(
    queue: str, fallback: str | None, definition: JobDefinition, efs: FileSystems
) -> Iterator[Use]:
    """Yield what a Batch job uses, through its definition, too, whoever made that."""
    yield Use("job_queue", Listed.QUEUE, queue)
    yield from used_fallback(fallback)
    yield from _container(definition.job_role_arn, definition.volumes, efs)


def used_by_definition(
    request: CreateDefinitionAndPrepareArgsRequest, efs: FileSystems
) -> Iterator[Use]:
    """Yield what a job definition uses that others will submit jobs of."""
    yield Use("job_queue_name", Listed.QUEUE, request.job_queue_name)
    yield from _container(request.job_role_arn, request.volumes, efs)


def use_of_path(field: str, path: str) -> Use:
    """Return the use of a checked data path: of an object it is the bucket that counts."""
    if path_kind(path) == "s3":
        return Use(field, Listed.BUCKET, s3_parts(path).bucket)
    return Use(field, Listed.ROOT, path)


def used_fallback(queue: str | None) -> Iterator[Use]:
    """Yield the queue that jobs may move to, where there is one."""
    if queue is not None:
        yield Use("options.fallback_job_queue_name", Listed.QUEUE, queue)


def _container(
    role: str | None, volumes: Sequence[Mapping[str, Any]], efs: FileSystems
) -> Iterator[Use]:
    if role:
        yield Use("job_role_arn", Listed.ROLE, role)
    for number, volume in enumerate(volumes):
        for path in _mounted(volume, efs):
            yield Use(f"volumes.{number}", Listed.ROOT, path)


def _mounted(volume: Mapping[str, Any], efs: FileSystems) -> Iterator[str]:
    """Yield the root of a volume as Batch writes it; of what is not known, the whole of it."""
    told = volume.get("efsVolumeConfiguration")
    if isinstance(told, Mapping):
        access = (told.get("authorizationConfig") or {}).get("accessPointId")
        roots = {each.access_point_id: each.path for each in efs.access_points}
        folder = roots.get(access, "/") if access else told.get("rootDirectory") or "/"
        yield f"{told.get('fileSystemId')}:{folder}"
    host = volume.get("host")
    if isinstance(host, Mapping) and host.get("sourcePath"):
        yield str(host["sourcePath"])
