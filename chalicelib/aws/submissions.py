"""Submissions that come through a queue: one document to a message, or many.

::

    a message ─┬─ part of a request file ──────────────────▶ request_parts
               ├─ more than AT_ONCE documents ──────────▶ sent on, a few to a message
               └─ each document ─┬─ accepted
                                 ├─ will never be a run ─▶ dead-letter queue, with its reason
                                 └─ nobody knows ────────▶ the message comes again

What is refused is buried only when all else of its message is done, so that a message that comes
again does not bury twice. A message that comes again finds its runs: same content, same run.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, Final

from chalicelib.aws.dead_letters import SqsDeadLetters
from chalicelib.aws.inbound import Message
from chalicelib.aws.queues import Queue, fits
from chalicelib.core.errors import FalseworkError, Misconfigured, StaleRun, Unavailable
from chalicelib.core.json_documents import Document, read_documents
from chalicelib.core.kind_submissions import kind_of, named
from chalicelib.core.principals import Caller
from chalicelib.log_ids import about
from chalicelib.ports import Ports
from chalicelib.request_files import Submit

AT_ONCE: Final = 25
"""Documents that one message may hold. A submission takes some 25 calls, under half a second;
ten messages of 25 take two minutes, and the handler has five."""

log = logging.getLogger(__name__)


class Submissions:
    """Takes in the messages of the submissions queue."""

    def __init__(
        self, ports: Ports, queue: Queue | None, dead_letters: SqsDeadLetters, submit: Submit
    ) -> None:
        self._ports = ports
        self._queue = queue
        self._dead_letters = dead_letters
        self._submit = submit

    def take_in(self, message: Message) -> None:
        """Take in one message. Raises what it was that nobody could foresee, or Unavailable."""
        documents = read_documents(message.body.encode(errors="surrogatepass"))
        good = [document for document in documents if document.problem is None]
        if len(good) > AT_ONCE and self._send_on(message, good):
            documents = [document for document in documents if document.problem is not None]
        trouble: Exception | None = None
        refused: list[tuple[Document, FalseworkError]] = []
        for document in documents:
            try:
                self._take_one(message, document)
            except (Unavailable, StaleRun, Misconfigured) as exc:
                trouble = exc
            except FalseworkError as exc:
                refused.append((document, exc))
            except Exception as exc:
                log.exception("document %d of message %s", document.number, message.id)
                trouble = exc
        if trouble is not None:
            raise trouble
        for document, error in refused:
            log.warning("document %d of message %s is refused", document.number, message.id)
            self._dead_letters.bury(message, document, error)

    def _take_one(self, message: Message, document: Document) -> None:
        if document.problem is not None:
            raise document.problem
        caller = Caller.by("submissions queue", f"message {message.id}")
        ports = self._ports._replace(caller=caller)
        run = self._submit(document.value, ports, _origin(message, document))
        log.info("message %s is accepted", message.id, extra={"run_id": run.id})

    def _send_on(self, message: Message, documents: Sequence[Document]) -> bool:
        """Put the documents into messages of their own; False where that cannot be done."""
        rest = iter(documents)
        bodies = []
        while group := list(islice(rest, AT_ONCE)):
            bodies.append("\n".join(_text(message, document) for document in group))
        if self._queue is None or not all(map(fits, bodies)):
            return False
        self._queue.send_all(bodies)
        return True


def _origin(message: Message, document: Document) -> str:
    return f"{message.id}#{document.number}"


def _text(message: Message, document: Document) -> str:
    """Return the document for a message of its own: what names no run is named after this one,
    for this one may come again and be sent on again."""
    kind = kind_of(document.value)
    if kind is None or document.value is None or "run_id" in document.value:
        return document.text
    return json.dumps(named(document.value, kind, _origin(message, document)))


def answer(failed: Sequence[str], count: int, *, is_reported: bool) -> dict[str, Any] | None:
    """Return what tells SQS which messages come again; raises where it would not listen.

    Without ReportBatchItemFailures on the mapping Lambda ignores the list, and the messages would
    be deleted (Lambda developer guide, "Handling errors for an SQS event source").
    """
    if is_reported:
        return {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}
    if failed:
        raise Unavailable(f"{len(failed)} of {count} messages could not be taken in yet")
    return None


def each(messages: Sequence[Message], take_in: Callable[[Message], None]) -> list[str]:
    """Take in every message; return the ids of those that must come again.

    An entry point: whatever is wrong with one message is logged and disturbs no neighbour.
    """
    failed = []
    for message in messages:
        with about(correlation_id=message.id):
            if not _is_taken_in(message, take_in):
                failed.append(message.id)
    return failed


def _is_taken_in(message: Message, take_in: Callable[[Message], None]) -> bool:
    try:
        take_in(message)
    except (Unavailable, StaleRun):
        log.warning("message %s comes again", message.id, exc_info=True)
        return False
    except Exception:
        log.exception("message %s comes again", message.id)
        return False
    return True
