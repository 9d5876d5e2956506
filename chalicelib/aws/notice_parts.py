"""What of the AWS home tells of runs: the announcer, what delivers, and the dead letters."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from chalicelib.aws.clients import Clients
from chalicelib.aws.dead_letters import AllDeadLetters, Origins, SqsDeadLetters
from chalicelib.aws.notices import NoticeDelivery, SqsAnnouncer
from chalicelib.aws.object_store import S3ObjectStore
from chalicelib.aws.queues import queue_at
from chalicelib.aws.secrets import SecretsManager
from chalicelib.core.errors import Misconfigured
from chalicelib.dead_letters import DeadLetters
from chalicelib.notice_ports import Announcer, NoAnnouncer
from chalicelib.ports import Ports
from chalicelib.settings import Settings
from chalicelib.webhooks import Webhooks


def announcer(settings: Settings, clients: Clients) -> Announcer:
    """Return what runs announce with. Raises Misconfigured where that would be for nothing."""
    queue = queue_at(clients, settings.notices_queue_url)
    if queue is not None:
        return SqsAnnouncer(queue)
    if settings.site.notifications.are_there:
        raise Misconfigured(
            "the site has notifications and no queue for them: set FALSEWORK_NOTICES_QUEUE_URL,"
            " or leave FALSEWORK_NOTIFICATIONS out"
        )
    return NoAnnouncer()


def notice_delivery(settings: Settings, clients: Clients, ports: Ports) -> NoticeDelivery:
    """Return what the notices queue's handler delivers with."""
    told = settings.site.notifications
    secrets = SecretsManager(clients.get("secretsmanager")).read
    return NoticeDelivery(
        clients,
        told,
        Webhooks(told.webhooks, secrets, ports.clock),
        queue_at(clients, settings.notices_queue_url),
        _notice_dead_letters(settings, clients, ports.clock),
    )


def _notice_dead_letters(
    settings: Settings, clients: Clients, clock: Callable[[], datetime]
) -> SqsDeadLetters:
    """A queue of their own: what nobody reads must not hide what could not be taken in."""
    return SqsDeadLetters(
        queue_at(clients, settings.notice_dead_letter_queue_url),
        Origins(notices=queue_at(clients, settings.notices_queue_url)),
        S3ObjectStore(clients.get("s3")),
        settings.site.scratch_bucket,
        clock,
    )


def all_dead_letters(
    settings: Settings,
    clients: Clients,
    clock: Callable[[], datetime],
    dead_letters: SqsDeadLetters,
) -> DeadLetters:
    """Return ``dead_letters`` and, where they have a queue, the notices' own as one."""
    if not settings.notice_dead_letter_queue_url:
        return dead_letters
    return AllDeadLetters((dead_letters, _notice_dead_letters(settings, clients, clock)))
