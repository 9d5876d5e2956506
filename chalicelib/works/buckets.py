"""Buckets: deposit, withdraw, update, delete, view and status (specs: work, section 3).

Works are documents in and documents out. Everything a caller can do wrong is InvalidRequest, an
update of a work that is not there NotFound, and a store that does not answer Unavailable.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from chalicelib.core.errors import NotFound
from chalicelib.core.work.answers import carried
from chalicelib.core.work.conditions import matches
from chalicelib.core.work.counting import status_document, total
from chalicelib.core.work.filters import parse_filter
from chalicelib.core.work.ids import is_id, mint_ids
from chalicelib.core.work.model import Work, WorkStatus
from chalicelib.core.work.reading import read_stored_works, read_works, understood
from chalicelib.core.work.scopes import scope_of
from chalicelib.core.work.transitions import deposited, taken, updated
from chalicelib.work_ports import Kept, WorkPorts
from chalicelib.works.saving import until_saved
from chalicelib.works.views import parse_view, shown


def deposit(
    documents: object, ports: WorkPorts, at: datetime, *, is_repeat: bool = False
) -> list[str]:
    """Queue the works of a list; return their new ids, in its order.

    Nothing is written unless all of them are valid. Who repeats a deposit deposits again, unless
    it ``is_repeat``: at the same time and with the same entropy, so that works that are there
    already are left alone.
    """
    works = read_works(documents)
    ids = mint_ids(at, [work.pipeline for work in works], ports.mint_entropy())
    there = set(_found(ids, ports)) if is_repeat else set()
    new = zip(works, ids, strict=True)
    ports.works.add([deposited(work, each, at) for work, each in new if each not in there])
    return ids


def withdraw(query: object, ports: WorkPorts, at: datetime) -> dict[str, Any] | None:
    """Hand out the most urgent, oldest queued work that the filter matches; None without one.

    It is running from now on, and nobody else gets it until it is queued again.
    """
    condition = parse_filter(query)

    def accept(document: dict[str, Any]) -> Work | None:
        if not matches(condition, document):
            return None
        work = understood(document)
        return None if work is None else taken(work, at)

    scope = replace(scope_of(condition), statuses=(WorkStatus.QUEUED,))
    work = ports.works.take(scope, accept)
    return None if work is None else carried(work.document())


def update(documents: object, ports: WorkPorts) -> bool:
    """Replace works by their ids; False when one of them came from a lost lease.

    Such a one changes nothing; the others are replaced all the same. Raises NotFound, with
    nothing changed, when one of them is not there.
    """
    works = {work.id or "": work for work in read_stored_works(documents)}
    stored = _found(works, ports)
    unknown = works.keys() - stored.keys()
    if unknown:
        raise NotFound(f"there is no work {min(unknown)}")
    for work_id, kept in stored.items():
        _check_update(kept, works[work_id])
    done = [_update(kept, works[work_id], ports) for work_id, kept in stored.items()]
    return all(done)


def delete(ids: Iterable[str], ports: WorkPorts) -> bool:
    """Remove works, whatever they do; unknown ids are ignored. False when there was none."""
    done = [_delete(kept, ports) for kept in _found(ids, ports).values()]
    return any(done)


def view(document: object, ports: WorkPorts) -> list[dict[str, Any]]:
    """Answer ``{"query", "projection", "skip", "limit"}``: documents, the oldest first.

    Without a limit, or with 0, all of them; InvalidRequest past what an answer can hold.
    """
    return shown(parse_view(document), ports.works.walk)


def status(ports: WorkPorts) -> dict[str, int]:
    """Return how many works there are, from the counters, in the order of the interface."""
    return status_document(ports.works.counts().values())


def status_of(pipeline: str, ports: WorkPorts) -> dict[str, int]:
    """Return the same for one pipeline; zeros for one that nobody knows."""
    return status_document([ports.works.counts().get(pipeline, {})])


def pipelines(ports: WorkPorts) -> list[str]:
    """Return the names of the pipelines that hold at least one work."""
    return sorted(name for name, counts in ports.works.counts().items() if total(counts) > 0)


def _found(ids: Iterable[str], ports: WorkPorts) -> dict[str, Kept]:
    wanted = {work_id for work_id in ids if is_id(work_id)}
    return {kept.document["id"]: kept for kept in ports.works.get(wanted)}


def _check_update(kept: Kept, new: Work) -> None:
    old = understood(kept.document)
    if old is not None:
        updated(old, new)


def _update(kept: Kept, new: Work, ports: WorkPorts) -> bool:
    is_lost = False

    def save(found: Kept) -> bool:
        nonlocal is_lost
        old = understood(found.document)
        changed = new if old is None else updated(old, new)
        is_lost = changed is None
        return changed is None or ports.works.replace(found, changed)

    work_id = kept.document["id"]
    if not until_saved(kept, save, lambda: _found([work_id], ports).get(work_id), ports.pause):
        raise NotFound(f"there is no work {work_id} any more")
    return not is_lost


def _delete(kept: Kept, ports: WorkPorts) -> bool:
    work_id = kept.document["id"]
    return until_saved(
        kept,
        lambda found: ports.works.replace(found, None),
        lambda: _found([work_id], ports).get(work_id),
        ports.pause,
    )
