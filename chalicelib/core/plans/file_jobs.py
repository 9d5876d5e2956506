"""The plans of jobs over files, one worker's job each, with the file systems that it needs::

    orders ─▶ define-jobs ─▶ sync | stats | list | scan | remove | clean
     call        call          job

A data sync may be too much for one job: then its worker writes the batches' requests, and an
array does them (``lifecycle/outcomes.py``). The answer is the result of the last stage.
"""

from __future__ import annotations

from typing import Final

from chalicelib.core.data_sync.requests import PrepareBatchDataSyncRequest
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.file_requests import (
    KINDS,
    SYNC,
    FileSubmission,
    file_systems_of,
)
from chalicelib.core.mounts import mount_variables
from chalicelib.core.plans.one_job import (
    OneJob,
    home_of,
    plan_one_job,
    worker_action,
    worker_definition,
)
from chalicelib.core.plans.plan import JobAction, JobDefinition, Plan
from chalicelib.core.plans.workers import Rows, divisible
from chalicelib.core.site import FileSystems, Site
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
            definition=_definition(site, mounts),
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


def _definition(site: Site, mounts: dict[str, str]) -> JobDefinition:
    needed = {each: path for each, path in mounts.items() if each not in site.worker_mounts}
    volumes: Rows = tuple(
        {
            "name": each,
            "efsVolumeConfiguration": {
                "fileSystemId": each,
                "rootDirectory": "/",
                "transitEncryption": "ENABLED",
            },
        }
        for each in needed
    )
    mount_points = tuple(
        {"containerPath": path, "sourceVolume": each} for each, path in needed.items()
    )
    return worker_definition(site, volumes, mount_points)
