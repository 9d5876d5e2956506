"""A file of very many requests, taken in a part at a time.

Whoever sees the file cuts it into parts of ``AT_ONCE`` lines and sends one short message for each
to the submissions queue: the name of the version and a range of its bytes. A part's answers are an
object of its own, with one writer, which the file's receipt names; nothing is fought over. A part
that was answered is not answered again.
"""

from __future__ import annotations

import json
from itertools import islice
from typing import Final

from pydantic import ValidationError

from chalicelib.aws.inbound import Message
from chalicelib.aws.queues import Queue
from chalicelib.aws.request_bucket import RequestBucket
from chalicelib.aws.submissions import AT_ONCE
from chalicelib.core import receipts as receipt
from chalicelib.core.errors import NotFound, TooLarge
from chalicelib.core.json_documents import in_groups, read_lines
from chalicelib.core.noun import Noun
from chalicelib.core.principals import Caller
from chalicelib.core.receipts import Entry
from chalicelib.ports import Ports
from chalicelib.request_files import RequestFile, Submit, answer_lines, origin_of

KEY: Final = "falsework_request_file_part"
"""The only key of such a message; no demand has it."""


MOST_LINES: Final = 100_000
"""Requests in one file: so many parts are sent within the time and memory of one Lambda."""


class Part(Noun):
    """Some lines of a version."""

    name: str
    """Of the file, below ``requests/``."""
    version: str
    etag: str
    number: int
    first_line: int
    start: int
    end: int
    """Where its bytes begin, and where they have ended."""


def read_part(message: Message) -> Part | None:
    """Return the part that the message is about; None if it is about none."""
    try:
        document = json.loads(message.body)
        return Part.model_validate(document[KEY]) if KEY in document else None
    except (ValueError, TypeError, RecursionError, ValidationError):
        return None


class RequestParts:
    """Cuts files into parts, and takes parts in."""

    def __init__(
        self, ports: Ports, bucket: RequestBucket, queue: Queue | None, submit: Submit
    ) -> None:
        self._ports = ports
        self._bucket = bucket
        self._queue = queue
        self._submit = submit

    def split(self, file: RequestFile) -> Entry | None:
        """Send the parts; None for a file that is small, or where there is no queue."""
        content = file.content or b""
        if self._queue is None or len(list(islice(read_lines(content), AT_ONCE + 1))) <= AT_ONCE:
            return None
        parts: list[Part] = []
        count = 0
        for number, lines in enumerate(in_groups(read_lines(content), AT_ONCE), 1):
            count += len(lines)
            if count > MOST_LINES:
                return receipt.refused(_too_many(file))
            parts.append(
                Part(
                    name=file.name,
                    version=file.version,
                    etag=file.etag,
                    number=number,
                    first_line=lines[0].number,
                    start=lines[0].start,
                    end=lines[-1].end,
                )
            )
        self._queue.send_all([json.dumps({KEY: part.model_dump()}) for part in parts])
        return receipt.split(count, [self._bucket.uri(_key(part)) for part in parts])

    def take_in(self, part: Part) -> None:
        """Answer the part. Raises Unavailable, StaleRun: then it comes again."""
        if self._bucket.has(_key(part)):
            return
        try:
            content = self._bucket.read_range(
                part.name, _version_id(part), part.etag, part.start, part.end
            )
        except NotFound as exc:
            self._bucket.put(_key(part), json.dumps(receipt.refused(exc)).encode())
            return
        uri = self._bucket.uri(f"requests/{part.name}")
        caller = Caller.by("request file", uri)
        ports = self._ports._replace(caller=caller)
        lines = read_lines(content, part.first_line)
        answers = answer_lines(lines, ports, self._submit, origin_of(uri, part.version))
        self._bucket.put(_key(part), json.dumps(answers, indent=2).encode() + b"\n")


def _too_many(file: RequestFile) -> TooLarge:
    return TooLarge(
        f"{file.name} holds more than {MOST_LINES} requests",
        field="",
        value=file.size_bytes,
        mend="send it in several files",
    )


def _key(part: Part) -> str:
    return receipt.part_name(part.name, part.version, part.number)


def _version_id(part: Part) -> str:
    return "" if part.version == part.etag else part.version
