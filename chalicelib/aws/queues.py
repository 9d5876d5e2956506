"""Queues that we send to, and the one of dead letters, that we take from as well.

A send whose answer is lost is repeated by the SDK, and the message is there twice: whoever takes
it in must not mind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from chalicelib.aws.client_errors import never, translated
from chalicelib.core.errors import Unavailable
from chalicelib.core.limits import SQS_BATCH_ENTRIES, SQS_MESSAGE_BYTES

WAIT_SECONDS: Final = 1
"""Asked to wait, SQS looks at all of its servers; else at some, and may overlook what is there
(Amazon SQS developer guide, "short and long polling")."""


class Received(NamedTuple):
    """A message that was taken from a queue, and comes back unless it is removed."""

    handle: str
    body: str
    attributes: dict[str, Any]
    """Those that its sender gave it, in SQS's own form."""
    source: str | None
    """The queue that SQS itself moved it from, after it was received too often."""
    sent_at_ms: int
    """When it was first sent, in milliseconds since 1970."""


class Queue:
    """An SQS queue."""

    def __init__(self, sqs: Any, url: str) -> None:
        self._sqs = sqs
        self._url = url

    @property
    def name(self) -> str:
        """The last part of the URL, as of the ARN."""
        return self._url.rsplit("/", 1)[-1]

    def send(self, body: str, **attributes: str) -> None:
        """Send one message. Raises Unavailable."""
        told = {
            name: {"DataType": "String", "StringValue": plain(text)}
            for name, text in attributes.items()
            if text
        }
        self.send_again(body, told)

    def send_again(self, body: str, attributes: Mapping[str, Any]) -> None:
        """Send a message with attributes as they were received. Raises Unavailable."""
        with translated("sending a message", never):
            self._sqs.send_message(
                QueueUrl=self._url, MessageBody=body, MessageAttributes=dict(attributes)
            )

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

    def receive(self, hidden_seconds: int) -> list[Received]:
        """Take up to ten; nobody else sees them for so long. Raises Unavailable."""
        with translated("receiving messages", never):
            answer = self._sqs.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=SQS_BATCH_ENTRIES,
                VisibilityTimeout=hidden_seconds,
                WaitTimeSeconds=WAIT_SECONDS,
                MessageSystemAttributeNames=["DeadLetterQueueSourceArn", "SentTimestamp"],
                MessageAttributeNames=["All"],
            )
        return [_received(message) for message in answer.get("Messages", [])]

    def hide(self, handle: str, seconds: int) -> None:
        """Let one that was received come again only after so long. Raises Unavailable."""
        with translated("putting a message off", never):
            self._sqs.change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=handle, VisibilityTimeout=seconds
            )

    def remove(self, handles: Sequence[str]) -> None:
        """Remove up to ten that were received. Raises Unavailable; some may be removed."""
        if not handles:
            return
        entries = [
            {"Id": str(number), "ReceiptHandle": handle} for number, handle in enumerate(handles)
        ]
        with translated("removing messages", never):
            answer = self._sqs.delete_message_batch(QueueUrl=self._url, Entries=entries)
        if answer.get("Failed"):
            raise Unavailable(f"{len(answer['Failed'])} messages were not removed")


def queue_at(clients: Any, url: str) -> Queue | None:
    """Return the queue of that URL; None for an empty one. ``clients`` gives one by its name."""
    return Queue(clients.get("sqs"), url) if url else None


def fits(body: str) -> bool:
    """Tell whether SQS takes a message of that length."""
    return len(body.encode()) <= SQS_MESSAGE_BYTES


def plain(text: str) -> str:
    """Return the text as SQS takes it in an attribute: without control characters.

    Amazon SQS API reference, SendMessage.
    """
    printable = "".join(each if each.isprintable() else " " for each in text)
    return printable.encode(errors="replace").decode()


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


def _received(message: Mapping[str, Any]) -> Received:
    told = message.get("Attributes", {})
    arn = told.get("DeadLetterQueueSourceArn")
    return Received(
        handle=message["ReceiptHandle"],
        body=message["Body"],
        attributes=message.get("MessageAttributes", {}),
        source=arn and arn.rsplit(":", 1)[-1],
        sent_at_ms=int(told.get("SentTimestamp", 0)),
    )
