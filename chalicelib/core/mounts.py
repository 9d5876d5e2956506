"""What a mount shows: a whole file system, or the part of one below an access point."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from chalicelib.core.site import FileSystems, Mount
from chalicelib.core.worker_documents import MountedVolume


def mount_variables(mounts: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that tell a worker of {file system id: where it is mounted}."""
    told = {}
    for number, (file_system_id, path) in enumerate(mounts.items(), 1):
        told[f"EFS_MOUNT_POINT_ID_{number}"] = file_system_id
        told[f"EFS_MOUNT_POINT_PATH_{number}"] = path
    return told


def volumes_of(mounts: Iterable[Mount], file_systems: FileSystems) -> tuple[MountedVolume, ...]:
    """Return what each mount shows; one whose access point is unknown shows nothing."""
    points = {point.access_point_id: point for point in file_systems.access_points}
    found = []
    for mount in mounts:
        point = points.get(mount.id)
        if point is None and mount.id.startswith("fsap-"):
            continue
        found.append(
            MountedVolume(
                file_system_id=point.file_system_id if point else mount.id,
                root=point.path if point else "/",
                container_path=mount.path,
            )
        )
    return tuple(found)
