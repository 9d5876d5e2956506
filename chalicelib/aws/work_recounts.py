"""The counters of the work queue are put right: each pipeline's once a day, a few in each minute.

A process that died between a write and its count, or a lost answer, leaves a counter wrong (see
``work_counts``). The sweep comes every minute, and a pipeline's minute of the day is a digest of
its name: nothing has to be remembered, and a missed minute is made up for on the next day. It
counts index entries, so it costs what reading them costs: some 250 read units for a thousand works
of a kilobyte.
"""

from __future__ import annotations

import hashlib
import logging
from datetime import datetime
from typing import Final

from chalicelib.aws.work_shelf import DynamoShelf
from chalicelib.work_ports import WorkPorts

MINUTES: Final = 24 * 60
TRIES: Final = 3
"""What changes while it is counted is counted again; a busy pipeline is left for tomorrow."""

log = logging.getLogger(__name__)


def recount_due(ports: WorkPorts, at: datetime) -> int:
    """Count the pipelines whose minute this is, in Buckets and in Results; return how many."""
    minute = at.hour * 60 + at.minute
    shelves = [each for each in (ports.works, ports.results) if isinstance(each, DynamoShelf)]
    return sum(_recount(shelf, minute) for shelf in shelves)


def minute_of(pipeline: str) -> int:
    """Return the minute of the day, in UTC, in which the pipeline is counted."""
    return int(hashlib.sha256(pipeline.encode()).hexdigest()[:8], 16) % MINUTES


def _recount(shelf: DynamoShelf, minute: int) -> int:
    due = [pipeline for pipeline in shelf.pipelines() if minute_of(pipeline) == minute]
    for pipeline in due:
        if not any(shelf.recount([pipeline]) for _ in range(TRIES)):
            log.info("pipeline %s changes too fast to be counted; tomorrow again", pipeline)
    return len(due)
