"""What is known of an input that runs share, beside it: where its files came from, who uses it.

::

    <shared>/<name>                                   the input, where jobs are promised it
    <shared>/<name>.lock                              held by who brings or removes it
    <shared>/.falsework-shared/<name>/versions.json   {file: version of its object}
    <shared>/.falsework-shared/<name>/leases/<run>    an empty file, as old as the last stage-in
    <shared>/.falsework-shared/<name>/replaced/…      files that may be open elsewhere

A version is the object's ETag. It is forgotten before its file is replaced and noted when the new
one is there, so what is noted is true, whenever somebody is killed. A lease ends when the run
cleans up, or by itself after ``LEASE_DAYS``: nobody can ask the dead. A file that is replaced
while runs use it keeps a name here: NFS forgets a file without one, whoever has it open.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import uuid4

from chalicelib.atomic_files import write_atomically
from chalicelib.worker.folders import make_folder_of
from chalicelib.worker.places import Place
from chalicelib.worker.removal import remove
from chalicelib.worker.sync.leavings import SHARED_NOTES

LEASE_DAYS: Final = 30
"""Longer than a job waits and runs together; our choice. What it costs is disk space, what a
shorter one may cost is an input under a running job."""

PARTIAL: Final = ".falsework-"
"""What the folders begin with into which ``sync/arriving`` downloads single objects."""


class SharedNotes:
    """The notes of the input at ``path``, an absolute path whose folder is without links."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = path.parent / SHARED_NOTES / path.name
        self._leases = self.folder / "leases"
        self._versions = self.folder / "versions.json"
        self._replaced = self.folder / "replaced"

    @property
    def are_there(self) -> bool:
        """Whether the input was ever staged in as a shared one."""
        return self.folder.is_dir()

    def lease(self, run: str, place: Place, now: datetime) -> None:
        """Say that the run uses the input from now on. A repeat renews it."""
        lease = self._leases / run
        make_folder_of(lease, place)
        handle = os.open(lease, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            os.utime(handle, (now.timestamp(), now.timestamp()))
        finally:
            os.close(handle)

    def release(self, run: str) -> None:
        """Say that the run does not use it any more."""
        (self._leases / run).unlink(missing_ok=True)

    def users(self, now: datetime) -> tuple[str, ...]:
        """Return the runs whose leases have not run out, sorted."""
        oldest = (now - timedelta(days=LEASE_DAYS)).timestamp()
        if not self._leases.is_dir():
            return ()
        with os.scandir(self._leases) as entries:
            return tuple(
                sorted(
                    entry.name
                    for entry in entries
                    if entry.stat(follow_symlinks=False).st_mtime > oldest
                )
            )

    def versions(self, source: str) -> Mapping[str, str]:
        """Return the versions by the files' names; none where they came from another source."""
        try:
            noted = json.loads(self._versions.read_bytes())
            return noted["files"] if noted["source"] == source else {}
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return {}

    def note(self, source: str, versions: Mapping[str, str]) -> None:
        """Replace the versions."""
        content = json.dumps({"source": source, "files": versions}, sort_keys=True)
        write_atomically(self._versions, content.encode())

    def keep_open(self, path: Path) -> None:
        """Give the regular file at ``path`` another name, under which nobody looks for it."""
        self._replaced.mkdir(exist_ok=True)
        with suppress(FileNotFoundError):
            if stat.S_ISREG(path.lstat().st_mode):
                (self._replaced / uuid4().hex).hardlink_to(path)

    def tidy(self, *, is_used: bool) -> None:
        """Remove what a killed download has left here, and, without users, what was replaced."""
        left = list(self.folder.glob(f"{PARTIAL}*"))
        for path in left if is_used else [*left, self._replaced]:
            remove(self.path.parent, path.relative_to(self.path.parent))

    def remove(self) -> None:
        """Remove all notes: the input is gone."""
        remove(self.path.parent, Path(SHARED_NOTES) / self.path.name)
