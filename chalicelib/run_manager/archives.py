"""All files of a run in one tar.gz.

Where we hand bytes out ourselves it is made while it is sent. On AWS the answer is a link, so a
small one is made in the call and kept in the scratch bucket, below ``archives/``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from chalicelib.core.errors import NotFound, TooLarge
from chalicelib.core.flowserv.archive import Member, archive_name, archived
from chalicelib.core.run import RunRecord, RunState
from chalicelib.file_ports import Contents
from chalicelib.ports import Ports
from chalicelib.run_manager.files import list_files

MIME_TYPE: Final = "application/gzip"
MADE_IN_A_CALL_BYTES: Final = 64 * 1024 * 1024
"""A Lambda of 512 MB has a third of a processor and packs some 8 MB a second; API Gateway waits
for 29 seconds."""


def archive(run: RunRecord, ports: Ports, contents: Contents) -> Iterator[bytes]:
    """Return the bytes of the archive, made as they are asked for. Raises NotFound at once."""
    return archived(_members(run, ports, contents))


def archive_link(run: RunRecord, ports: Ports, contents: Contents) -> str | None:
    """Return a link to the archive, which is made unless it is there; None without links.

    Raises NotFound, and TooLarge for what cannot be packed while somebody waits.
    """
    uri = archive_uri(run, ports)
    link = contents.link(uri, archive_name(run.id), MIME_TYPE)
    if link is None:
        return None
    members = _members(run, ports, contents)
    if next(iter(ports.objects.list(uri)), None) is None:
        _keep(uri, members, ports)
    return link


def archive_uri(run: RunRecord, ports: Ports) -> str:
    """Return where the archive of the run's generation is kept."""
    name = f"{run.uid}-{run.generation}.tar.gz"
    return f"s3://{ports.site.scratch_bucket}/archives/{run.id}/{name}"


def _members(run: RunRecord, ports: Ports, contents: Contents) -> tuple[Member, ...]:
    if run.state is not RunState.SUCCESS:
        raise NotFound(f"run {run.id!r} is {run.state}: only one in SUCCESS has an archive")
    return tuple(
        Member(file.key, file.size_bytes, contents.chunks(file.uri))
        for file in list_files(run, ports)
    )


def _keep(uri: str, members: tuple[Member, ...], ports: Ports) -> None:
    size = sum(member.size_bytes for member in members)
    if size > MADE_IN_A_CALL_BYTES:
        raise TooLarge(
            f"the files have {size} bytes together; an archive is made of {MADE_IN_A_CALL_BYTES}"
            " at most",
            mend="take the files one by one: their list is at /runs/<id>/files",
        )
    with TemporaryDirectory() as folder:
        path = Path(folder) / "archive"
        with path.open("wb") as file:
            file.writelines(archived(members))
        ports.objects.upload(path, uri)
