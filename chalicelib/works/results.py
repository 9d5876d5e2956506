"""Results: works that have ended, kept for good (specs: work, section 4, R2 to R7).

A result whose ``results.locked`` is true refuses deletion, and every update but the one that
clears the lock: Conflict, with nothing changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from chalicelib.core.errors import NotFound
from chalicelib.core.work.conditions import Among
from chalicelib.core.work.counting import total
from chalicelib.core.work.ids import is_id
from chalicelib.core.work.model import Work
from chalicelib.core.work.reading import read_ended_works, understood
from chalicelib.core.work.transitions import check_deletable, result_updated
from chalicelib.work_ports import Kept, WorkPorts
from chalicelib.works.saving import until_saved
from chalicelib.works.views import counted, parse_view, shown


def deposit_results(documents: object, ports: WorkPorts) -> dict[str, bool]:
    """Keep ended works; return true for each pipeline. None of them may be there already.

    Raises Conflict with nothing kept. After a crash half way the repeat is a Conflict too: the
    client then asks which are there, leaves these out and deposits the rest.
    """
    works = read_ended_works(documents)
    if works:
        ports.results.add(works)
    return dict.fromkeys(sorted({work.pipeline for work in works}), True)


def update_results(documents: object, ports: WorkPorts) -> bool:
    """Replace results by pipeline and id. Raises NotFound or Conflict with nothing changed."""
    works = read_ended_works(documents)
    pairs = [(_found(work.pipeline, [work.id or ""], ports), work) for work in works]
    for found, work in pairs:
        if not found:
            raise NotFound(f"there is no result {work.id} in the pipeline {work.pipeline}")
        _changed(found[0], work)
    for found, work in pairs:
        _update(found[0], work, ports)
    return True


def delete_results(ids: Mapping[str, Iterable[str]], ports: WorkPorts) -> dict[str, bool]:
    """Remove results by pipeline and id; return for each pipeline whether there were any.

    Raises Conflict, with nothing removed, when one of them is locked.
    """
    found = {pipeline: _found(pipeline, each, ports) for pipeline, each in ids.items()}
    for every in found.values():
        for kept in every:
            _check_deletable(kept)
    removed = {
        pipeline: [_delete(kept, ports) for kept in every] for pipeline, every in found.items()
    }
    return {pipeline: any(done) for pipeline, done in removed.items()}


def view_results(document: object, ports: WorkPorts) -> list[dict[str, Any]]:
    """Answer as ``buckets.view`` does, from the results."""
    return shown(parse_view(document), ports.results.walk)


def count_results(document: object, ports: WorkPorts) -> int:
    """Answer ``{"query": …}``: how many results it matches."""
    view = parse_view(document)
    match view.condition:
        case Among(("pipeline",), (str(pipeline),)):
            return total(ports.results.counts().get(pipeline, {}))
        case _:
            return counted(view, ports.results.walk)


def status_results(ports: WorkPorts) -> dict[str, int]:
    """Return for each pipeline how many results it has."""
    counts = ports.results.counts()
    return {name: total(counts[name]) for name in sorted(counts) if total(counts[name])}


def _found(pipeline: str, ids: Iterable[str], ports: WorkPorts) -> tuple[Kept, ...]:
    return ports.results.get(pipeline, {each for each in ids if is_id(each)})


def _reloaded(kept: Kept, ports: WorkPorts) -> Kept | None:
    found = _found(kept.document["pipeline"], [kept.document["id"]], ports)
    return found[0] if found else None


def _changed(kept: Kept, new: Work) -> Work:
    old = understood(kept.document)
    return new if old is None else result_updated(old, new)


def _update(kept: Kept, new: Work, ports: WorkPorts) -> None:
    is_there = until_saved(
        kept,
        lambda found: ports.results.replace(found, _changed(found, new)),
        lambda: _reloaded(kept, ports),
        ports.pause,
    )
    if not is_there:
        raise NotFound(f"there is no result {new.id} any more")


def _check_deletable(kept: Kept) -> None:
    old = understood(kept.document)
    if old is not None:
        check_deletable(old)


def _delete(kept: Kept, ports: WorkPorts) -> bool:
    def remove(found: Kept) -> bool:
        _check_deletable(found)
        return ports.results.replace(found, None)

    return until_saved(kept, remove, lambda: _reloaded(kept, ports), ports.pause)
