"""Requests that are dropped as files, whatever home they are dropped in.

What stands in a receipt is never submitted again. Between submitting and writing the receipt
lies a gap; who falls into it submits the same content again, which is the same run. A receipt is
written only if nobody changed it since it was read, so that of two versions that are answered at
the same time neither is lost.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, Protocol

from chalicelib.core import receipts as receipt
from chalicelib.core.costs import brief, cost_of
from chalicelib.core.errors import FalseworkError, Misconfigured, StaleRun, Unavailable
from chalicelib.core.json_documents import Line, read_document, read_lines
from chalicelib.core.json_text import read_request, too_large
from chalicelib.core.limits import LAMBDA_PAYLOAD_BYTES
from chalicelib.core.principals import Caller
from chalicelib.core.receipts import Entry
from chalicelib.core.run import Run
from chalicelib.ports import Ports

BULK_BYTES: Final = 64 * 1024 * 1024
"""Largest file of many requests: its text and its lines fit into a Lambda of 512 MiB."""
TRIES: Final = 10
PAUSE_SECONDS: Final = 0.02
"""Longest pause before the second try to write a receipt; it doubles up to half a second."""

log = logging.getLogger(__name__)

Submit = Callable[[object, Ports, str], Run]
"""What takes in a document of any kind; the text tells the document from all others."""


class RequestFile(NamedTuple):
    """One version of a file that was dropped."""

    name: str
    """Below ``requests/``."""
    uri: str
    version: str
    content: bytes | None
    """None: larger than ``limit_bytes`` says, and not read."""
    size_bytes: int
    etag: str = ""
    """Of the object, where the store has such a thing."""


class Stored(NamedTuple):
    """A receipt as it is kept, and what tells whether it was changed since."""

    content: bytes | None
    tag: str | None


class Receipts(Protocol):
    """Where receipts are kept, by the names of their request files."""

    def load(self, name: str) -> Stored:
        """Return the receipt, read consistently; without content where there is none."""
        ...

    def save(self, name: str, content: bytes, tag: str | None) -> None:
        """Write it if it is still the one with that tag. Raises StaleRun if it is not."""
        ...


def origin_of(uri: str, version: str) -> str:
    """Return what tells this version of this file from every other."""
    return f"{uri}?{version}"


def limit_bytes(name: str) -> int:
    """Return how large a request file of that name may be."""
    return BULK_BYTES if name.endswith(receipt.MANY) else LAMBDA_PAYLOAD_BYTES


def answer(
    file: RequestFile,
    receipts: Receipts,
    ports: Ports,
    submit: Submit,
    split: Callable[[RequestFile], Entry | None] = lambda _: None,
) -> bool:
    """Answer the version in its receipt; return False if it had been answered before.

    ``split`` may see to a file of many requests in some other way, and says what that is. Raises
    Unavailable and StaleRun where it is not known what became of the file: then it comes again.
    """
    ports = ports._replace(caller=Caller.by("request file", file.uri))
    outcome: Entry | None = None
    for lost in range(TRIES):
        stored = receipts.load(file.name)
        entries = receipt.read_receipt(stored.content)
        if stored.content and not entries:
            log.warning("the receipt of %s is not one of ours; it is written anew", file.uri)
        if file.version in {entry["version"] for entry in entries}:
            return False
        outcome = outcome or {**_seen(file, ports), **_outcome(file, ports, submit, split)}
        try:
            content = receipt.write_receipt(file.uri, [*entries, outcome])
            receipts.save(file.name, content, stored.tag)
        except StaleRun:
            ports.pause(random.uniform(0, min(0.5, PAUSE_SECONDS * 2**lost)))  # noqa: S311
        else:
            return True
    raise StaleRun(f"the receipt of {file.uri} was written by others {TRIES} times in a row")


def answer_lines(lines: Iterable[Line], ports: Ports, submit: Submit, origin: str) -> Entry:
    """Submit what stands on each line of ``origin``; return what became of them all."""
    answers: list[Entry] = []
    for document in map(read_document, lines):
        if document.problem is not None:
            outcome = receipt.refused(document.problem)
        else:
            outcome = _submitted(document.value, ports, submit, f"{origin}#{document.number}")
        answers.append({"line": document.number, **outcome})
    return receipt.read(answers)


def _seen(file: RequestFile, ports: Ports) -> Entry:
    seen = {"version": file.version, "seen_at": ports.clock().isoformat()}
    return {**seen, "etag": file.etag} if file.etag else seen


def _outcome(
    file: RequestFile,
    ports: Ports,
    submit: Submit,
    split: Callable[[RequestFile], Entry | None],
) -> Entry:
    if file.content is None:
        return receipt.refused(too_large(file.size_bytes, limit_bytes(file.name)))
    if file.name.endswith(receipt.MANY):
        return split(file) or answer_lines(
            read_lines(file.content), ports, submit, origin_of(file.uri, file.version)
        )
    try:
        document = read_request(file.content)
    except FalseworkError as exc:
        return receipt.refused(exc)
    return _submitted(document, ports, submit, origin_of(file.uri, file.version))


def _submitted(document: object, ports: Ports, submit: Submit, origin: str) -> Entry:
    try:
        run = submit(document, ports, origin)
    except (Unavailable, StaleRun, Misconfigured):
        raise
    except FalseworkError as exc:
        return receipt.refused(exc)
    if run.settled_at is None:
        return receipt.accepted(run.id)
    return receipt.accepted(run.id, brief(cost_of(run, ports.site.prices, ports.clock())))
