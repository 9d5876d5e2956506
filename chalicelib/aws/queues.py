"""Queues that we send to: submissions that are sent on, and what could not be taken in.

A send whose answer is lost is repeated by the SDK, and the message is there twice: whoever takes
it in must not mind.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from chalicelib.aws.client_errors import never, translated
from chalicelib.aws.inbound import Message
from chalicelib.core.errors import FalseworkError, Unavailable
from chalicelib.core.json_documents import Document
from chalicelib.core.limits import SQS_BATCH_ENTRIES, SQS_MESSAGE_BYTES
from chalicelib.core.problem import problem_document, problem_of
from chalicelib.ports import ObjectStore

BODY_BYTES: Final = 64 * 1024
"""A refused document that is larger is put beside its dead letter."""
REASON_CHARACTERS: Final = 512


class Queue:
    """An SQS queue."""

    def __init__(self, sqs: Any, url: str) -> None:
        self._sqs = sqs
        self._url = url

    def send(self, body: str, **attributes: str) -> None:
        """Send one message. Raises Unavailable."""
        told = {
            name: {"DataType": "String", "StringValue": _plain(text)}
            for name, text in attributes.items()
            if text
        }
        with translated("sending a message", never):
            self._sqs.send_message(QueueUrl=self._url, MessageBody=body, MessageAttributes=told)

    def send_all(self, bodies: Sequence[str]) -> None:
        """Send them all, as many at a time as SQS takes. Raises Unavailable; some may be sent."""
        for batch in _batches(bodies):
            entries = [
                {"Id": str(number), "MessageBody": body} for number, body in enumerate(batch)
            ]
            with translated("sending messages", never):
                answer = self._sqs.send_message_batch(QueueUrl=self._url, Entries=entries)
            if answer.get("Failed"):
                raise Unavailable(f"{len(answer['Failed'])} messages were not taken")


class DeadLetters:
    """Where a document goes that will never be a run, with the reason in words."""

    def __init__(self, queue: Queue | None, objects: ObjectStore, bucket: str) -> None:
        self._queue = queue
        self._objects = objects
        self._prefix = f"s3://{bucket}/dead-letters/"

    def bury(self, message: Message, document: Document, error: FalseworkError) -> None:
        """Send ``{"reason", "message_id", "number", "body"}``. Raises Unavailable.

        Without a queue it raises too: the message stays in its own, whose redrive policy keeps it.
        """
        if self._queue is None:
            raise Unavailable("FALSEWORK_DEAD_LETTER_QUEUE_URL is not set")
        problem = problem_of(error) or problem_document(500, str(error))
        letter: dict[str, Any] = {
            "reason": problem,
            "message_id": message.id,
            "number": document.number,
        }
        text = document.text
        if len(text.encode(errors="surrogatepass")) > BODY_BYTES:
            uri = f"{self._prefix}{_plain(message.id)}-{document.number}.json"
            self._objects.write(uri, text.encode(errors="surrogatepass"))
            letter["body_uri"] = uri
        else:
            letter["body"] = text
        self._queue.send(
            json.dumps(letter),
            reason=str(problem["detail"])[:REASON_CHARACTERS],
            status=str(problem["status"]),
            message_id=message.id,
            number=str(document.number),
        )


def fits(body: str) -> bool:
    """Tell whether SQS takes a message of that length."""
    return len(body.encode()) <= SQS_MESSAGE_BYTES


def _batches(bodies: Sequence[str]) -> Iterator[list[str]]:
    """A batch may hold as many bytes as a single message."""
    batch: list[str] = []
    size = 0
    for body in bodies:
        size += len(body.encode())
        if batch and (len(batch) == SQS_BATCH_ENTRIES or size > SQS_MESSAGE_BYTES):
            yield batch
            batch, size = [], len(body.encode())
        batch.append(body)
    if batch:
        yield batch


def _plain(text: str) -> str:
    """SQS takes no control characters in an attribute (API reference, SendMessage)."""
    printable = "".join(each if each.isprintable() else " " for each in text)
    return printable.encode(errors="replace").decode()
