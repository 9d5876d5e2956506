"""The volumes of an execution: an access point, where the container sees it, under which name.

::

    /opt/efs/scratch/e1/in/a           in the container (mount path of the scratch volume)
      |                                   volume scratch-9d107278
    fs-0a1…:/scratch/e1/in/a           on the file system (root of the access point)

The file-system form (``efs_form``) is what sync and clean-up requests speak, since their workers
mount things elsewhere. (Sections 6.4 and 6.5 of the demand wire format.)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from pydantic import JsonValue

from chalicelib.core.demand.file_systems import (
    Candidate,
    FileSystemConfigurations,
    Role,
    find_access_point,
    select,
)
from chalicelib.core.demand.names import condense, short_hash
from chalicelib.core.documents import at_field, shortened
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.noun import Noun
from chalicelib.core.paths import efs_path, is_inside, normal_path, without_dots
from chalicelib.core.site import FileSystems, Site

VOLUME_NAME_CHARACTERS: Final = 24
"""What a volume's name may have: it shares ``VOLUME_NAME_BUDGET_CHARACTERS`` with another."""

_NOT_IN_A_NAME: Final = re.compile(r"[^A-Za-z0-9_-]")
_SAFE_PUNCTUATION: Final = frozenset("/._-+@=,%")


class Volume(Noun):
    """One access point as the container of an execution sees it."""

    role: Role
    name: str
    file_system_id: str
    access_point_id: str
    access_point_path: str
    """The access point's root on its file system."""
    container_path: str
    """Where it is mounted, in normal form."""
    read_only: bool

    def mount_point(self) -> dict[str, JsonValue]:
        """Return the mount point as Batch writes it."""
        return {
            "readOnly": self.read_only,
            "containerPath": self.container_path,
            "sourceVolume": self.name,
        }

    def volume(self) -> dict[str, JsonValue]:
        """Return the volume as Batch writes it."""
        return {
            "name": self.name,
            "efsVolumeConfiguration": {
                "fileSystemId": self.file_system_id,
                "rootDirectory": "/",
                "transitEncryption": "ENABLED",
                "authorizationConfig": {"accessPointId": self.access_point_id, "iam": "DISABLED"},
            },
        }


def resolve_volumes(
    configurations: FileSystemConfigurations, execution_id: str, site: Site, efs: FileSystems
) -> tuple[Volume, ...]:
    """Choose and look up the volumes, in the order scratch, shared, tmp (if it is wanted).

    Raises InvalidRequest for what cannot be found and for two volumes at one mount path.
    """
    volumes: list[Volume] = []
    for role in Role:
        candidates: tuple[Candidate, ...] = getattr(configurations, role.value)
        if candidates:
            candidate, field = select(candidates, execution_id, role)
            with at_field(field):
                volume = _volume(role, candidate, site, efs)
                _refuse_same_place(volume, volumes)
            volumes.append(volume)
    return tuple(volumes)


def _volume(role: Role, candidate: Candidate, site: Site, efs: FileSystems) -> Volume:
    point = find_access_point(candidate, role, site.env_base, efs)
    with at_field("container_path"):
        path = mount_path(_wanted_path(role, candidate, site))
    return Volume(
        role=role,
        name=volume_name(point.file_system_id, point.access_point_id, path),
        file_system_id=point.file_system_id,
        access_point_id=point.access_point_id,
        access_point_path=point.path,
        container_path=path,
        read_only=role is Role.SHARED,
    )


def _wanted_path(role: Role, candidate: Candidate, site: Site) -> str:
    if candidate.container_path is not None:
        return candidate.container_path
    return site.default_container_paths.get(role, f"/opt/efs/{role}")


def mount_path(text: str) -> str:
    """Return the normal form of a mount path; raises InvalidRequest.

    It stands unquoted in the command's prelude, so it holds nothing that a shell looks at.
    """
    is_plain = all(character.isalnum() or character in _SAFE_PUNCTUATION for character in text)
    if not (is_plain and text.startswith("/")) or ".." in text.split("/"):
        raise InvalidRequest(
            f"{shortened(text)!r} cannot be a mount path",
            value=shortened(text),
            mend="give an absolute path without '..', blanks and characters special to a shell",
        )
    return normal_path(text)


def volume_name(file_system_id: str, access_point_id: str, path: str) -> str:
    """Return a name of at most 24 characters that is the volume's own and readable."""
    segment = path.rsplit("/", 1)[-1]
    label = _NOT_IN_A_NAME.sub("-", segment).strip("-") if segment else file_system_id
    digest = short_hash(f"{file_system_id}|{access_point_id}|{path}")
    return condense(f"{label or 'vol'}-{digest}", VOLUME_NAME_CHARACTERS)


def efs_form(path: str, volumes: Sequence[Volume]) -> str:
    """Return ``fs-…:/…`` of an absolute path in the container, ``..`` resolved.

    The longest mount that contains the path decides. Raises InvalidRequest for a path outside of
    every mount, and for one that leaves its mount by way of ``..``.
    """
    entered = _holder(path, volumes)
    resolved = without_dots(path)
    if entered is None or resolved is None or not is_inside(resolved, entered.container_path):
        mounts = ", ".join(volume.container_path for volume in volumes)
        raise InvalidRequest(
            f"{shortened(path)!r} lies outside of every mount ({mounts}), or leaves its own",
            value=shortened(path),
            mend="give a path relative to the working directory, or one below a mount",
        )
    holder = _holder(resolved, volumes) or entered
    relative = resolved.removeprefix(holder.container_path)
    return efs_path(holder.file_system_id, f"{holder.access_point_path}/{relative}")


def _holder(path: str, volumes: Sequence[Volume]) -> Volume | None:
    holders = [volume for volume in volumes if is_inside(path, volume.container_path)]
    return max(holders, key=lambda volume: len(volume.container_path), default=None)


def _refuse_same_place(volume: Volume, others: Sequence[Volume]) -> None:
    for other in others:
        if other.container_path == volume.container_path:
            raise InvalidRequest(
                f"{volume.role} and {other.role} would be mounted at the same path",
                field="container_path",
                value=volume.container_path,
                mend="give them different container paths",
            )
