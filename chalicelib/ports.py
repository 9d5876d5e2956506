"""What we need from outside, as small protocols. Each is implemented in ``aws/`` and ``local/``.

One law: **every method is harmless when repeated**, but for ``JobRunner.submit``, which only the
writer of an intent may call. Every method may raise ``Unavailable`` (the outcome is unknown, or
nothing happened); what else it raises stands beside it. The contract suites in
``tests/contract/`` say the rest, once, for every implementation.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol

from chalicelib.core.errors import Refused
from chalicelib.core.events import Event
from chalicelib.core.principals import ENGINE, Caller
from chalicelib.core.run import Run, RunRecord, RunState
from chalicelib.core.site import FileSystems, Mount, Site
from chalicelib.dead_letters import DeadLetters
from chalicelib.document_ports import Documents
from chalicelib.function_ports import Functions, JobDefinitions, NoFunctions, NothingToTakeBack
from chalicelib.job_ports import JobRunner
from chalicelib.measuring import Measures, measures_nothing
from chalicelib.notice_ports import Announcer, NoAnnouncer
from chalicelib.timing_ports import Pace, Timers
from chalicelib.tracing import Trace, traces_nothing
from chalicelib.work_calls import NoWorkCalls, WorkCalls


class RunPage(NamedTuple):
    """One page of a list, newest first; without the plans, which nobody lists."""

    runs: tuple[RunRecord, ...]
    next_cursor: str | None


class RunStore(Protocol):
    """Where runs are kept: one row or item each, saved under a version condition."""

    def load(self, run_id: str) -> Run:
        """Return the run with its plan, read consistently. Raises NotFound."""
        ...

    def load_many(self, run_ids: Collection[str]) -> tuple[Run, ...]:
        """Return those of the runs that are there, each once, in any order, with few calls.

        For who only looks: one that is being deleted is left out, as one that is gone.
        """
        ...

    def save(self, run: Run) -> Run:
        """Save ``run`` if nobody saved it since it was loaded; return it with version + 1.

        Version 0 creates it, its plan first. Raises StaleRun when the stored version differs,
        or when a run of version 0 exists already.
        """
        ...

    def list(
        self,
        *,
        group: str | None = None,
        state: RunState | None = None,
        cursor: str | None = None,
        limit: int = 50,
        created_before: datetime | None = None,
    ) -> RunPage:
        """Return a page, newest first. Raises InvalidRequest for a cursor that is not ours.

        ``created_before`` is where the list begins; what is younger is not even looked at.
        """
        ...

    def delete(self, run_id: str) -> None:
        """Remove a run, its plan and whatever else is kept of it; nothing happens if it is gone.

        Raises Conflict unless it has ended and settled, StaleRun when somebody saved it just now.
        A deletion that broke off leaves a run that loads as a Conflict and is on no list; the
        repeat ends it. Afterwards the id can be used for another run.
        """
        ...

    def due(self, now: datetime, limit: int = 100, skip: Collection[str] = ()) -> tuple[str, ...]:
        """Return ids of unsettled runs whose ``next_check_at`` has come, earliest first.

        Those in ``skip`` are left out, and what comes behind them moves up. The answer may be
        stale: load each by its key before acting on it.
        """
        ...


class Claim(NamedTuple):
    """Who may touch the data of a job."""

    job_id: str
    attempt: int


class Claims(Protocol):
    """Which of several jobs of one name works. The first to claim holds it, for good."""

    def claim(self, job_name: str, index: int, job_id: str, attempt: int) -> Claim:
        """Claim (name, array index); return the holder, which is the caller if it succeeded.

        The holder's own id may claim again with the same or a higher attempt.
        """
        ...

    def holder(self, job_name: str, index: int) -> Claim | None:
        """Return who holds it, read consistently."""
        ...


class ObjectInfo(NamedTuple):
    """One object of a listing."""

    uri: str
    size_bytes: int
    modified_at: datetime


class ObjectStore(Protocol):
    """S3, or folders. Names are ``s3://bucket/key``; an object is complete or absent."""

    def list(self, uri: str) -> Iterator[ObjectInfo]:
        """Yield the object at exactly ``uri``, if any, and those below ``uri`` + ``/``, by key.

        A bucket that does not exist lists as empty. Siblings that only share the prefix as text
        are not below it.
        """
        ...

    def read(self, uri: str) -> bytes:
        """Return the object's content. Raises NotFound."""
        ...

    def write(self, uri: str, content: bytes) -> None:
        """Put the object, replacing one that is there."""
        ...

    def download(self, uri: str, path: Path) -> None:
        """Write the object to a file, by a temporary name and a rename. Raises NotFound."""
        ...

    def upload(self, path: Path, uri: str) -> None:
        """Put the file's content, replacing an object that is there."""
        ...

    def remove(self, uri: str) -> None:
        """Remove the object at exactly ``uri``; nothing happens if there is none."""
        ...


class Facilities(Protocol):
    """What the deployment has: file systems, queues, images."""

    def file_systems(self) -> FileSystems:
        """Return every file system and access point that can be named."""
        ...

    def has_queue(self, name: str) -> bool:
        """Return whether jobs can be submitted to the queue of that name or ARN."""
        ...

    def resolve_image(self, image: str) -> str:
        """Return the image as a registry knows it. Raises NotFound."""
        ...

    def write_file(self, path: str, content: bytes) -> None:
        """Write a file at ``fs-…:/path`` that every user may read: a job's is not known here.

        Raises Refused where the file system is not mounted here.
        """
        ...


class Start(Protocol):
    """Starting a run of a kind."""

    def __call__(self, kind: str, document: object, ports: Ports, /) -> Run:
        """Return the run; the same again if it is there. Raises what a submission raises."""
        ...


class Tell(Protocol):
    """Handing an event to a run."""

    def __call__(self, event: Event, ports: Ports, /) -> Run:
        """Return the run as it is saved then. Raises what handling an event raises."""
        ...


def starts_nothing(kind: str, document: object, ports: Ports, /) -> Run:  # noqa: ARG001
    """Refuse: this home starts no runs of runs."""
    raise Refused(f"no run of the kind {kind} can be started here")


def tells_nobody(event: Event, ports: Ports, /) -> Run:  # noqa: ARG001
    """Refuse: as ``starts_nothing``."""
    raise Refused(f"run {event.run_id} cannot be told anything from here")


class Ports(NamedTuple):
    """Everything from outside that the engine is given."""

    runs: RunStore
    claims: Claims
    jobs: JobRunner
    objects: ObjectStore
    facilities: Facilities
    timers: Timers
    pace: Pace
    dead_letters: DeadLetters
    documents: Documents
    site: Site
    clock: Callable[[], datetime]
    """UTC, aware."""
    mint_uid: Callable[[], str]
    """20 fresh base32 characters, ``[a-z2-7]``."""
    mounts: tuple[Mount, ...] = ()
    """File systems that are mounted where scaffolding is prepared."""
    pause: Callable[[float], None] = time.sleep
    """Waits that many seconds before a lost save is decided again; under a second each."""
    caller: Caller = ENGINE
    """On whose behalf; audits name it."""
    functions: Functions = NoFunctions()
    definitions: JobDefinitions = NothingToTakeBack()
    works: WorkCalls = NoWorkCalls()
    """What runs of the kind ``work`` ask of the work queue; the engine knows no more of it."""
    start: Start = starts_nothing
    """Starts a run of a kind, as its own way in does: for runs that start others."""
    tell: Tell = tells_nobody
    """Hands an event to another run, as the engine does."""
    parent: str | None = None
    """The run on whose behalf others are started."""
    root: str | None = None
    """The uid of the run that all of them go back to."""
    measure: Measures = measures_nothing
    """Where it is counted what happens to runs (``core/measures.py``)."""
    trace: Trace = traces_nothing
    """Where it is kept how long that took."""
    announcer: Announcer = NoAnnouncer()
