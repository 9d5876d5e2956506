"""Batch's state changes and wake-up calls on their way to the runs.

What is about nothing that we know (a foreign job, a run that was deleted) is logged and left.
Unavailable and StaleRun pass: Lambda calls an asynchronous handler again, SQS delivers again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from chalicelib import calls, engine
from chalicelib.aws.batch_events import read_event
from chalicelib.aws.dead_letters import SqsDeadLetters
from chalicelib.aws.inbound import Message, read_wake
from chalicelib.core.errors import Conflict, InvalidRequest, NotFound
from chalicelib.core.events import Event, TimerFired
from chalicelib.core.json_documents import Document
from chalicelib.core.run import Run
from chalicelib.log_ids import about
from chalicelib.ports import Ports

log = logging.getLogger(__name__)


def take_job_change(event: Mapping[str, Any], ports: Ports) -> Run | None:
    """Tell the job's run of it, and return that; None where it is about nothing of ours."""
    try:
        seen = read_event(event)
    except InvalidRequest as exc:
        log.error("a job state change cannot be read: %s", exc)  # noqa: TRY400  (no news in it)
        return None
    if seen is None:
        return None
    changed = calls.job_changed(seen, seen.run_id, ports.clock()) if seen.run_id else None
    if changed is None:
        log.info("job %s is not one of ours", seen.job_id)
        return None
    log.info("job %s is %s", seen.name, seen.status, extra={"run_id": seen.run_id})
    return _handle(changed, ports)


def take_wake(message: Message, ports: Ports, dead_letters: SqsDeadLetters) -> None:
    """Look at the run whose time has come; a message that names none goes to the dead letters."""
    try:
        run_id = read_wake(message.body)
    except InvalidRequest as exc:
        log.error("message %s: %s", message.id, exc)  # noqa: TRY400  (no news in it)
        dead_letters.bury(message, Document(1, message.body, None, exc), exc, "wake")
        return
    _handle(TimerFired(run_id=run_id, at=ports.clock()), ports)


def _handle(event: Event, ports: Ports) -> Run | None:
    with about(run_id=event.run_id):
        try:
            return engine.handle(event, ports)
        except (NotFound, Conflict) as exc:
            log.info("%s is left: %s", type(event).__name__, exc)
            return None
