"""Whether the queues are there, where their letters go, and whether any lie in the last ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from chalicelib.aws.checkup.deployment import Deployment, or_none
from chalicelib.core.findings import Finding, fault, fine, judged, warning
from chalicelib.core.limits import VISIBILITY_FACTOR

FED: Final = {"submissions": "on_submission", "wake": "on_wake", "notices": "on_notice"}
"""Queue → the function that it feeds."""
LAST: Final = {
    "dead-letters": "see docs/runbook.md, dead-letters; then: falsework redrive",
    "notice-dead-letters": "see docs/runbook.md, notice-dead-letters; then: falsework redrive",
    "event-failures": "see docs/runbook.md, event-failures; then purge the queue",
}
"""Queue → what to do when something is in it."""


def check_queues(deployment: Deployment) -> Iterator[Finding]:
    """Look at all of them."""
    for queue, handler in FED.items():
        yield from _fed(deployment, queue, handler)
    for queue, mend in LAST.items():
        told = _attributes(deployment, queue)
        if told is None:
            yield _missing(deployment, queue)
            continue
        count = int(told["ApproximateNumberOfMessages"])
        about = f"queue {queue}"
        yield (
            warning(about, f"{count} messages are in it", mend) if count else fine(about, "empty")
        )


def _fed(deployment: Deployment, queue: str, handler: str) -> Iterator[Finding]:
    told = _attributes(deployment, queue)
    about = f"queue {queue}"
    if told is None:
        yield _missing(deployment, queue)
        return
    yield judged(
        about,
        "RedrivePolicy" in told,
        "it is there, and has a dead-letter queue",
        "it has no dead-letter queue: what nobody can take in comes again for ever",
        deployment.deploy,
    )
    function = deployment.configuration(handler)
    seconds, hidden = (function or {}).get("Timeout", 0), int(told["VisibilityTimeout"])
    yield judged(
        f"{about}: visibility",
        hidden >= seconds * VISIBILITY_FACTOR,
        f"{hidden} s, and its function has {seconds} s",
        f"{hidden} s, but its function has {seconds} s and needs {VISIBILITY_FACTOR} times that:"
        " what Lambda cannot start at once is received too often, and becomes a dead letter",
        deployment.deploy,
    )


def _missing(deployment: Deployment, queue: str) -> Finding:
    name = f"{deployment.name}-{queue}"
    return fault(f"queue {queue}", f"there is no queue {name}", deployment.deploy)


def _attributes(deployment: Deployment, queue: str) -> dict[str, Any] | None:
    client, name = deployment.clients.get("sqs"), f"{deployment.name}-{queue}"
    url = or_none(lambda: client.get_queue_url(QueueName=name)["QueueUrl"])
    if url is None:
        return None
    found = client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    return dict(found["Attributes"])
