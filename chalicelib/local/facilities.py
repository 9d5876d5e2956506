"""What one machine has: folders for file systems, one queue as wide as its cores, any image."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from chalicelib.atomic_files import make_open_folder, write_atomically
from chalicelib.core.errors import Refused, Unavailable
from chalicelib.core.site import FileSystems
from chalicelib.local.folders import Folders

QUEUE: Final = "default"

_QUEUE_ARN = re.compile(r"arn:aws[a-z-]*:batch:[a-z0-9-]*:\d*:job-queue/default")
_FILE = re.compile(r"(?:efs://)?(fs-[0-9a-f]{8,40}):/(.+)", re.DOTALL)


def is_queue(name: str) -> bool:
    """Return whether ``name`` means the one queue, by its name or as an ARN."""
    return name == QUEUE or _QUEUE_ARN.fullmatch(name) is not None


class LocalFacilities:
    """The Facilities of the embedded home."""

    def __init__(self, file_systems: FileSystems, folders: Folders) -> None:
        self._file_systems = file_systems
        self._folders = folders

    def file_systems(self) -> FileSystems:
        """Return the site's file systems, or the home's own."""
        return self._file_systems

    def has_queue(self, name: str) -> bool:
        """Return whether it is the one queue."""
        return is_queue(name)

    def resolve_image(self, image: str) -> str:
        """Return the image as it is: no registry is asked here."""
        return image

    def write_file(self, path: str, content: bytes) -> None:
        """Write ``fs-…:/path``, readable by its owner only: it may hold a job's environment.

        Raises Refused for a path that is not on a file system of this home, or that leaves it,
        by ``..`` or by a symbolic link.
        """
        found = _FILE.fullmatch(path)
        if found is None:
            raise Refused(f"{path!r} is not the path of a file on a file system (fs-…:/path)")
        folder = self._folders.file_system(found[1])
        if "\0" in path or {"..", ""} & set(found[2].split("/")):
            raise Refused(f"{path!r} leaves its file system, or does not name a file")
        try:
            _write(folder, found[2], content)
        except (IsADirectoryError, NotADirectoryError, FileExistsError) as exc:
            raise Refused(f"{path!r} cannot be written: {exc}") from exc
        except OSError as exc:
            raise Unavailable(f"{path!r}: {exc}") from exc


def _write(folder: Path, path: str, content: bytes) -> None:
    target = folder / path
    if not _is_inside(target.parent, folder):
        raise Refused(f"{path!r}: a symbolic link on the way leads out of the file system")
    make_open_folder(target.parent)
    write_atomically(target, content, mode=0o644)


def _is_inside(path: Path, folder: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
