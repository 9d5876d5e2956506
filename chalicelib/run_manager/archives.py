"""All files of a run in one tar.gz.

Where we hand bytes out ourselves it is made while it is sent. On AWS the answer is a link, so it
is made before, once, and kept in the scratch bucket for ``Site.archive_days``::

    kept and young enough ─────────────────────────────▶ Link
    little: made while the client waits ───────────────▶ Link
    much: a run of kind "archive", by its name only one ─▶ Making, until it is kept

That run belongs to the group whose files it packs. Should its archive be gone it is rolled back
and makes it again; where it failed somebody has to look first, and to resume it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Final, NamedTuple

from chalicelib.accepting import accept, begin_again, check_group, check_queue
from chalicelib.core.errors import Conflict, NotFound, StaleRun
from chalicelib.core.events import RollbackRequested, RunRequested
from chalicelib.core.flowserv.archive import (
    ARCHIVES,
    Member,
    archive_name,
    archived,
    most_bytes,
)
from chalicelib.core.flowserv.files import RunFile, outputs_of
from chalicelib.core.plans.archives import FIRST_STAGE, KIND, archive_run_id, plan_archive
from chalicelib.core.run import Run, RunRecord, RunState
from chalicelib.core.uses import Listed, Use
from chalicelib.core.worker_documents import ArchivedOutput, ArchiveOrder
from chalicelib.file_ports import Contents
from chalicelib.ports import Ports
from chalicelib.run_manager.files import declared_keys, list_files

MIME_TYPE: Final = "application/gzip"
MADE_IN_A_CALL_BYTES: Final = 64 * 1024 * 1024
"""A Lambda of 512 MB has a third of a processor and packs some 8 MB a second; API Gateway waits
for 29 seconds."""
MADE_IN_A_CALL_FILES: Final = 500
"""Each is a request to S3 of some 20 ms."""


class Link(NamedTuple):
    """The archive is kept, and can be had from here for a few minutes."""

    url: str


class Making(NamedTuple):
    """A run is making the archive."""

    run: Run


class Stream(NamedTuple):
    """The archive, made as it is read."""

    chunks: Iterator[bytes]


def archive_of(run: Run, ports: Ports, contents: Contents) -> Link | Making | Stream:
    """Return the archive, or who makes it.

    Raises NotFound unless the run has succeeded, Conflict where the making has failed, and what
    a submission raises where the group may have no more jobs.
    """
    if run.state is not RunState.SUCCESS:
        raise NotFound(f"run {run.id!r} is {run.state}: only one in SUCCESS has an archive")
    uri = archive_uri(run, ports)
    link = contents.link(uri, archive_name(run.id), MIME_TYPE)
    if link is None:
        return Stream(archived(_members(list_files(run, ports), contents)))
    if is_kept(uri, ports):
        return Link(link)
    files = list_files(run, ports)
    if _is_little(files):
        pack(files, uri, contents)
        return Link(link)
    making = _made(run, uri, ports)
    return Link(link) if making is None else Making(making)


def archive_uri(run: RunRecord, ports: Ports) -> str:
    """Return where the archive of the run's generation is kept."""
    name = f"{run.uid}-{run.generation}.tar.gz"
    return f"s3://{ports.site.scratch_bucket}/{ARCHIVES}/{run.id}/{name}"


def is_kept(uri: str, ports: Ports) -> bool:
    """Tell whether the archive is there, and will be for a while."""
    found = next(iter(ports.objects.list(uri)), None)
    days = timedelta(days=ports.site.archive_days)
    return found is not None and found.modified_at + days > ports.clock()


def pack(files: Sequence[RunFile], uri: str, contents: Contents) -> int:
    """Make the archive of these files an object; return its size. Raises NotFound, Unavailable."""
    size = sum(file.size_bytes for file in files)
    pieces = archived(_members(files, contents))
    return contents.put(uri, pieces, most_bytes(size, len(files)))


def _members(files: Iterable[RunFile], contents: Contents) -> Iterator[Member]:
    return (Member(file.key, file.size_bytes, contents.chunks(file.uri)) for file in files)


def _is_little(files: Sequence[RunFile]) -> bool:
    size = sum(file.size_bytes for file in files)
    return size <= MADE_IN_A_CALL_BYTES and len(files) <= MADE_IN_A_CALL_FILES


def _made(run: Run, uri: str, ports: Ports) -> Run | None:
    """Return the run that makes the archive, begun unless it was; None when it has just ended."""
    try:
        making = ports.runs.load(archive_run_id(run))
    except NotFound:
        return _begun(run, uri, ports)
    if making.kind != KIND:
        raise Conflict(
            f"{making.id} is no run that makes an archive; delete it, or take the files one by one"
        )
    if not making.is_terminal:
        return making
    if making.state is RunState.SUCCESS:
        return None if is_kept(uri, ports) else _begun_again(making, ports)
    why = making.error.message if making.error else "nobody says why"
    raise Conflict(
        f"the archive could not be made: {why}; to try again resume the run {making.id}, or take"
        " the files one by one"
    )


def _begun(run: Run, uri: str, ports: Ports) -> Run:
    queue = ports.site.default_job_queue
    use = Use("site.default_job_queue", Listed.QUEUE, queue)
    check_group(run.group, [use], ports)
    check_queue(use.field, queue, ports)
    outputs = (ArchivedOutput(**output._asdict()) for output in outputs_of(run))
    order = ArchiveOrder(
        run_id=run.id,
        outputs=tuple(outputs),
        keys=declared_keys(run, ports.site),
        destination=uri,
    )
    uid, run_id = ports.mint_uid(), archive_run_id(run)
    event = RunRequested(
        run_id=run_id,
        at=ports.clock(),
        uid=uid,
        kind=KIND,
        group=run.group,
        plan=plan_archive(order, run_id, uid, ports.site),
    )
    return accept(event, ports)


def _begun_again(making: Run, ports: Ports) -> Run:
    event = RollbackRequested(
        run_id=making.id, at=ports.clock(), stage=FIRST_STAGE, generation=making.generation
    )
    try:
        return begin_again(event, ports)
    except (Conflict, StaleRun):  # somebody else was faster
        return ports.runs.load(making.id)
