"""Notices on AWS: sent to a queue when a run announces, and delivered from there.

::

    announce ─▶ the notices queue ─▶ on_notice ─┬▶ SES, SNS, EventBridge, a webhook
                  ▲        ▲                    ├─ not now: again after a pause that doubles
                  │        └────────────────────┘
                  │  redrive                    └─ hopeless, or too often ─┐
                  └───────────────────────────── their own dead letters ◀──┘

Every target has a message of its own, so that none of them waits for another. A message that
comes twice is delivered twice; the notice's id tells.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any, Final, assert_never

from pydantic import ValidationError

from chalicelib.aws.client_errors import THROTTLED, is_no, translated
from chalicelib.aws.dead_letters import SqsDeadLetters
from chalicelib.aws.inbound import Message, read_messages
from chalicelib.aws.queues import Queue
from chalicelib.aws.submissions import each
from chalicelib.core.errors import (
    FalseworkError,
    InvalidRequest,
    Misconfigured,
    Refused,
    Unavailable,
)
from chalicelib.core.json_documents import Document
from chalicelib.core.limits import SNS_SUBJECT_CHARACTERS, SQS_HIDDEN_SECONDS
from chalicelib.core.notice import SOURCE, Notice, mail_of
from chalicelib.core.notifications import Notifications
from chalicelib.notice_ports import pause_after
from chalicelib.webhooks import Webhooks

PAUSE_SECONDS: Final = 30
"""Before the second try. It doubles up to a quarter of an hour; the queue counts the tries."""
LONGEST_PAUSE_SECONDS: Final = 900
_PASSING: Final = frozenset({*THROTTLED, "InternalFailure", "InternalException"})
"""EventBridge API reference, PutEventsResultEntry: what else it says of an entry is final."""

log = logging.getLogger(__name__)


class SqsAnnouncer:
    """The Announcer of the AWS home."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def announce(self, notice: Notice) -> None:
        """Send the notice, in ASCII: some characters SQS would refuse each time anew."""
        self._queue.send(json.dumps(notice.model_dump(mode="json", exclude_none=True)))


class NoticeDelivery:
    """What takes notices from the queue to those who are to be told."""

    def __init__(
        self,
        clients: Any,
        site: Notifications,
        webhooks: Webhooks,
        queue: Queue | None,
        dead_letters: SqsDeadLetters,
    ) -> None:
        """``clients`` gives a client by its service's name."""
        self._clients = clients
        self._site = site
        self._webhooks = webhooks
        self._queue = queue
        self._dead_letters = dead_letters

    def deliver_all(self, event: Mapping[str, Any]) -> list[str]:
        """Deliver the messages; return which of them come again, later each time."""
        trouble: dict[str, Exception] = {}

        def take(message: Message) -> None:
            try:
                self._take(message)
            except Exception as exc:
                trouble[message.id] = exc
                raise

        failed = each(read_messages(event), take)
        for record in event.get("Records", []):
            if record["messageId"] in trouble:
                self._put_off(record, trouble[record["messageId"]])
        return failed

    def _take(self, message: Message) -> None:
        try:
            self._deliver(_read(message.body))
        except Unavailable:
            raise
        except (Refused, InvalidRequest, Misconfigured) as exc:
            log.warning("message %s is a dead letter: %s", message.id, exc)
            document = Document(1, message.body, None, None)
            self._dead_letters.bury(message, document, exc, "notices")

    def _deliver(self, notice: Notice) -> None:
        match notice.target.kind:
            case "mail":
                self._mail(notice)
            case "topic":
                self._publish(notice)
            case "events":
                self._put_event(notice)
            case "webhook":
                self._webhooks.deliver(notice)
            case _:
                assert_never(notice.target.kind)

    def _mail(self, notice: Notice) -> None:
        if self._site.mail_from is None or not self._site.may_mail(notice.target.name):
            raise Refused("this site sends no mail there: notifications.mail_from, mail_domains")
        mail = mail_of(notice.told)
        with translated("sending mail", is_no):
            self._clients.get("sesv2").send_email(
                FromEmailAddress=self._site.mail_from,
                Destination={"ToAddresses": [notice.target.name]},
                Content={
                    "Simple": {
                        "Subject": {"Data": mail.subject, "Charset": "UTF-8"},
                        "Body": {"Text": {"Data": mail.text, "Charset": "UTF-8"}},
                    }
                },
            )

    def _publish(self, notice: Notice) -> None:
        topic = self._site.topics.get(notice.target.name)
        if topic is None:
            raise Refused(f"the site has no topic {notice.target.name!r}")
        told, run = notice.told, notice.told.run
        about = {
            "type": told.type,
            "kind": run.kind,
            "group": run.group,
            "status": told.stage.status if told.stage else told.state or run.state,
        }
        attributes = {
            name: {"DataType": "String", "StringValue": text} for name, text in about.items()
        }
        with translated("publishing", is_no):
            self._clients.get("sns").publish(
                TopicArn=topic,
                Subject=mail_of(told).subject[:SNS_SUBJECT_CHARACTERS],
                Message=notice.body(),
                MessageAttributes=attributes,
            )

    def _put_event(self, notice: Notice) -> None:
        if self._site.event_bus is None:
            raise Refused("the site has no event bus: notifications.event_bus")
        entry = {
            "Source": SOURCE,
            "DetailType": notice.told.type,
            "Detail": notice.body(),
            "EventBusName": notice.target.name,
            "Time": notice.told.at,
        }
        with translated("putting an event", is_no):
            answer = self._clients.get("events").put_events(Entries=[entry])
        for said in answer.get("Entries", []) if answer.get("FailedEntryCount") else []:
            error: type[FalseworkError] = (
                Unavailable if said.get("ErrorCode") in _PASSING else Refused
            )
            raise error(f"putting an event: {said.get('ErrorCode')}: {said.get('ErrorMessage')}")

    def _put_off(self, record: Mapping[str, Any], error: Exception) -> None:
        """Whatever goes wrong with this, it comes again all the same: when the queue says."""
        if self._queue is None:
            return
        received = int(record.get("attributes", {}).get("ApproximateReceiveCount", "1"))
        pause = min(PAUSE_SECONDS * 2 ** min(received - 1, 10), LONGEST_PAUSE_SECONDS)
        pause = int(pause_after(error, pause))
        try:
            self._queue.hide(record["receiptHandle"], min(pause, SQS_HIDDEN_SECONDS))
        except FalseworkError:
            log.info("message %s comes again when it may", record["messageId"], exc_info=True)


def _read(body: str) -> Notice:
    """The values stay out of the error: it is logged."""
    try:
        return Notice.model_validate(json.loads(body))
    except ValidationError as exc:
        places = [".".join(map(str, each["loc"])) for each in exc.errors(include_input=False)]
        raise InvalidRequest(f"not a notice of ours: {', '.join(places)}") from None
    except ValueError:
        raise InvalidRequest("not a notice of ours: no JSON") from None
