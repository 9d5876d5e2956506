"""What a local folder holds, by name below it, in the order in which S3 lists keys.

As a source, links are followed as content, as long as they stay within the bound; whoever copies
the folder wants what it shows. As a destination, and for whoever counts or removes, a link is an
entry of its own. Folders as such are nothing: an object store has none.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from chalicelib.core.errors import InvalidRequest
from chalicelib.worker.sync.locations import leads_out

LeftOut = Callable[[str, bool], bool]
"""Tells whether (name, is it a folder) plays no part, so that what it is does not matter."""


class LocalFile(NamedTuple):
    """A file, or whatever is not a folder."""

    name: str
    size_bytes: int
    modified_at: float
    is_regular: bool
    """False for links that were not followed, pipes and the like."""


def files_of(folder: Path, hidden: Path | None = None) -> Iterator[LocalFile]:
    """Yield everything below the folder that is no folder itself, links not followed.

    What is in the folder ``hidden`` is not there.
    """
    return _Walk(None, _none, hidden).below(str(folder), "", ())


def content_of(
    folder: Path, bound: Path, is_left_out: LeftOut, hidden: Path | None = None
) -> Iterator[LocalFile]:
    """Yield the files of a source, those that are left out too, but for links.

    What is in the folder ``hidden`` is none of them. Raises InvalidRequest for what
    plays a part and cannot be copied.
    """
    return _Walk(bound, is_left_out, hidden).below(str(folder), "", (str(folder),))


def _none(_name: str, _is_folder: bool) -> bool:
    return False


class _Walk:
    """One walk; with a bound links are followed. Paths are plain text, for there may be many."""

    def __init__(
        self, bound: Path | None, is_left_out: LeftOut, hidden: Path | None = None
    ) -> None:
        self._bound = bound
        self._hidden = None if hidden is None else str(hidden)
        self._is_left_out = is_left_out

    def below(self, folder: str, prefix: str, above: tuple[str, ...]) -> Iterator[LocalFile]:
        """Yield what is below ``folder``, which lies in the folders ``above``."""
        is_source = self._bound is not None
        for name, entry in _sorted(folder, is_followed=is_source):
            relative, is_folder = prefix + entry.name, name.endswith("/")
            path, is_link = f"{folder}/{entry.name}", entry.is_symlink()
            if is_source and is_link:
                if self._is_left_out(relative, is_folder):
                    continue
                path = self._followed(path, relative, above)
            if is_folder and path == self._hidden:
                continue
            if is_folder:
                circle = (*above, path) if is_source else ()
                yield from self.below(path, f"{relative}/", circle)
                continue
            try:
                found = os.lstat(path) if is_link else entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # removed since its folder was read
            is_regular = stat.S_ISREG(found.st_mode)
            if is_source and not is_regular and not self._is_left_out(relative, is_folder):
                raise _unfit(relative, "is neither a file nor a folder")
            yield LocalFile(relative, found.st_size, found.st_mtime, is_regular)

    def _followed(self, path: str, relative: str, above: tuple[str, ...]) -> str:
        try:
            real = os.path.realpath(path, strict=True)
        except OSError as exc:
            problem = f"is a symbolic link that leads nowhere: {exc.strerror}"
            raise _unfit(relative, problem) from exc
        if self._bound is not None and not Path(real).is_relative_to(self._bound):
            raise leads_out(path, self._bound)
        if real in above:
            raise _unfit(relative, "is a symbolic link to a folder that it is in")
        return real


def _sorted(folder: str, *, is_followed: bool) -> list[tuple[str, os.DirEntry[str]]]:
    """A folder sorts as its name and ``/``: ``a-b`` < ``a/b`` < ``a0``."""
    try:
        with os.scandir(folder) as entries:
            found = [
                (f"{each.name}/" if each.is_dir(follow_symlinks=is_followed) else each.name, each)
                for each in entries
            ]
    except FileNotFoundError:
        return []
    return sorted(found, key=lambda pair: pair[0])


def _unfit(name: str, problem: str) -> InvalidRequest:
    return InvalidRequest(
        f"{name!r} in the source {problem}",
        value=name,
        mend="put a file in its place, or leave it out with an exclude filter",
    )
