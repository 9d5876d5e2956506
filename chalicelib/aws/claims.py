"""Claims in DynamoDB: the first job to claim a name holds it, decided by one conditional write."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from chalicelib.aws.expressions import Item
from chalicelib.aws.table import ConditionFailed, Key, Table
from chalicelib.core.errors import Unavailable
from chalicelib.ports import Claim

KEPT: Final = timedelta(days=30)
"""Batch forgets a job about a week after its end, and no name is ever used again."""

_MAY_CLAIM: Final = "attribute_not_exists(pk) OR (#job_id = :job_id AND #attempt < :attempt)"


class DynamoClaims:
    """The Claims of the AWS home."""

    def __init__(self, table: Table, clock: Callable[[], datetime]) -> None:
        self._table = table
        self._clock = clock

    def claim(self, job_name: str, index: int, job_id: str, attempt: int) -> Claim:
        """Claim, or claim again with a higher attempt; return who holds it now."""
        own = {"job_id": job_id, "attempt": attempt}
        expires_at = int((self._clock() + KEPT).timestamp())
        values = {**own, "expires_at": expires_at}
        try:
            self._table.put(_key(job_name, index), values, _MAY_CLAIM, **own)
        except ConditionFailed as exc:
            if exc.item is None:  # it expired between the write and the look at it
                raise Unavailable(f"claiming {job_name} {index}: try again") from exc
            return _claim(exc.item)
        return Claim(job_id, attempt)

    def holder(self, job_name: str, index: int) -> Claim | None:
        """Return who holds it, read consistently."""
        item = self._table.get(_key(job_name, index))
        return None if item is None else _claim(item)


def _key(job_name: str, index: int) -> Key:
    return Key(f"claim#{job_name}", str(index))


def _claim(item: Item) -> Claim:
    return Claim(item["job_id"], item["attempt"])
