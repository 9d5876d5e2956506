"""How often a call is made again, and after which waits (section 1).

``tries`` are those after the first. The first wait is ``first_wait_seconds``, and every other
one ``backoff`` times the one before; or it is drawn between nothing and that (full jitter), by
whoever gives the lot, from 0 to 1.
"""

from __future__ import annotations

from typing import Final

from pydantic import Field

from chalicelib.core.noun import Noun


class RetryRow(Noun):
    """A row of the table: the service did not answer, or failed, and may not the next time."""

    first_wait_seconds: float = Field(gt=0)
    tries: int = Field(ge=0)
    backoff: float = Field(default=2.0, ge=1)
    has_full_jitter: bool = True

    def longest_wait_seconds(self, tried: int) -> float:
        """Return how long the wait may be after ``tried`` tries, the first one being 1."""
        return self.first_wait_seconds * self.backoff ** (tried - 1)

    def wait_seconds(self, tried: int, lot: float) -> float:
        """Return the wait that the lot means."""
        return self.longest_wait_seconds(tried) * (lot if self.has_full_jitter else 1)


S3_RETRY: Final = RetryRow(first_wait_seconds=3, tries=5)
BATCH_RETRY: Final = RetryRow(first_wait_seconds=3, tries=7)
LAMBDA_RETRY: Final = RetryRow(first_wait_seconds=2, tries=6, has_full_jitter=False)
