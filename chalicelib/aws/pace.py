"""How often all Lambdas together submit: a counter for every second, in DynamoDB.

A turn that was taken and whose answer was lost stays taken; the second is a little shorter then.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from chalicelib.aws.table import ConditionFailed, Key, Table
from chalicelib.core.limits import BATCH_SUBMISSIONS_PER_SECOND

RESERVED: Final = 5
"""Left to whoever else submits in the account, and to clocks that disagree."""
KEPT_SECONDS: Final = 3600


class DynamoPace:
    """The Pace of the AWS home."""

    def __init__(
        self, table: Table, per_second: int = BATCH_SUBMISSIONS_PER_SECOND - RESERVED
    ) -> None:
        self._table = table
        self._per_second = per_second

    def admit(self, now: datetime) -> bool:
        """Take one of this second's turns; False when they are all taken."""
        second = int(now.timestamp())
        try:
            self._table.update(
                Key(f"pace#submit#{second}", "pace"),
                "ADD #n :one SET #expires_at = :expires_at",
                "attribute_not_exists(#n) OR #n < :most",
                one=1,
                expires_at=second + KEPT_SECONDS,
                most=self._per_second,
            )
        except ConditionFailed:
            return False
        return True
