"""Jobs over files as parts: our worker's handlers, called as jobs (4.3 to 4.5).

A data sync is one job, or, where its request says how large a batch may be, one that prepares the
batches and one for each of them. File systems are mounted by the paths that stand in the request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from pydantic import JsonValue

from chalicelib.core.asl import jobs
from chalicelib.core.asl.expressions import Expression, at, looked_up
from chalicelib.core.asl.parts import Part, Place, chain, enclosed, for_each, passing
from chalicelib.core.documents import shortened
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.file_requests import CLEAN_UP, SYNC, file_systems_of, parse_file_request
from chalicelib.core.function_requests import BATCH_LAMBDA, parse_function_request
from chalicelib.core.mounts import mount_variables
from chalicelib.core.pipelines.references import has_references
from chalicelib.core.plans.batch_invoked import Invocation
from chalicelib.core.plans.file_jobs import MOUNTS
from chalicelib.core.states.batch_forms import MountPointConfig, mounted, requirements

PREPARED: Final = "prep-batch-data-sync-requests"
_HANDLERS: Final = "aibs_informatics_aws_lambda.handlers."
_BATCHED: Final = ("batch_size_bytes_limit", "batchSizeBytesLimit")
_REQUEST: Final = at("request")


class Function(NamedTuple):
    """A ready-made function of the worker (4.3)."""

    name: str
    handler: str
    memory: str = "1024"
    vcpus: str = "1"


SYNC_ONE: Final = Function("data-sync", "data_sync.data_sync_handler")
PREPARE: Final = Function(PREPARED, "data_sync.prepare_batch_data_sync_handler")
SYNC_BATCH: Final = Function("batch-data-sync", "data_sync.batch_data_sync_handler", "4096", "2")
SCAN: Final = Function(
    "outdated-data-path-scanner", "data_sync.outdated_data_path_scanner_handler"
)
REMOVE: Final = Function("remove-data-paths", "data_sync.remove_data_paths_handler")
_SIMPLE: Final = {
    SYNC: SYNC_ONE,
    "data-path-stats": Function("get-data-path-stats", "data_sync.get_data_path_stats_handler"),
    "list-data-paths": Function("list-data-paths", "data_sync.list_data_paths_handler"),
    "outdated-data-paths": SCAN,
    "remove-data-paths": REMOVE,
}
KINDS: Final = (*_SIMPLE, CLEAN_UP)

Mounts = tuple[MountPointConfig, ...]


def files(kind: str, request: JsonValue, place: Place, seconds: int | None) -> Part:
    """Return the part of a job over files. Raises InvalidRequest."""
    mounts = _mounts(kind, request, place)
    payload = looked_up(_bare(request))
    is_batched = isinstance(request, Mapping) and not set(_BATCHED).isdisjoint(request)
    if kind == SYNC and is_batched:
        refuse_limit(seconds)
        return distributed(payload, mounts, place)
    if kind == CLEAN_UP:
        refuse_limit(seconds)
        return _cleaned(payload, mounts, place)
    return worker(_SIMPLE[kind], payload, mounts, place, seconds)


def worker(
    call: Function, payload: Any, mounts: Mounts, place: Place, seconds: int | None = None
) -> Part:
    """Return the part of one of the worker's functions; what comes out is its response."""
    site = place.site
    run = place.marks.mark("$$.Execution.Name")
    document = {"name": call.name, "image": site.worker_image, "handler": call.handler}
    submission = parse_function_request(BATCH_LAMBDA, {**document, "payload": None}, site)
    points, volumes = mounted(mounts)
    seen = dict(site.worker_mounts)
    seen |= {each.access_point or each.file_system: each.container_path for each in mounts}
    invocation = Invocation(
        name=call.name,
        image=site.worker_image,
        handler=_HANDLERS + call.handler,
        payload=place.marks.mark(jobs.body_of(payload)),
        queue=site.default_job_queue,
        bucket=site.scratch_bucket,
        environment=mount_variables(seen),
        resource_requirements=requirements(call.memory, call.vcpus, None),
        mount_points=points,
        volumes=volumes,
        job_role_arn=site.worker_role_arn,
        timeout_seconds=seconds,
    )
    return jobs.invoked(invocation, submission, payload, place, run, {})


def distributed(payload: Any, mounts: Mounts, place: Place) -> Part:
    """Return the part of a sync in batches (4.4)."""
    begun = passing(place.name("begin"), {"request": payload, "tasks": {}}, "$")
    prepared = enclosed(
        place.name(PREPARED),
        worker(PREPARE, _REQUEST, mounts, place.below(PREPARED)),
        at("tasks", PREPARED),
        {"response.$": "$[0]"},
    )
    synced = for_each(
        place.name(SYNC_BATCH.name),
        worker(SYNC_BATCH, _REQUEST, mounts, place.below(SYNC_BATCH.name)),
        at("tasks", PREPARED, "response", "requests"),
        {"request": Expression("$$.Map.Item.Value")},
        ResultPath=None,
    )
    return chain(begun, prepared, synced)


def _cleaned(payload: Any, mounts: Mounts, place: Place) -> Part:
    """Return the part of a clean-up: what the scanner finds is what is removed (4.5)."""
    scanned = enclosed(
        place.name("scan"),
        worker(SCAN, payload, mounts, place.below("scan")),
        at("scan"),
        {"response.$": "$[0]"},
    )
    return chain(scanned, worker(REMOVE, at("scan", "response"), mounts, place))


def _mounts(kind: str, request: JsonValue, place: Place) -> Mounts:
    """What stands in the request is checked as our own runs' is; what is looked up cannot be."""
    if not isinstance(request, Mapping) or has_references(dict(request)):
        return ()
    submission = parse_file_request(kind, dict(request), place.site)
    return tuple(
        MountPointConfig(file_system=name, container_path=f"{MOUNTS}/{name}")
        for name in file_systems_of(submission.request)
        if name not in place.site.worker_mounts
    )


def _bare(request: JsonValue) -> JsonValue:
    if not isinstance(request, Mapping):
        return request
    return {k: v for k, v in request.items() if k not in {"kind", "run_id", "options"}}


def refuse_limit(seconds: int | None) -> None:
    """Raise InvalidRequest for a limit of something that is more than one task."""
    if seconds is not None:
        raise InvalidRequest(
            "Step Functions limits the time of single tasks, and this stage has several",
            field="timeout_seconds",
            value=shortened(seconds),
            mend='leave it out, or set options.timeout_seconds {"run": …}',
        )
