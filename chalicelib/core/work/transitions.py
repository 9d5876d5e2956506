"""What becomes of a work: the one place that decides it (specs: work, section 3.2).

::

    deposited ──▶ queued ──taken: attempt + 1──▶ running ──updated──▶ success
                    ▲                               │  └─updated, expired──▶ failure
                    └──────── requeued: attempt < retries ────────────────────┘

A **lease** is held by whoever withdrew the work last, and ``attempt`` is its number: an update
that bears a lower one comes from a worker whose lease was lost, and changes nothing. Stores save
what is decided here under the version that it was decided from.
"""

from __future__ import annotations

from datetime import datetime

from chalicelib.core.errors import Conflict, InvalidRequest
from chalicelib.core.work.model import Work, WorkStatus


def deposited(work: Work, work_id: str, at: datetime) -> Work:
    """Return the work as it goes into the queue, under its new id."""
    return work.model_copy(
        update={
            "id": work_id,
            "status": WorkStatus.QUEUED,
            "creation": at.timestamp() if work.creation is None else work.creation,
            "attempt": 0,
            "start": None,
            "stop": None,
        }
    )


def taken(work: Work, at: datetime) -> Work | None:
    """Return the work as a worker gets it; None unless it is queued."""
    if work.status is not WorkStatus.QUEUED:
        return None
    return work.model_copy(
        update={
            "status": WorkStatus.RUNNING,
            "start": at.timestamp(),
            "stop": None,
            "attempt": work.attempt + 1,
        }
    )


def updated(old: Work, new: Work) -> Work | None:
    """Return what replaces ``old``; None for a lease that was lost. Raises InvalidRequest.

    Everything else may be changed by its owner, even of a work that has ended. Two things are not
    a change: the pipeline, for it is part of the id, and a creation that was left out.
    """
    if new.attempt < old.attempt:
        return None
    if new.pipeline != old.pipeline:
        raise InvalidRequest(
            f"work {old.id} belongs to the pipeline {old.pipeline!r} for good",
            field="pipeline",
            value=new.pipeline,
            mend="deposit a new work in the other pipeline and delete this one",
        )
    return new if new.creation is not None else new.model_copy(update={"creation": old.creation})


def requeued(work: Work) -> Work | None:
    """Return the failed work in the queue again; None if it may not be tried again."""
    return work.model_copy(update={"status": WorkStatus.QUEUED}) if work.is_retryable else None


def expired(work: Work, at: datetime) -> Work | None:
    """Return the running work as a failure; None while it has time left, or does not run."""
    if work.deadline is None or work.deadline >= at.timestamp():
        return None
    return work.model_copy(update={"status": WorkStatus.FAILURE})


def result_updated(old: Work, new: Work) -> Work:
    """Return what replaces a result. Raises Conflict for a locked one.

    A locked result takes what only clears its lock, and, for a repeat does no harm, itself.
    """
    changed = updated(old.model_copy(update={"attempt": 0}), new)
    if changed is None:
        raise AssertionError("no attempt is below 0")
    if is_locked(old) and changed != old and _unlocked(changed) != _unlocked(old):
        raise Conflict(f"result {old.id} is locked; clear results.locked first")
    return changed


def check_deletable(old: Work) -> None:
    """Raise Conflict for a locked result."""
    if is_locked(old):
        raise Conflict(f"result {old.id} is locked; clear results.locked before you delete it")


def is_locked(work: Work) -> bool:
    """Tell whether the result may be neither changed nor deleted."""
    return work.results is not None and work.results.get("locked") is True


def _unlocked(work: Work) -> Work:
    results = {name: value for name, value in (work.results or {}).items() if name != "locked"}
    return work.model_copy(update={"results": results})
