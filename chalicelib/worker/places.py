"""From ``fs-…:/path`` to a local path, and the bounds that no path may leave.

The order's mounts say where parts of a file system appear here; the longest root wins. One of
them holds the run's own root, the *scratch* mount. Other runs have their roots beside it, so on
that mount only the run's own root is open to us; on the other mounts (shared inputs, tmp) the
whole mount is.

Paths are compared as text, ``..`` resolved, and then again with the symlinks that are really
there: a job may have left a link that leads elsewhere.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from chalicelib.core.errors import InvalidRequest, Misconfigured
from chalicelib.core.paths import efs_parts, is_inside
from chalicelib.core.worker_documents import MountedVolume


class Place(NamedTuple):
    """Where something is, or will be, on this machine."""

    text: str
    """As the order has it: ``fs-…:/path``."""
    mount: Path
    """The mount that holds it, without symlinks."""
    path: Path
    """Below ``mount``, its last parts not resolved."""
    bound: Path
    """What it must not leave: the run's own root, or a whole mount."""


class Places:
    """The mounts of one order and the run's own root."""

    def __init__(self, mounts: Iterable[MountedVolume], root: str) -> None:
        """Find the root. Raises InvalidRequest if it is not strictly below its mount."""
        self._mounts = tuple(mounts)
        self._file_system, self._root = _normal(root)
        self._scratch = self._around(root)[0]
        self.root = self._place(root, self._scratch)
        if self.root.path == self.root.mount:
            raise InvalidRequest(
                f"the run's root {root!r} is a whole mount",
                value=root,
                mend="a run needs a folder of its own below the mount",
            )

    @property
    def run(self) -> str:
        """The run's id: its root is the folder that bears it."""
        return self.root.path.name

    def find(self, text: str) -> Place:
        """Return the place of a path on any mount. Raises InvalidRequest outside of them all."""
        return self._place(text, self._mount_of(text))

    def find_open(self, text: str) -> Place:
        """Return a place where this run may read and write; raise InvalidRequest otherwise."""
        mount = self._mount_of(text)
        if mount is self._scratch and not self.is_own(text):
            raise InvalidRequest(
                f"{text!r} lies outside of the run's own root {self.root.text!r}",
                value=text,
                mend="give a path below the working directory, without '..'",
            )
        return self._place(text, mount)

    def is_own(self, text: str) -> bool:
        """Tell whether the path is the run's own root or lies below it, links not considered."""
        file_system, inner = _normal(text)
        return file_system == self._file_system and is_inside(inner, self._root)

    def _mount_of(self, text: str) -> MountedVolume:
        """Of two mounts with one root, scratch is meant for what the run owns, and only that."""
        around = self._around(text)
        others = [mount for mount in around if mount is not self._scratch]
        return self._scratch if self.is_own(text) or not others else others[0]

    def _around(self, text: str) -> list[MountedVolume]:
        """The mounts that hold the path, those with the longest root only."""
        file_system, inner = _normal(text)
        around = [
            mount
            for mount in self._mounts
            if mount.file_system_id == file_system and is_inside(inner, _root_of(mount))
        ]
        if not around:
            raise InvalidRequest(
                f"{text!r} is not on a volume of this job",
                value=text,
                mend=f"the volumes are {', '.join(map(_shown, self._mounts)) or 'none'}",
            )
        longest = max(len(_root_of(mount)) for mount in around)
        return [mount for mount in around if len(_root_of(mount)) == longest]

    def _place(self, text: str, mount: MountedVolume) -> Place:
        local = Path(os.path.realpath(mount.container_path))
        if not local.is_dir():
            raise Misconfigured(f"{_shown(mount)} is not mounted: {local} is no folder")
        root = _root_of(mount)
        path = local / posixpath.relpath(_normal(text)[1], root)
        bound = local / posixpath.relpath(self._root, root) if self.is_own(text) else local
        return Place(text, local, path, bound)


def _normal(text: str) -> tuple[str, str]:
    """The file system and the path with ``..`` resolved as text; ``/..`` is ``/``."""
    file_system, inner = efs_parts(text)
    return file_system, posixpath.normpath(inner)


def _root_of(mount: MountedVolume) -> str:
    return posixpath.normpath(f"/{mount.root.strip('/')}")


def _shown(mount: MountedVolume) -> str:
    return f"{mount.file_system_id}:{mount.root}"


def check_bound(path: Path, place: Place) -> None:
    """Raise InvalidRequest if the folder of ``path`` leaves the place's bound through a link."""
    folder = Path(os.path.realpath(path.parent))
    # A place that is its own bound (a root) lies in its mount, not in itself.
    bound = place.mount if path == place.bound else place.bound
    if not folder.is_relative_to(bound):
        raise InvalidRequest(
            f"{str(path)!r} leads out of {str(bound)!r} through a symbolic link",
            value=place.text,
            mend="remove the link, or give a path without links",
        )
