"""EFS without EFS: a file system is the folder ``ROOT/efs/<id>``, an access point one below it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from chalicelib.core.errors import Misconfigured, Refused
from chalicelib.core.site import AccessPoint, FileSystem, FileSystems, Site

OWN_FILE_SYSTEM_ID: Final = "fs-0000000000000001"
ROLES: Final = ("scratch", "shared", "tmp")


def own_file_systems(site: Site) -> FileSystems:
    """Return the one file system that a home has when its site file names none."""
    return FileSystems(
        file_systems=(
            FileSystem(
                file_system_id=OWN_FILE_SYSTEM_ID,
                name="local",
                tags={"Name": "local", "env_base": site.env_base},
            ),
        ),
        access_points=tuple(
            AccessPoint(
                access_point_id=f"fsap-{number:016x}",
                name=role,
                file_system_id=OWN_FILE_SYSTEM_ID,
                path=f"/{role}",
                tags={"Name": role, "env_base": site.env_base},
            )
            for number, role in enumerate(ROLES, 1)
        ),
    )


class Folders:
    """Which folder of this machine stands for what can be mounted."""

    def __init__(self, root: Path, file_systems: FileSystems) -> None:
        self._efs = root.resolve() / "efs"
        self._ids = {entry.file_system_id for entry in file_systems.file_systems}
        self._access_points = {
            entry.access_point_id: entry for entry in file_systems.access_points
        }
        for point in file_systems.access_points:
            if ".." in point.path.split("/") or point.file_system_id not in self._ids:
                raise Misconfigured(
                    f"access point {point.access_point_id}: path {point.path!r} of file system"
                    f" {point.file_system_id} cannot be a folder of this home"
                )

    def file_system(self, file_system_id: str) -> Path:
        """Return the folder of the file system. Raises Refused for one that is not here."""
        if file_system_id not in self._ids:
            raise Refused(f"there is no file system {file_system_id!r} here")
        return self._efs / file_system_id

    def access_point(self, access_point_id: str) -> Path:
        """Return the folder of the access point. Raises Refused for one that is not here."""
        point = self._access_points.get(access_point_id)
        if point is None:
            raise Refused(f"there is no access point {access_point_id!r} here")
        return self.file_system(point.file_system_id) / point.path.lstrip("/")

    def volume(self, volume: Mapping[str, Any]) -> Path:
        """Return the folder of a volume in Batch's form. Raises Refused if it is not EFS."""
        efs = volume.get("efsVolumeConfiguration")
        if not isinstance(efs, dict):
            raise Refused(f"volume {volume.get('name')!r} is not on EFS; only such exist here")
        access_point_id = (efs.get("authorizationConfig") or {}).get("accessPointId")
        if access_point_id:
            return self.access_point(str(access_point_id))
        directory = str(efs.get("rootDirectory") or "/")
        if ".." in directory.split("/"):
            raise Refused(f"volume {volume.get('name')!r}: rootDirectory leaves the file system")
        return self.file_system(str(efs.get("fileSystemId"))) / directory.lstrip("/")

    def container_paths(self, site: Site) -> dict[str, str]:
        """Return {role: host folder}, for ``Site.default_container_paths`` in host mode.

        A role that no access point, or more than one, is named for is left out: nothing could
        be mounted by that name either.
        """
        found: dict[str, list[str]] = {role: [] for role in ROLES}
        for point in self._access_points.values():
            name = point.tags.get("Name", point.name)
            if name in found and point.tags.get("env_base") == site.env_base:
                found[name].append(str(self.access_point(point.access_point_id)))
        return {role: paths[0] for role, paths in found.items() if len(paths) == 1}
