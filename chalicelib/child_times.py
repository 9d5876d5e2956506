"""Asking how long the children of an array ran.

``<id of the array>:<index>`` is the id of a child (AWS Batch user guide, "Array jobs"), so a
hundred of them are described at a time, whatever became of them; listing them would need a list
for each status, and a token that may not last. One look takes in ``AT_ONCE`` children, so that
whoever is on his way to a run's next job is not kept.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from typing import Final

from chalicelib.core.commands import TimeChildren
from chalicelib.core.errors import Unavailable
from chalicelib.core.events import ChildrenTimed
from chalicelib.core.failures import classify
from chalicelib.core.job_state import SUCCEEDED, ChildTimes, JobStatus
from chalicelib.core.limits import BATCH_DESCRIBE_IDS
from chalicelib.core.run import Run
from chalicelib.job_ports import JobSeen
from chalicelib.ports import Ports

AT_ONCE: Final = 1000
"""Ten calls, a second or two. The largest array has ten such pieces, each a save of the run."""

log = logging.getLogger(__name__)


def look(command: TimeChildren, run: Run, ports: Ports) -> list[ChildrenTimed]:
    """Return what is known of the next piece; nothing where nobody answers: it stays owed."""
    size = next((job.children for job in run.jobs if job.job_id == command.job_id), None)
    if not size:
        return []
    end = min(command.first + AT_ONCE, size)
    try:
        found = list(_children(command.job_id, range(command.first, end), ports))
    except Unavailable:  # it is only for the bill, and must not make an event fail
        log.info("how long the children of %s ran is asked again", command.job_id, exc_info=True)
        return []
    return [
        ChildrenTimed(
            run_id=run.id,
            at=ports.clock(),
            job_id=command.job_id,
            first=command.first,
            times=_summed(found, end),
        )
    ]


def _children(job_id: str, indexes: range, ports: Ports) -> Iterator[JobSeen]:
    for start in range(indexes.start, indexes.stop, BATCH_DESCRIBE_IDS):
        some = range(start, min(start + BATCH_DESCRIBE_IDS, indexes.stop))
        yield from ports.jobs.describe([f"{job_id}:{index}" for index in some])


def _summed(found: list[JobSeen], end: int) -> ChildTimes:
    seconds: Counter[str] = Counter()
    for child in found:
        seconds[_how_it_ended(child)] += child.seconds  # type: ignore[assignment]  # floats do
    began = [child.started_at for child in found if child.started_at is not None]
    return ChildTimes(
        next=end,
        known=len(found),
        seconds={word: round(many, 3) for word, many in seconds.items()},
        first_started_at=min(began, default=None),
    )


def _how_it_ended(child: JobSeen) -> str:
    if child.status is JobStatus.FAILED:
        return classify(child.exit_code, child.reason).value
    return SUCCEEDED
