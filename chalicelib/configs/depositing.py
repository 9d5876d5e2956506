"""A pipeline's works go into the queue: stored as ``created``, noted, and then released.

See ``core/configs/pipeline.py`` for why that deposits nothing twice, whoever dies when.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Final

from chalicelib.core.configs.expansion import read_works_of
from chalicelib.core.configs.model import ConfigPlan
from chalicelib.core.configs.pipeline import Pipeline, Status
from chalicelib.core.configs.progress import in_flight, is_due, seen
from chalicelib.core.work.ids import mint_ids
from chalicelib.core.work.model import Work, WorkStatus
from chalicelib.core.work.reading import understood
from chalicelib.core.work.transitions import deposited
from chalicelib.work_ports import Kept, WorkPorts
from chalicelib.works.saving import until_saved

_SOME: Final = 100


def ids_for(pipeline: Pipeline, works: WorkPorts, at: datetime) -> list[str]:
    """Return fresh ids for the works that are due."""
    buckets = [
        step.bucket
        for step in pipeline.steps
        for work in step.works
        if is_due(step, work, pipeline)
    ]
    return mint_ids(at, buckets, works.mint_entropy())


def place(pipeline: Pipeline, config: ConfigPlan, works: WorkPorts, at: datetime) -> None:
    """Store what is planned and not there yet, so that nobody can withdraw it.

    Raises Conflict where somebody else stores the same just now.
    """
    there = {kept.document["id"] for kept in _found(in_flight(pipeline), works)}
    new = [work for work in _planned(pipeline, config, at) if work.id not in there]
    if new:
        works.works.add(new)


def release(pipeline: Pipeline, works: WorkPorts) -> None:
    """Queue what is stored. Raises Unavailable."""
    for kept in _found(in_flight(pipeline), works):
        _release(kept, works)


def take_back(ids: Mapping[str, str], works: WorkPorts) -> set[str]:
    """Remove works that nobody has withdrawn, or that would be tried again; return their ids."""
    return {
        kept.document["id"]
        for kept in _found(ids, works)
        if _is_back(kept) and works.works.replace(kept, None)
    }


def look(ids: Mapping[str, str], works: WorkPorts) -> dict[str, Status]:
    """Return what became of the works, be they in Buckets or in Results already."""
    found = {kept.document["id"]: _seen(kept) for kept in _found(ids, works)}
    for work_id in ids.keys() - found.keys():
        for kept in works.results.get(ids[work_id], [work_id]):
            found[work_id] = _seen(kept)
    return found


def _planned(pipeline: Pipeline, config: ConfigPlan, at: datetime) -> Iterator[Work]:
    for step, plan in zip(pipeline.steps, config.pipeline.steps, strict=True):
        if not any(work.id and work.status is Status.CREATED for work in step.works):
            continue
        made = read_works_of(config, plan, pipeline.matrix, pipeline.id)
        for kept, work in zip(step.works, made, strict=True):
            if kept.id is not None and kept.status is Status.CREATED:
                new = deposited(work, kept.id, at)
                yield new.model_copy(update={"status": WorkStatus.CREATED})


def _found(ids: Mapping[str, str], works: WorkPorts) -> Iterator[Kept]:
    left = iter(ids)
    while some := list(islice(left, _SOME)):
        yield from works.works.get(some)


def _release(kept: Kept, works: WorkPorts) -> None:
    def save(found: Kept) -> bool:
        work = understood(found.document)
        if work is None or work.status is not WorkStatus.CREATED:
            return True
        queued = work.model_copy(update={"status": WorkStatus.QUEUED})
        return works.works.replace(found, queued)

    work_id = kept.document["id"]
    until_saved(kept, save, lambda: next(iter(works.works.get([work_id])), None), works.pause)


def _is_back(kept: Kept) -> bool:
    work = understood(kept.document)
    waiting = {WorkStatus.CREATED, WorkStatus.QUEUED}
    return work is None or work.status in waiting or work.is_retryable


def _seen(kept: Kept) -> Status:
    work = understood(kept.document)
    return Status.FAILURE if work is None else seen(work)
