"""From a path of any kind to where it is: an object's name, or a local path with its bound.

The bound is what no symbolic link may lead out of: the mount of an EFS path, the allowed root that
holds a local one, or else the path itself. It also says where deleting has to stop: a whole
bucket, a mount, an allowed root and what they are in are never emptied.

An embedded home keeps its state, and its buckets, in a folder that may lie in the user's own. Of
this folder only the file systems in it are data: the rest is neither a source's content nor
anybody's destination, and nothing is deleted in it or around it.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from chalicelib.core.data_sync.destinations import is_bucket_root
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.paths import efs_parts, is_inside, normal_path, path_kind
from chalicelib.core.worker_documents import MountedVolume


class ObjectPlace(NamedTuple):
    """A place in the object store."""

    text: str
    """As the request has it."""

    @property
    def uri(self) -> str:
        """The name without a last ``/``."""
        return self.text.rstrip("/")

    @property
    def is_folder(self) -> bool:
        """Whether the request says that it is a folder, or it can be nothing else."""
        return self.text.endswith("/") or is_bucket_root(self.text)

    @property
    def key(self) -> str:
        """What follows the bucket, a last ``/`` kept."""
        return self.text.removeprefix("s3://").partition("/")[2]


class LocalPlace(NamedTuple):
    """A place on this machine."""

    text: str
    path: Path
    """Its folder without links; its own last part not looked at."""
    bound: Path | None
    """The mount or the allowed root around it, without links; None: there is none."""
    hidden: Path | None = None
    """A folder that is no content wherever it lies."""

    @property
    def is_folder(self) -> bool:
        """Whether the request says that it is a folder."""
        return self.text.endswith("/")

    def followed(self) -> Path:
        """Return the path with its last part followed, too; raise InvalidRequest if it leaves."""
        real = Path(os.path.realpath(self.path))
        if self.bound is not None and not real.is_relative_to(self.bound):
            raise leads_out(str(self.path), self.bound)
        return real


Place = ObjectPlace | LocalPlace


class Locations:
    """What is mounted here, and where deleting is allowed."""

    def __init__(
        self,
        volumes: Iterable[MountedVolume] = (),
        roots: Iterable[Path] = (),
        home: Path | None = None,
    ) -> None:
        """``home`` is an embedded home's folder."""
        self._home = None if home is None else Path(os.path.realpath(home))
        self._volumes = tuple(volumes)
        self._roots = tuple(Path(os.path.realpath(root)) for root in roots)
        self._mounts = tuple(
            Path(os.path.realpath(volume.container_path)) for volume in self._volumes
        )

    def find(self, text: str) -> Place:
        """Return the place. Raises InvalidRequest for an EFS path that is not mounted here."""
        match path_kind(text):
            case "s3":
                return ObjectPlace(text)
            case "efs":
                return self._on_efs(text)
            case "local":
                return self._local(text)

    def find_local(self, text: str) -> LocalPlace:
        """Return a place on this machine. Raises InvalidRequest for an object's name."""
        place = self.find(text)
        if isinstance(place, ObjectPlace):
            raise InvalidRequest(
                f"{text!r} is not on a file system", value=text, mend="give an EFS or local path"
            )
        return place

    def check_may_delete(self, place: Place, *, below: bool) -> None:
        """Raise InvalidRequest where nothing may be deleted.

        ``below``: files in the folder, and not the folder, are meant; that makes no difference
        to a root, which is to be neither removed nor emptied.
        """
        what = "deleting in" if below else "removing"
        mend = "name a folder below it" + (", or leave delete out" if below else "")
        if isinstance(place, ObjectPlace):
            if is_bucket_root(place.text):
                raise _refused(f"{what} {place.text!r}, a whole bucket", place.text, mend)
            return
        for path in {place.path, Path(os.path.realpath(place.path))}:
            if path.parent == path or any(path == root for root in self._all_roots(path)):
                problem = f"{what} {place.text!r}, a whole file system or root"
                raise _refused(problem, place.text, mend)
            if self._home is not None and self._home.is_relative_to(path):
                problem = f"{what} {place.text!r}, which holds Falsework's own folder {self._home}"
                raise _refused(problem, place.text, mend)
        self.check_may_write(place)
        if self._roots and place.bound is None:
            shown = ", ".join(map(str, self._roots))
            problem = f"{what} {place.text!r}, outside of the allowed roots"
            raise _refused(problem, place.text, f"name a path in one of them: {shown}")

    def check_may_write(self, place: Place) -> None:
        """Raise InvalidRequest for what an embedded home keeps for itself."""
        if self._home is None or isinstance(place, ObjectPlace) or place.bound in self._mounts:
            return
        if Path(os.path.realpath(place.path)).is_relative_to(self._home):
            raise off_limits(place.text)

    def _all_roots(self, path: Path) -> Iterable[Path]:
        """The roots, what they are in, and the path itself where something is mounted."""
        for root in (*self._roots, *self._mounts):
            yield root
            yield from root.parents
        if os.path.ismount(path) and not path.is_symlink():
            yield path

    def _on_efs(self, text: str) -> LocalPlace:
        file_system, inner = efs_parts(text)
        inner = posixpath.normpath(inner)
        around = [
            volume
            for volume in self._volumes
            if volume.file_system_id == file_system and is_inside(inner, _root_of(volume))
        ]
        if not around:
            shown = ", ".join(f"{each.file_system_id}:{each.root}" for each in self._volumes)
            raise InvalidRequest(
                f"{text!r} is not on a file system that is mounted here",
                value=text,
                mend=f"mounted are {shown or 'none'}; see EFS_MOUNT_POINT_ID_<n> and _PATH_<n>",
            )
        volume = max(around, key=lambda each: len(_root_of(each)))
        mount = Path(os.path.realpath(volume.container_path))
        return _within(text, mount / posixpath.relpath(inner, _root_of(volume)), mount)

    def _local(self, text: str) -> LocalPlace:
        if not text.startswith("/"):
            raise InvalidRequest(
                f"{text!r} is a relative path", value=text, mend="give an absolute path"
            )
        path = Path(os.path.abspath(normal_path(text)))  # noqa: PTH100  ".." goes as text
        real = Path(os.path.realpath(path.parent)) / path.name
        around = [root for root in (*self._roots, *self._mounts) if real.is_relative_to(root)]
        bound = max(around, key=lambda root: len(root.parts), default=None)
        return LocalPlace(text, real, bound, hidden=self._home)


def leads_out(path: str, bound: Path) -> InvalidRequest:
    """Return the error for a link that leaves its bound."""
    return InvalidRequest(
        f"{path!r} leads out of {str(bound)!r} through a symbolic link",
        value=path,
        mend="remove the link, leave it out with an exclude filter, or give a path without links",
    )


def off_limits(path: str) -> InvalidRequest:
    """Return the error for what is to be written into an embedded home's own folder."""
    mend = "name an object, s3://bucket/key, or a path on a file system, fs-…:/path"
    return _refused(f"{path!r}, in Falsework's own folder,", path, mend)


def _within(text: str, path: Path, mount: Path) -> LocalPlace:
    real = mount if path == mount else Path(os.path.realpath(path.parent)) / path.name
    if not real.is_relative_to(mount):
        raise leads_out(text, mount)
    return LocalPlace(text, real, mount)


def _root_of(volume: MountedVolume) -> str:
    return posixpath.normpath(f"/{volume.root.strip('/')}")


def _refused(what: str, text: str, mend: str) -> InvalidRequest:
    return InvalidRequest(f"{what} is refused", value=text, mend=mend)
