"""Where runs are found: the indexes of the table and the keys by which a run stands in them.

=============  ==============================  ===========================  =====================
index          partition                       sort                         who asks
=============  ==============================  ===========================  =====================
by_group       ``group#<group>``               ``<created at>#<id>``        a group's list
by_state       ``<state>#<day>#<shard>``       the same                     the list of a state
by_day         ``<day>#<shard>``               the same                     the list of all
by_check_time  ``due#<shard>``                 ``<next check at>#<id>``     the sweep
=============  ==============================  ===========================  =====================

A partition takes 1,000 writes a second (Amazon DynamoDB developer guide). A group's list is
written when a run is created, and an update that leaves an index's keys alone costs nothing there;
whatever changes more often is spread over ``SHARDS`` partitions, and reading merges them again. A
run is always in the same shard. Raising ``SHARDS`` is safe, lowering it hides runs.
"""

from __future__ import annotations

import zlib
from datetime import UTC, datetime
from typing import Final

from chalicelib.aws.expressions import Index, Item
from chalicelib.core.run import RunRecord, RunState

SHARDS: Final = 4
"""A run is saved some 25 times, each time at another check time; Batch takes 50 jobs a second,
four of them for a run: some 600 writes a second. A flood of submissions comes on top."""

BY_GROUP: Final = Index("by_group", "group_key", "created_key")
BY_STATE: Final = Index("by_state", "state_key", "created_key")
BY_DAY: Final = Index("by_day", "day_key", "created_key")
BY_CHECK_TIME: Final = Index("by_check_time", "due_key", "due_at")


def index_keys(run: RunRecord) -> Item:
    """Return the attributes by which the run is found; None where it is not to be found."""
    shard = zlib.crc32(run.id.encode()) % SHARDS
    day = day_of(run)
    check_at = run.next_check_at
    return {
        "created_key": f"{sort_text(run.created_at)}#{run.id}",
        "group_key": group_partition(run.group),
        "state_key": f"{run.state}#{day}#{shard}",
        "day_key": f"{day}#{shard}",
        "due_key": None if check_at is None else f"due#{shard}",
        "due_at": None if check_at is None else f"{sort_text(check_at)}#{run.id}",
    }


def day_of(run: RunRecord) -> str:
    """Return the day on which the run was created, in UTC."""
    return run.created_at.astimezone(UTC).date().isoformat()


def group_partition(group: str) -> str:
    """Return the partition of a group's list."""
    return f"group#{group}"


def day_partitions(day: str, state: RunState | None) -> list[str]:
    """Return the partitions of a day's list, of all runs or of those in one state."""
    prefix = "" if state is None else f"{state}#"
    return [f"{prefix}{day}#{shard}" for shard in range(SHARDS)]


def due_partitions() -> list[str]:
    """Return the partitions of what the sweep must look at."""
    return [f"due#{shard}" for shard in range(SHARDS)]


def sort_text(at: datetime) -> str:
    """Return ``at`` in the form that sorts."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")
