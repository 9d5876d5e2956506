"""Files on file systems that are mounted on this host, as EFS is in a Lambda that asks for it.

A mount shows a whole file system, or the part below an access point's path; the most special one
that holds a file is used. No name leads out of a mount: not by ``..`` and not by a link.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from chalicelib.atomic_files import make_open_folder, write_atomically
from chalicelib.core.errors import Refused, Unavailable
from chalicelib.core.paths import is_inside, normal_path
from chalicelib.core.site import FileSystems, Mount

_FILE: Final = re.compile(r"(?:efs://)?(fs-[0-9a-f]{8,40}):(/.+)", re.DOTALL)


class _Place(NamedTuple):
    """A folder of this host and what it shows."""

    file_system_id: str
    root: str
    folder: Path


def write_file(
    path: str, content: bytes, mounts: Iterable[Mount], file_systems: FileSystems
) -> None:
    """Write ``fs-…:/path``, readable by its owner only: it may hold a job's environment.

    Raises Refused for a path that is not on a mounted file system, or that leaves it.
    """
    found = _FILE.fullmatch(path)
    if found is None or "\0" in path or {"..", "."} & set(found[2].split("/")):
        raise Refused(f"{path!r} is not the path of a file on a file system (fs-…:/path)")
    if "" in found[2].split("/")[1:]:
        raise Refused(f"{path!r} does not name a file")
    place = _place(found[1], found[2], mounts, file_systems)
    try:
        _write(place.folder, os.path.relpath(found[2], place.root), content)
    except (IsADirectoryError, NotADirectoryError, FileExistsError) as exc:
        raise Refused(f"{path!r} cannot be written: {exc}") from exc
    except OSError as exc:
        raise Unavailable(f"{path!r}: {exc}") from exc


def _place(
    file_system_id: str, path: str, mounts: Iterable[Mount], file_systems: FileSystems
) -> _Place:
    roots = {
        point.access_point_id: (point.file_system_id, normal_path(point.path))
        for point in file_systems.access_points
    }
    places = [
        _Place(*roots.get(mount.id, (mount.id, "/")), folder=Path(mount.path)) for mount in mounts
    ]
    holding = [
        place
        for place in places
        if place.file_system_id == file_system_id and is_inside(path, place.root)
    ]
    if not holding:
        raise Refused(f"{file_system_id}:{path} is not on a file system that is mounted here")
    return max(holding, key=lambda place: len(place.root))


def _write(folder: Path, path: str, content: bytes) -> None:
    target = folder / path
    inside = Path(os.path.realpath(target.parent))
    if not inside.is_relative_to(os.path.realpath(folder)):
        raise Refused(f"{path!r}: a symbolic link on the way leads out of the file system")
    make_open_folder(target.parent)
    write_atomically(target, content, mode=0o644)
