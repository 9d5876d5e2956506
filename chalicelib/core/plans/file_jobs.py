"""The plans of jobs over files, one worker's job each, with the file systems that it needs::

    orders ─▶ define-jobs ─▶ sync | stats | list | scan | remove | clean
     call        call          job

A data sync may be too much for one job: then its worker writes the batches' requests, and an
array does them (``lifecycle/outcomes.py``). The answer is the result of the last stage.

On AWS a job mounts each file system whole. The root of an access point comes into being when
somebody first mounts that (EFS API reference, CreationInfo), and a worker may make no folder in
the root of a file system: so a job mounts the access points as well that its paths are in, and
looks at them no further.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from chalicelib.core.data_sync.requests import PrepareBatchDataSyncRequest
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.file_requests import (
    KINDS,
    SYNC,
    FileSubmission,
    file_systems_of,
    paths_of,
    temporary_places_of,
)
from chalicelib.core.mounts import mount_variables
from chalicelib.core.paths import (
    EfsParts,
    efs_parts,
    is_inside,
    normal_path,
    path_kind,
    without_dots,
)
from chalicelib.core.plans.one_job import (
    OneJob,
    home_of,
    plan_one_job,
    worker_action,
    worker_definition,
)
from chalicelib.core.plans.plan import JobAction, JobDefinition, Plan
from chalicelib.core.plans.workers import Rows, divisible
from chalicelib.core.site import AccessPoint, FileSystems, Site
from chalicelib.core.states.batch_forms import MountPointConfig, encrypted
from chalicelib.core.worker_documents import HandlerOrder, SyncOrder

LARGE: Final = ({"type": "MEMORY", "value": "4096"}, {"type": "VCPU", "value": "2"})
"""Section 4.4 of the Step Functions constructs' specification."""
MOUNTS: Final = "/opt/falsework"
"""Below it a worker's container sees each file system, under its id."""
SYNC_STAGE: Final = "sync"


def plan_file_job(  # noqa: PLR0913, PLR0917 -- all that a plan is made of
    submission: FileSubmission, run_id: str, uid: str, site: Site, efs: FileSystems, queue: str
) -> Plan:
    """Return the plan. Raises InvalidRequest for a file system that is not there."""
    home = home_of(run_id, uid, site)
    stage = SYNC_STAGE if submission.kind == SYNC else KINDS[submission.kind].stage
    mounts = _mounts(submission, site, efs)
    return plan_one_job(
        OneJob(
            stage=stage,
            home=home,
            order=_order(submission, site, home),
            definition=_definition(site, mounts, _opened(submission, site, mounts, efs)),
            action=_action(submission, site, home, mounts, queue),
            request=submission.document(),
            digest=submission.digest(),
            options=submission.options,
        ),
        site,
    )


def _order(submission: FileSubmission, site: Site, home: str) -> str:
    request = submission.request
    if isinstance(request, PrepareBatchDataSyncRequest):
        limit = request.batch_size_bytes_limit or site.batch_bytes
        limited = request.model_copy(update={"batch_size_bytes_limit": limit})
        return SyncOrder(request=limited, batches_prefix=f"{home}batches/").model_dump_json()
    handler = KINDS[submission.kind].handler
    return HandlerOrder(handler=handler, event=request.to_wire()).model_dump_json()


def _action(
    submission: FileSubmission, site: Site, home: str, mounts: dict[str, str], queue: str
) -> JobAction:
    is_sync = submission.kind == SYNC
    action = worker_action("sync" if is_sync else "handle", home, queue, site)
    action = action.model_copy(
        update={
            "environment": {**action.environment, **mount_variables(mounts)},
            "fallback_queue": submission.options.fallback_job_queue_name,
        }
    )
    return divisible(action, LARGE) if is_sync else action


def _mounts(submission: FileSubmission, site: Site, efs: FileSystems) -> dict[str, str]:
    """Return {file system id: where the worker sees it}."""
    known = {each.file_system_id for each in efs.file_systems}
    needed = file_systems_of(submission.request)
    for file_system_id, field in needed.items():
        if file_system_id not in known:
            raise InvalidRequest(
                f"there is no file system {file_system_id} here",
                field=field,
                value=file_system_id,
                mend="name a file system of this site",
            )
    return {each: site.worker_mounts.get(each, f"{MOUNTS}/{each}") for each in needed}


def _opened(
    submission: FileSubmission, site: Site, mounts: Iterable[str], efs: FileSystems
) -> list[AccessPoint]:
    """Return the deployment's own access points that the request's paths are in."""
    named = (*paths_of(submission.request), *temporary_places_of(submission.request))
    paths = [efs_parts(path) for _, path in named if path_kind(path) == "efs"]
    return [
        point
        for point in efs.access_points
        if point.file_system_id in set(mounts) - site.worker_mounts.keys()
        and point.tags.get("env_base") == site.env_base
        and normal_path(point.path) != "/"
        and any(_holds(point, each) for each in paths)
    ]


def _holds(point: AccessPoint, place: EfsParts) -> bool:
    inside = without_dots(place.path)
    is_there = place.file_system_id == point.file_system_id and inside is not None
    return is_there and is_inside(str(inside), normal_path(point.path))


def _definition(
    site: Site, mounts: Mapping[str, str], opened: Iterable[AccessPoint]
) -> JobDefinition:
    whole = {each: path for each, path in mounts.items() if each not in site.worker_mounts}
    seen = [
        *(
            (MountPointConfig(file_system=each, container_path=whole[each]), each)
            for each in whole
        ),
        *((_config(each), each.access_point_id) for each in opened),
    ]
    volumes: Rows = tuple(encrypted(config.volume(name) for config, name in seen))
    return worker_definition(
        site,
        volumes,
        tuple(
            {"containerPath": config.container_path, "sourceVolume": name} for config, name in seen
        ),
    )


def _config(point: AccessPoint) -> MountPointConfig:
    return MountPointConfig(
        file_system=point.file_system_id,
        access_point=point.access_point_id,
        container_path=f"{MOUNTS}/{point.access_point_id}",
    )
