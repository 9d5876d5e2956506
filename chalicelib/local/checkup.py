"""The check-up of an embedded home. It only looks: a folder that is not there is not made, and
the database is opened for reading, so that it is not brought up to date by being looked at.
"""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from chalicelib.core.errors import Misconfigured
from chalicelib.core.findings import Finding, fault, fine, judged, warning
from chalicelib.local.engine_lock import EngineLock
from chalicelib.local.sandbox import choose
from chalicelib.local.schema import STEPS
from chalicelib.settings import HostEnvironment, Settings

FULL_BYTES: Final = 256 * 1024**2
"""SQLite needs room for its log, and a job for what it writes."""
NEARLY_FULL: Final = 0.05
OLDEST: Final = (3, 11)
_DRIVE: Final = "falsework serve"
_OPEN: Final = "SELECT count(*) FROM runs WHERE next_check_at IS NOT NULL"
_JOBS: Final = "SELECT count(*) FROM jobs WHERE status IN ('STARTING', 'RUNNING')"


def check_up(settings: Settings, host: HostEnvironment) -> Iterator[Finding]:
    """Yield what is found, one thing after the other."""
    version = platform.python_version()
    yield judged("python", sys.version_info >= OLDEST, version, version, "use 3.11 or later")
    yield _sandbox(settings, host)
    root = settings.root.resolve()
    if not root.is_dir():
        yield fine("root", f"{root} is not there yet; the first command makes it")
        return
    yield _root(root)
    yield _room(root)
    database = root / "falsework.db"
    if database.is_file():
        yield from _database(database, EngineLock(root))
    else:
        yield fine("database", "there is none yet")


def _sandbox(settings: Settings, host: HostEnvironment) -> Finding:
    try:
        mode = choose(settings.runner, host)
    except Misconfigured as exc:
        return fault("sandbox", str(exc), "choose another one with --runner")
    if mode == "host":
        says = "jobs run as they are, see all files, and know only the host's own paths"
        return warning("sandbox", says, "install bubblewrap, or choose --runner docker")
    return fine("sandbox", mode)


def _root(root: Path) -> Finding:
    may = os.access(root, os.R_OK | os.W_OK | os.X_OK)
    has_blanks = any(character.isspace() for character in str(root))
    bad = "its path has blanks" if has_blanks else "it cannot be written"
    mend = "choose another one with --root" if has_blanks else f"chown or chmod {root}"
    return judged("root", may and not has_blanks, str(root), f"{root}: {bad}", mend)


def _room(root: Path) -> Finding:
    room = shutil.disk_usage(root)
    says = f"{room.free / 1024**3:.1f} GiB free of {room.total / 1024**3:.1f}"
    mend = "make room: falsework paths outdated, or delete runs that nobody needs"
    if room.free < FULL_BYTES:
        return fault("disk", says, mend)
    is_low = room.free < NEARLY_FULL * room.total
    return warning("disk", says, mend) if is_low else fine("disk", says)


def _database(path: Path, lock: EngineLock) -> Iterator[Finding]:
    copy = f"keep a copy of {path}, then: sqlite3 {path} .recover | sqlite3 new.db"
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            said = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            yield judged("database", said == "ok", "it is whole", f"it is damaged: {said}", copy)
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            yield _schema(version)
            if not 0 < version <= len(STEPS):
                return
            unsettled, jobs = (
                int(connection.execute(query).fetchone()[0]) for query in (_OPEN, _JOBS)
            )
    except sqlite3.DatabaseError as exc:
        yield fault("database", f"it cannot be read: {exc}", copy)
        return
    yield _engine(lock, unsettled, jobs)


def _schema(version: int) -> Finding:
    if version > len(STEPS):
        says = f"{version}, of a later version of Falsework; this one knows {len(STEPS)}"
        return fault("schema", says, "use that version")
    late = "" if version == len(STEPS) else "; the next command brings it up to date"
    return fine("schema", f"{version} of {len(STEPS)}{late}")


def _engine(lock: EngineLock, unsettled: int, jobs: int) -> Finding:
    """The lock is free again at once; who stands by for it tries every second."""
    if not lock.acquire():
        return fine("engine", f"somebody drives {unsettled} unsettled runs")
    lock.release()
    if not unsettled and not jobs:
        return fine("engine", "nobody drives, and there is nothing to do")
    says = f"nobody drives {unsettled} unsettled runs, and {jobs} jobs are left over from before"
    return warning("engine", says, f"{_DRIVE}: it takes both up")
