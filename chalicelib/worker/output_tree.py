"""What an output consists of: the files below it, with the links in it followed as content.

A job may build its output from links to what it made elsewhere in its root; whoever downloads the
output wants the content. A link that leads out of the run's root, nowhere, or to a folder that it
is itself in, and anything that is neither file nor folder, cannot be stored and is an error that
names it, unless a filter leaves it out.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from chalicelib.core.data_sync.filters import PathFilter
from chalicelib.core.data_sync.manifest import is_manifest
from chalicelib.core.errors import InvalidRequest
from chalicelib.worker.places import Place


class OutputFile(NamedTuple):
    """A file of an output."""

    name: str
    """Relative to the output; for a single file its own name."""
    path: Path
    """Where its content is, without links."""
    size_bytes: int


class Output(NamedTuple):
    """An output that is there."""

    is_folder: bool
    files: tuple[OutputFile, ...]
    left_out: int
    """Files that the filter leaves out."""


def find_output(place: Place, path_filter: PathFilter) -> Output | None:
    """Walk the output; None if it is missing. Raises InvalidRequest for what cannot be stored."""
    if not os.path.lexists(place.path):
        return None
    tree = _Tree(place.bound, path_filter)
    real = tree.resolved(place.path, place.path.name)
    if real.is_dir():
        files = tuple(tree.files(real, "", ()))
        return Output(is_folder=True, files=files, left_out=tree.left_out)
    file = tree.file(real, place.path.name)
    if not path_filter.keeps_single(file.name):
        return Output(is_folder=False, files=(), left_out=1)
    return Output(is_folder=False, files=(file,), left_out=0)


class _Tree:
    """One walk: its bound, its filter, and how much the filter left out."""

    def __init__(self, bound: Path, path_filter: PathFilter) -> None:
        self._bound = bound
        self._filter = path_filter
        self.left_out = 0

    def files(self, folder: Path, prefix: str, above: tuple[Path, ...]) -> Iterator[OutputFile]:
        """Yield the files below ``folder``, a path without links; ``above`` are those it is in."""
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries)
        for each in names:
            name, path = prefix + each, folder / each
            if self._leaves_out(name, path):
                self.left_out += 1
            elif not is_manifest(name):
                real = self.resolved(path, name)
                if real.is_dir():
                    self._check_circle(real, name, (*above, folder))
                    yield from self.files(real, f"{name}/", (*above, folder))
                else:
                    yield self.file(real, name)

    def resolved(self, path: Path, name: str) -> Path:
        """Return the path without links. Raises InvalidRequest if it leads out, or nowhere."""
        try:
            real = Path(os.path.realpath(path, strict=True))
        except OSError as exc:
            raise _unfit(name, f"is a symbolic link that leads nowhere: {exc.strerror}") from exc
        if not real.is_relative_to(self._bound):
            raise _unfit(name, f"is a symbolic link that leads out of {str(self._bound)!r}")
        return real

    def file(self, real: Path, name: str) -> OutputFile:
        """Return the regular file. Raises InvalidRequest for pipes, sockets and devices."""
        found = real.lstat()
        if not stat.S_ISREG(found.st_mode):
            raise _unfit(name, "is neither a file nor a folder")
        return OutputFile(name, real, found.st_size)

    def _leaves_out(self, name: str, path: Path) -> bool:
        """A folder is left out only by its own name: the filter may keep what is in it."""
        return self._filter.excludes(name) if path.is_dir() else not self._filter.keeps(name)

    def _check_circle(self, real: Path, name: str, above: tuple[Path, ...]) -> None:
        if real in above:
            raise _unfit(name, "is a symbolic link to a folder that it is in")


def _unfit(name: str, problem: str) -> InvalidRequest:
    return InvalidRequest(
        f"{name!r} in the output {problem}",
        value=name,
        mend="let the job write a file in its place, or leave it out with an exclude filter",
    )
