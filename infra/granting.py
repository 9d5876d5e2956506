"""What a policy grants, as a value, and the few forms in which it is granted again and again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple


class Grant(NamedTuple):
    """A statement; ``resources`` are the ends of ARNs, after the account's colon."""

    sid: str
    service: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    condition: Mapping[str, Any] | None = None
    why: str = ""
    """Why it is needed although no test calls it, or why it cannot name a resource."""


NO_RESOURCE: Final = ("*",)
TELLS_ALL: Final = "AWS knows no resource for it (service authorization reference)"


def table(sid: str, *actions: str, indexes: Iterable[str] = (), why: str = "") -> Grant:
    """Return what may be done with the table, or with these indexes of it."""
    names = ("table/{name}",) if not indexes else ()
    resources = (*names, *(f"table/{{name}}/index/{each}" for each in indexes))
    return Grant(sid, "dynamodb", actions, resources, why=why)


def objects(sid: str, bucket: str, *actions: str, below: Iterable[str]) -> Grant:
    """Return what may be done with objects below these prefixes."""
    return Grant(sid, "s3", actions, tuple(f"{{{bucket}}}/{each}*" for each in below))


def listing(sid: str, *buckets: str) -> Grant:
    """Return the right to see what is in buckets."""
    why = "without it S3 answers 403 for an object that is not there"
    return Grant(sid, "s3", ("ListBucket",), tuple(f"{{{each}}}" for each in buckets), why=why)


def sending(sid: str, *queues: str) -> Grant:
    """Return the right to send to queues."""
    return Grant(sid, "sqs", ("SendMessage",), tuple(f"{{name}}-{each}" for each in queues))


def consuming(queue: str) -> Grant:
    """Return what Lambda needs to take messages from a queue."""
    return Grant(
        "BeGivenMessages",
        "sqs",
        ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes"),
        (f"{{name}}-{queue}",),
        why="Lambda takes them from the queue with the function's role (Lambda guide, SQS)",
    )
