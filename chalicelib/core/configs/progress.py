"""What becomes of a pipeline: the one place that decides it.

Each function returns the next pipeline, or the same one where there is nothing to do. Whoever
performs saves it under the version that it was decided from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final, Literal

from chalicelib.core.configs.pipeline import LIVE, OVER, Header, Pipeline, Status, Step, StepWork
from chalicelib.core.work.model import Work, WorkStatus

MOST_REPLACED: Final = 500
"""Ids of works that a step remembers of its former tries."""

Change = Callable[[Step, StepWork], StepWork]


def seen(work: Work) -> Status:
    """Return what a work of the queue is to its pipeline; one that may be tried again runs."""
    match work.status:
        case WorkStatus.SUCCESS:
            return Status.SUCCESS
        case WorkStatus.FAILURE:
            return Status.RUNNING if work.is_retryable else Status.FAILURE
        case WorkStatus.RUNNING:
            return Status.RUNNING
        case WorkStatus.QUEUED | WorkStatus.CREATED:
            return Status.QUEUED


def to_look_at(pipeline: Pipeline) -> dict[str, str]:
    """Return the works whose status may have changed: id → the pipeline that they are in."""
    return {
        work.id: step.bucket
        for step in pipeline.steps
        for work in step.works
        if work.id is not None and work.status in LIVE
    }


def followed(pipeline: Pipeline, found: Mapping[str, Status], at: datetime) -> Pipeline:
    """Return the pipeline with its works as they were found.

    One that should be somewhere and is not was removed by somebody: nobody will do it any more.
    """
    gone = Status.CANCELLED if pipeline.is_cancelled else Status.FAILURE

    def look(_: Step, work: StepWork) -> StepWork:
        if work.id is None or work.status not in LIVE:
            return work
        return work.model_copy(update={"status": found.get(work.id, gone)})

    return _timed(_changed(pipeline, look), at)


def is_due(step: Step, work: StepWork, pipeline: Pipeline) -> bool:
    """Tell whether the work is to be deposited now."""
    is_new = work.id is None and work.status is Status.CREATED
    return is_new and step.stage == pipeline.current_stage


def has_due(pipeline: Pipeline) -> bool:
    """Tell whether a stage's works are to be deposited now: never beside a failure of it."""
    return (
        pipeline.phase == "idle"
        and pipeline.status not in OVER
        and any(is_due(step, work, pipeline) for step in pipeline.steps for work in step.works)
    )


def planned(pipeline: Pipeline, ids: Iterable[str], at: datetime) -> Pipeline:
    """Return the pipeline that intends to deposit under these ids, in the order of its works."""
    given = iter(ids)

    def plan(step: Step, work: StepWork) -> StepWork:
        is_now = is_due(step, work, pipeline)
        return work.model_copy(update={"id": next(given)}) if is_now else work

    return _changed(pipeline, plan).model_copy(update={"phase": "planned", "planned_at": at})


def is_dead(pipeline: Pipeline, grace: timedelta, at: datetime) -> bool:
    """Tell whether whoever planned a deposit cannot be at it any more."""
    began = pipeline.planned_at
    return pipeline.phase == "planned" and began is not None and at - began > grace


def taken_over(pipeline: Pipeline, grace: timedelta, at: datetime) -> Pipeline | None:
    """Return what to save before somebody else's plan is carried out; None while he may live."""
    if not is_dead(pipeline, grace, at):
        return None
    return pipeline.model_copy(update={"planned_at": at})


def in_flight(pipeline: Pipeline) -> dict[str, str]:
    """Return the works that are planned or placed: id → the pipeline that they are in."""
    return {
        work.id: step.bucket
        for step in pipeline.steps
        for work in step.works
        if work.id is not None and work.status is Status.CREATED
    }


def placed(pipeline: Pipeline) -> Pipeline:
    """Return the pipeline whose works are all in the queue, and cannot be withdrawn yet."""
    return pipeline.model_copy(update={"phase": "placed"})


def released(pipeline: Pipeline, at: datetime) -> Pipeline:
    """Return the pipeline whose works can be withdrawn."""

    def queue(_: Step, work: StepWork) -> StepWork:
        is_placed = work.id is not None and work.status is Status.CREATED
        return work.model_copy(update={"status": Status.QUEUED}) if is_placed else work

    return _timed(_changed(pipeline, queue).model_copy(update=_IDLE), at)


def cancelled(pipeline: Pipeline, at: datetime) -> Pipeline | None:
    """Return the pipeline that is over by somebody's wish; None where it is over already."""
    if pipeline.status in OVER:
        return None
    return _timed(pipeline.model_copy(update={"is_cancelled": True}), at)


def taken_back(pipeline: Pipeline, gone: Iterable[str], at: datetime) -> Pipeline:
    """Return the cancelled pipeline without these works; what was never deposited goes, too."""
    ids = set(gone)

    def take(_: Step, work: StepWork) -> StepWork:
        is_gone = work.id in ids or (work.id is None and work.status is Status.CREATED)
        return work.model_copy(update={"status": Status.CANCELLED}) if is_gone else work

    changed = _changed(pipeline, take)
    left = any(work.status is Status.CREATED for work in changed.works)
    return _timed(changed if left else changed.model_copy(update=_IDLE), at)


def retried(pipeline: Pipeline) -> Pipeline | None:
    """Return the pipeline with other works in the place of those that did not succeed.

    None unless it is over without success. A work of it that still runs may go on.
    """
    if pipeline.status not in {Status.FAILURE, Status.CANCELLED} or pipeline.phase != "idle":
        return None
    steps = tuple(map(_again, pipeline.steps))
    return pipeline.model_copy(update={"steps": steps, "is_cancelled": False, "stop": None})


def obeyed(pipeline: Pipeline, header: Header, at: datetime) -> Pipeline:
    """Return the pipeline after its config's last wish, once for each."""
    if pipeline.generation >= header.generation:
        return pipeline
    wanted = cancelled(pipeline, at) if header.wish == "cancel" else retried(pipeline)
    return (wanted or pipeline).model_copy(update={"generation": header.generation})


def wished(header: Header, wish: Literal["cancel", "retry"]) -> Header:
    """Return the config that is told so."""
    told = {"generation": header.generation + 1, "wish": wish, "stop": None}
    return header.model_copy(update=told)


def tallied(header: Header, pipelines: Iterable[Pipeline], at: datetime) -> Header:
    """Return the config as its pipelines stand; with ``stop`` when all of them have settled."""
    every = list(pipelines)
    obeyed_all = all(each.generation >= header.generation for each in every)
    is_over = obeyed_all and all(p.is_settled for p in every) and len(every) == header.count
    told = {"tally": dict(Counter(each.status for each in every)), "stop": None}
    return header.model_copy(update={**told, "stop": (header.stop or at) if is_over else None})


_IDLE: Final = {"phase": "idle", "planned_at": None}


def _again(step: Step) -> Step:
    old = [work for work in step.works if work.status in {Status.FAILURE, Status.CANCELLED}]
    replaced = (*step.replaced, *(work.id for work in old if work.id))[-MOST_REPLACED:]
    works = tuple(StepWork() if work in old else work for work in step.works)
    return step.model_copy(update={"works": works, "replaced": replaced})


def _changed(pipeline: Pipeline, change: Change) -> Pipeline:
    steps = tuple(
        step.model_copy(update={"works": tuple(change(step, work) for work in step.works)})
        for step in pipeline.steps
    )
    return pipeline.model_copy(update={"steps": steps})


def _timed(pipeline: Pipeline, at: datetime) -> Pipeline:
    """Note when it began to run and when it was over."""
    start = pipeline.start or (at if pipeline.has_begun else None)
    stop = (pipeline.stop or at) if pipeline.status in OVER else None
    return pipeline.model_copy(update={"start": start, "stop": stop})
