"""Answers that are files: a redirect to where they lie, or their bytes, piece by piece.

Chalice's answers are texts in memory. So a route leaves a download at the door, and whoever let
the request in (``Gateway``) takes it from there instead of Chalice's answer. Lambda has no such
door: there every file has a link.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final, NamedTuple, assert_never
from urllib.parse import quote

from chalice.app import Request, Response

from chalicelib import audits
from chalicelib.core.errors import Refused
from chalicelib.core.flowserv.archive import archive_name
from chalicelib.core.flowserv.files import RunFile
from chalicelib.core.run import Run
from chalicelib.file_ports import Contents
from chalicelib.run_manager import archives, files, removal
from chalicelib.web import asked
from chalicelib.web.answers import json_answer
from chalicelib.web.byte_ranges import Part, Unsatisfiable, part_of

UNKNOWN_TYPE: Final = "application/octet-stream"
LATER_SECONDS: Final = 15
"""When to ask again for an archive that is being made: a job takes half a minute to start."""


class Download(NamedTuple):
    """An answer whose body is not in memory."""

    status: HTTPStatus
    headers: dict[str, str]
    size_bytes: int | None
    """None: nobody knows before the end."""
    chunks: Iterable[bytes]


class Door:
    """Where a route leaves what it has to say."""

    def __init__(self) -> None:
        self.left: Download | None = None


class _Doors(threading.local):
    door: Door | None = None


_doors = _Doors()


@contextmanager
def open_door() -> Iterator[Door]:
    """Lend a door to the request that this thread is about to hand on."""
    door = Door()
    _doors.door = door
    try:
        yield door
    finally:
        _doors.door = None


def sent(download: Download) -> Response:
    """Leave the download at the door. Raises Refused where there is none."""
    if _doors.door is None:
        raise Refused("files cannot be handed out here")
    _doors.door.left = download
    return Response(body="", headers={"Content-Type": "text/plain"})


def linked(link: str) -> Response:
    """Answer a redirect to a link that nobody may keep."""
    return Response(
        body="",
        headers={"Location": link, "Cache-Control": "no-store", "Content-Type": "text/plain"},
        status_code=HTTPStatus.TEMPORARY_REDIRECT,
    )


def _file_answer(request: Request, file: RunFile, contents: Contents) -> Response:
    """Answer the file, or the part of it that the request's Range asks for."""
    mime_type = file.mime_type or UNKNOWN_TYPE
    headers = {**attachment(_name(file), mime_type), "Accept-Ranges": "bytes"}
    try:
        part = None if "if-range" in request.headers else _part(request, file)
    except Unsatisfiable:
        headers["Content-Range"] = f"bytes */{file.size_bytes}"
        return sent(Download(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers, 0, ()))
    if part is None:
        whole = contents.chunks(file.uri)
        return sent(Download(HTTPStatus.OK, headers, file.size_bytes, whole))
    headers["Content-Range"] = f"bytes {part.start}-{part.end - 1}/{file.size_bytes}"
    length = part.end - part.start
    chunks = contents.chunks(file.uri, part.start, length)
    return sent(Download(HTTPStatus.PARTIAL_CONTENT, headers, length, chunks))


def run_file_answer(
    request: Request, run: Run, *, file_id: str | None = None, key: str | None = None
) -> Response:
    """Answer the content of one of the run's files, found by its id or its key."""
    ports, contents = asked.ports(), asked.contents()
    file = files.get_file(run, ports, file_id=file_id, key=key)
    link = contents.link(file.uri, _name(file), file.mime_type or UNKNOWN_TYPE)
    if link is None:
        return _file_answer(request, file, contents)
    audits.note(run.id, "link", ports, detail=file.key)
    return linked(link)


def archive_answer(run: Run, runs: str) -> Response:
    """Answer the archive of a run, by a link where there are any.

    202 while a run makes it: the same request comes to the archive later. ``runs`` is the path
    below which whoever asks sees runs.
    """
    ports = asked.ports()
    found = archives.archive_of(run, ports, asked.contents())
    match found:
        case archives.Link():
            audits.note(run.id, "archive", ports)
            return linked(found.url)
        case archives.Making():
            return _later(found.run, runs)
        case archives.Stream():
            headers = attachment(archive_name(run.id), archives.MIME_TYPE)
            return sent(Download(HTTPStatus.OK, headers, None, found.chunks))
        case _:
            assert_never(found)


def deleted(run_id: str, *, with_files: bool) -> Response:
    """Delete the run, and its outputs if they are to go: 204."""
    removal.delete(run_id, asked.ports(), with_files=with_files)
    return Response(body="", status_code=HTTPStatus.NO_CONTENT)


def _later(making: Run, runs: str) -> Response:
    return json_answer(
        {"run": making.id, "state": making.state},
        HTTPStatus.ACCEPTED,
        Location=f"{runs}/{quote(making.id, safe='')}",
        Retry_After=str(LATER_SECONDS),
    )


def attachment(name: str, mime_type: str) -> dict[str, str]:
    """Return the headers of a file that is saved, and never shown as a page of ours."""
    return {
        "Content-Type": mime_type,
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
        "X-Content-Type-Options": "nosniff",
    }


def _name(file: RunFile) -> str:
    return file.key.rpartition("/")[2]


def _part(request: Request, file: RunFile) -> Part | None:
    return part_of(request.headers.get("range"), file.size_bytes)
