"""How many works there are, in DynamoDB: a counter item for each pipeline, and their list.

A counter follows the write that it counts, in a write of its own. A process that dies in between
leaves it wrong, as does an answer that was lost; ``recount`` puts it right again, and counts truly
when the pipeline is at rest. A pipeline is on the list before its first work is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final, Literal

from chalicelib.aws.expressions import BASE, Item, Query
from chalicelib.aws.table import ConditionFailed, Key, Table
from chalicelib.core.work.model import WorkStatus

_ALWAYS: Final = "attribute_exists(pk) OR attribute_not_exists(pk)"
Changes = Mapping[tuple[str, WorkStatus], int]
"""By pipeline and status, how many more there are."""


class WorkCounts:
    """The counters of Buckets, or those of Results."""

    def __init__(self, table: Table, shelf: Literal["works", "results"]) -> None:
        self._table = table
        self._shelf = shelf
        self._listed: set[str] = set()

    def list_pipelines(self, pipelines: set[str]) -> None:
        """Put the pipelines on the list, unless this process knows that they are."""
        for pipeline in sorted(pipelines - self._listed):
            self._table.put_once(Key(f"{self._shelf}-pipelines", pipeline), {})
            self._listed.add(pipeline)

    def pipelines(self) -> list[str]:
        """Return every pipeline that there ever was."""
        query = Query(BASE, f"{self._shelf}-pipelines", page=1000, is_newest_first=False)
        return [item["sk"] for item in self._table.query(query)]

    def count(self, changes: Changes) -> None:
        """Add the changes to the counters."""
        by_pipeline: dict[str, Counter[str]] = {}
        for (pipeline, status), change in changes.items():
            by_pipeline.setdefault(pipeline, Counter())[status.value] += change
        for pipeline, counter in by_pipeline.items():
            told = {status: change for status, change in counter.items() if change}
            adds = ", ".join(f"#{status} :{status}" for status in told)
            if adds:
                key = self._key(pipeline)
                self._table.update(key, f"ADD {adds}, #changes :one", _ALWAYS, **told, one=1)

    def read(self) -> dict[str, dict[WorkStatus, int]]:
        """Return what the counters say, read consistently; every pipeline, counted or not."""
        keys = {self._key(pipeline): pipeline for pipeline in self.pipelines()}
        items = self._table.get_many(keys)
        return {
            pipeline: _counted(items[key]) if key in items else {}
            for key, pipeline in keys.items()
        }

    def recount(self, pipeline: str, count: Callable[[WorkStatus], int]) -> bool:
        """Set the counters to what ``count`` finds; False if something changed meanwhile."""
        key = self._key(pipeline)
        seen = (self._table.get(key) or {}).get("changes", 0)
        told = {status.value: count(status) for status in WorkStatus}
        sets = ", ".join(f"#{status} = :{status}" for status in told)
        condition = "attribute_not_exists(pk) OR #changes = :seen"
        try:
            self._table.update(
                key, f"SET {sets}, #changes = :next", condition, **told, seen=seen, next=seen + 1
            )
        except ConditionFailed:
            return False
        return True

    def _key(self, pipeline: str) -> Key:
        return Key(f"{self._shelf}-count#{pipeline}", "count")


def _counted(item: Item) -> dict[WorkStatus, int]:
    return {status: item[status] for status in WorkStatus if item.get(status)}
