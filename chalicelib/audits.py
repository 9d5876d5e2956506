"""The audit: each call that changes a run, or hands out a link, leaves an entry of who and when.

The entry is written before the change is saved: who dies in between leaves an entry of something
that was asked for and did not happen, never a change that nobody can explain. Entries lie beside
the run and outlive it.
"""

from __future__ import annotations

import logging
from contextlib import suppress

from chalicelib.core.audit import KEPT, AuditEntry
from chalicelib.core.events import (
    CancelRequested,
    Event,
    ResumeRequested,
    RollbackRequested,
    RunRequested,
)
from chalicelib.core.run import timestamp
from chalicelib.document_ports import StaleDocument
from chalicelib.ports import Ports

log = logging.getLogger(__name__)

_WORDS: dict[type, str] = {
    RunRequested: "submit",
    CancelRequested: "cancel",
    ResumeRequested: "resume",
    RollbackRequested: "rollback",
}


def note_event(event: Event, ports: Ports) -> None:
    """Enter the event if somebody asked for it; again is harmless. Raises Unavailable."""
    word = _WORDS.get(type(event))
    if word is not None:
        _enter(AuditEntry.of(event.run_id, word, ports.caller, event.at), ports)


def note(run_id: str, what: str, ports: Ports, *, detail: str = "") -> None:
    """Enter what ``ports.caller`` does with the run now. Raises Unavailable."""
    _enter(AuditEntry.of(run_id, what, ports.caller, ports.clock(), detail=detail), ports)


def entries(
    run_id: str, ports: Ports, *, after: str = "", limit: int = 100
) -> tuple[tuple[str, AuditEntry], ...]:
    """Return entries of the run behind the key ``after``, the oldest first, each with its key.

    Who is bound to groups sees those of the run that has the id now, if it is theirs: the one
    that had it before may have been another group's. Raises NotFound.
    """
    if ports.caller.principal.groups is not None:
        after = max(after, timestamp(ports.runs.load(run_id).created_at))
    found = ports.documents.list(_partition(run_id), after=after, limit=limit)
    return tuple((each.key, AuditEntry.model_validate(each.content)) for each in found)


def _enter(entry: AuditEntry, ports: Ports) -> None:
    content = entry.model_dump(mode="json")
    log.info("audit: %s", content)
    with suppress(StaleDocument):  # it is there: the event came again
        ports.documents.save(
            _partition(entry.run_id), entry.key, content, expires_at=entry.at + KEPT
        )


def _partition(run_id: str) -> str:
    return f"audit#{run_id}"
