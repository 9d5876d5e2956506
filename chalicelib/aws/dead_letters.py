"""Dead letters: what could not be taken in, why, and the way back.

::

    refused by us, for good    ─▶ bury: an envelope with the reason ─┐
    received too often, by SQS ─▶ moved as it is ────────────────────┴▶ the dead-letter queue
                                                                              │ redrive
    the queue that it came from ◀── as it came, out of its envelope ◀─────────┘

SQS can move messages back by itself (StartMessageMoveTask), but not ours: it knows no source for
what was sent to the dead-letter queue, would leave the envelopes on, and says that it has begun,
not how many went. Here each letter is sent first and removed after: who dies in between has sent
it twice, which changes nothing, for the same content is the same run. What was received is hidden
from others meanwhile, so two redrives at a time share the letters.

A letter that fails again is buried again, perhaps while its redrive still goes on. So a redrive
takes only what was sent before it began.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from pydantic import JsonValue, ValidationError

from chalicelib.aws.inbound import Message
from chalicelib.aws.queues import Queue, Received, plain
from chalicelib.core.errors import FalseworkError, NotFound, Refused, Unavailable
from chalicelib.core.json_documents import Document
from chalicelib.core.limits import API_GATEWAY_SECONDS
from chalicelib.core.measures import Measure, Metric
from chalicelib.core.noun import Noun
from chalicelib.core.problem import problem_document, problem_of
from chalicelib.dead_letters import DeadLetter, DeadLetters, Redriven
from chalicelib.measuring import Measures, measures_nothing
from chalicelib.ports import ObjectStore

BODY_BYTES: Final = 64 * 1024
"""A refused document that is larger is put beside its dead letter."""
REASON_CHARACTERS: Final = 512
AT_ONCE: Final = 10 * API_GATEWAY_SECONDS
"""Letters that one request takes. Each costs a call of some 20 ms, or two where the document
lies beside; every ten cost two more. So ten a second are done in half of the time."""
HIDDEN_SECONDS: Final = 60
"""Longer than the one who received them works on them."""

log = logging.getLogger(__name__)


class Letter(Noun):
    """The envelope. One of ``body`` and ``body_uri`` is given."""

    reason: dict[str, JsonValue]
    """A problem document."""
    message_id: str
    number: int
    """Which document of the message."""
    origin: str = "submissions"
    """The queue of ours that the message came from."""
    body: str | None = None
    body_uri: str | None = None


class Origins(NamedTuple):
    """The queues that letters come from; None where the deployment has none."""

    submissions: Queue | None = None
    wake: Queue | None = None
    notices: Queue | None = None


class SqsDeadLetters:
    """The DeadLetters of the AWS home. Without a queue nothing is buried and nothing sent back."""

    def __init__(  # noqa: PLR0913 -- what it is made of
        self,
        queue: Queue | None,
        origins: Origins,
        objects: ObjectStore,
        bucket: str,
        clock: Callable[[], datetime],
        *,
        measure: Measures = measures_nothing,
    ) -> None:
        self._queue = queue
        self._measure = measure
        named = origins._asdict().items()
        self._origins: Mapping[str, Queue] = {name: each for name, each in named if each}
        self._objects = objects
        self._prefix = f"s3://{bucket}/dead-letters/"
        self._clock = clock

    def bury(
        self,
        message: Message,
        document: Document,
        error: FalseworkError,
        origin: str = "submissions",
    ) -> None:
        """Put the document into the dead-letter queue, with the reason. Raises Unavailable.

        Without a queue it raises too: the message stays in its own, whose redrive policy keeps it.
        """
        if self._queue is None:
            raise Unavailable("FALSEWORK_DEAD_LETTER_QUEUE_URL is not set")
        problem = problem_of(error) or problem_document(500, str(error))
        letter = Letter(
            reason=problem,
            message_id=message.id,
            number=document.number,
            origin=origin,
            **self._enclosed(message, document),
        )
        self._queue.send(
            json.dumps(letter.model_dump(exclude_none=True)),
            reason=str(problem["detail"])[:REASON_CHARACTERS],
            status=str(problem["status"]),
            message_id=message.id,
            number=str(document.number),
        )
        self._measure([Measure(Metric.DEAD_LETTERS)])

    def redrive(self) -> Redriven:
        """Send letters back, ``AT_ONCE`` at most. Raises Refused, and Unavailable half-way."""
        if self._queue is None:
            raise Refused("there are no dead letters: FALSEWORK_DEAD_LETTER_QUEUE_URL is not set")
        began_at_ms = self._clock().timestamp() * 1000
        sent: Counter[str] = Counter()
        taken = left = 0
        while taken < AT_ONCE and (letters := self._queue.receive(HIDDEN_SECONDS)):
            taken += len(letters)
            old = [letter for letter in letters if letter.sent_at_ms <= began_at_ms]
            done = {letter.handle: name for letter in old if (name := self._send_back(letter))}
            self._queue.remove(list(done))
            sent.update(done.values())
            left += len(old) - len(done)
        return Redriven(dict(sent), left, has_more=taken >= AT_ONCE)

    def listed(self, limit: int) -> tuple[DeadLetter, ...]:  # noqa: ARG002 -- the port's
        """Refuse: SQS shows a message only to who takes it."""
        raise Refused("SQS shows no messages without giving them out: look at the queue's metrics")

    def _enclosed(self, message: Message, document: Document) -> dict[str, str]:
        content = document.text.encode(errors="surrogatepass")
        if len(content) <= BODY_BYTES:
            return {"body": document.text}
        uri = f"{self._prefix}{plain(message.id)}-{document.number}.json"
        self._objects.write(uri, content)
        return {"body_uri": uri}

    def _send_back(self, received: Received) -> str | None:
        """Return the name of the queue that has it again; None for one that stays, and why."""
        try:
            if received.source is None:
                name, body, attributes = *self._opened(received.body), {}
            else:  # its sender's own words, even where they look like a letter
                name, body = self._name_of(received.source), received.body
                attributes = received.attributes
            self._origin(name).send_again(body, attributes)
        except FalseworkError as exc:
            log.warning("a dead letter stays where it is: %s", exc)
            return None
        return name

    def _opened(self, text: str) -> tuple[str, str]:
        try:
            letter = Letter.model_validate_json(text)
        except ValidationError:
            raise NotFound("nobody knows the queue that it came from") from None
        if letter.body is not None:
            return letter.origin, letter.body
        uri = letter.body_uri or ""
        if not uri.startswith(self._prefix):
            raise NotFound(f"{uri!r} is not where refused documents are put")
        return letter.origin, self._objects.read(uri).decode(errors="surrogatepass")

    def _name_of(self, source: str) -> str:
        names = [name for name, queue in self._origins.items() if queue.name == source]
        return names[0] if names else source

    def _origin(self, name: str) -> Queue:
        if name not in self._origins:
            raise NotFound(f"it came from {name!r}, which is no queue of this deployment")
        return self._origins[name]


class AllDeadLetters:
    """Several dead-letter queues as one: those that are there are emptied one after another."""

    def __init__(self, queues: Sequence[DeadLetters]) -> None:
        self._queues = queues

    def redrive(self) -> Redriven:
        """Send back what the first have, then what the others have. Raises as they do."""
        told = Redriven({}, 0, has_more=False)
        for letters in self._queues:
            more = letters.redrive()
            sent = Counter(told.sent_back) + Counter(more.sent_back)
            told = Redriven(dict(sent), told.left + more.left, more.has_more)
            if told.has_more:
                break
        return told

    def listed(self, limit: int) -> tuple[DeadLetter, ...]:
        """Refuse, as each of them does."""
        return tuple(letter for letters in self._queues for letter in letters.listed(limit))
