"""How long the children of an array ran: asked for when it has ended, piece by piece.

Batch tells no time of an array's parent that would mean its children's, and forgets all of them
after about a week. So the engine asks once, as soon as the array has ended, and keeps the sums at
the job (``ChildTimes``). Each piece is an event that says where it begins: one that comes twice,
or of which somebody else was faster, changes nothing.

Nobody waits for it: a run settles before, and stays in the due index until it is done, or until
it is too late to ask.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from chalicelib.core.commands import TimeChildren
from chalicelib.core.events import ChildrenTimed
from chalicelib.core.job_state import ENDED_JOBS, ChildTimes, JobState
from chalicelib.core.lifecycle.jobs import replace_job
from chalicelib.core.limits import BATCH_REMEMBERS_ENDED_JOBS_SECONDS
from chalicelib.core.run import Run

_LIFE: Final = timedelta(seconds=BATCH_REMEMBERS_ENDED_JOBS_SECONDS)


def timing(run: Run) -> Iterator[TimeChildren]:
    """Yield what is owed to know how long the children of ended arrays ran."""
    for job in run.jobs:
        if is_untimed(job):
            yield TimeChildren(serial=job.serial, job_id=str(job.job_id), first=_next(job))


def is_untimed(job: JobState) -> bool:
    """Whether the job is an array that has ended, and of whose children not all were looked at."""
    children = job.children or 0
    has_ended = job.job_id is not None and job.status in ENDED_JOBS
    return children > 1 and has_ended and _next(job) < children


def take(run: Run, event: ChildrenTimed) -> Run:
    """Add a piece to what is known."""
    job = next((each for each in run.jobs if each.job_id == event.job_id), None)
    if job is None or not is_untimed(job) or _next(job) != event.first:
        return run
    before, piece = job.child_times or ChildTimes(), event.times
    began = [at for at in (before.first_started_at, piece.first_started_at) if at is not None]
    after = ChildTimes(
        next=piece.next,
        known=before.known + piece.known,
        seconds=dict(Counter(before.seconds) + Counter(piece.seconds)),
        first_started_at=min(began, default=None),
    )
    return replace_job(run, job, child_times=after)


def give_up(run: Run, at: datetime) -> Run:
    """Ask no more what nobody has answered for as long as Batch can be relied on to know it."""
    if run.settled_at is None or at < run.settled_at + _LIFE:
        return run
    for job in filter(is_untimed, run.jobs):
        so_far = job.child_times or ChildTimes()
        run = replace_job(
            run, job, child_times=so_far.model_copy(update={"next": job.children})
        )  # fmt: skip
    return run


def _next(job: JobState) -> int:
    return job.child_times.next if job.child_times is not None else 0
