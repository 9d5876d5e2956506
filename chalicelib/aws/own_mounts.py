"""Which file systems this very process sees, asked of whoever started it.

A Batch job asks for its own description, a Lambda for its own configuration. Neither needs to be
allowed to: then what the environment says has to do (demand wire format, 6.10).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chalicelib.aws.client_errors import never, translated
from chalicelib.core.errors import FalseworkError
from chalicelib.core.site import FileSystems, Mount
from chalicelib.core.worker_documents import MountedVolume


def volumes_of_job(
    batch: Any, job_id: str, inventory: Callable[[], FileSystems]
) -> tuple[MountedVolume, ...] | None:
    """Return what the job has mounted; None if nobody says."""
    try:
        with translated(f"job {job_id}", never):
            jobs = batch.describe_jobs(jobs=[job_id])["jobs"]
    except FalseworkError:
        return None
    if not jobs:
        return None
    container = jobs[0].get("container", {})
    paths = {
        mount["sourceVolume"]: mount["containerPath"] for mount in container.get("mountPoints", [])
    }
    found = [
        (volume["efsVolumeConfiguration"], paths[volume["name"]])
        for volume in container.get("volumes", [])
        if "efsVolumeConfiguration" in volume and volume["name"] in paths
    ]
    has_points = any(_access_point(efs) for efs, _ in found)
    points = inventory().access_points if has_points else ()
    roots = {point.access_point_id: point.path for point in points}
    volumes = (_volume(efs, path, roots) for efs, path in found)
    return tuple(volume for volume in volumes if volume is not None)


def mounts_of_function(function: Any, name: str) -> tuple[Mount, ...] | None:
    """Return the access points that a Lambda has mounted; None if nobody says."""
    try:
        with translated(f"function {name}", never):
            told = function.get_function_configuration(FunctionName=name)
    except FalseworkError:
        return None
    return tuple(
        Mount(id=each["Arn"].rpartition("/")[2], path=each["LocalMountPath"])
        for each in told.get("FileSystemConfigs", [])
    )


def _access_point(efs: Mapping[str, Any]) -> str | None:
    return (efs.get("authorizationConfig") or {}).get("accessPointId")


def _volume(efs: Mapping[str, Any], path: str, roots: Mapping[str, str]) -> MountedVolume | None:
    """One whose access point is unknown is left out: nobody knows what it shows."""
    point = _access_point(efs)
    root = roots.get(point) if point else efs.get("rootDirectory") or "/"
    if root is None:
        return None
    return MountedVolume(file_system_id=efs["fileSystemId"], root=root, container_path=path)
