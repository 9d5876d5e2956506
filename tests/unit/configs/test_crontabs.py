"""Crontabs, read as cron reads them, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from chalicelib.configs.crontabs import next_time
from chalicelib.core.errors import InvalidRequest


@pytest.mark.parametrize(
    ("crontab", "after", "found"),
    [
        ("* * * * *", "2026-01-01T00:00:00", "2026-01-01T00:01:00"),
        ("* * * * *", "2026-01-01T00:00:59.9", "2026-01-01T00:01:00"),
        ("*/15 * * * *", "2026-01-01T00:50:00", "2026-01-01T01:00:00"),
        ("30 6 * * MON-FRI", "2026-01-02T06:30:00", "2026-01-05T06:30:00"),
        ("0 0 29 2 *", "2026-01-01T00:00:00", "2028-02-29T00:00:00"),
        ("0 0 13 * 5", "2026-01-01T00:00:00", "2026-01-02T00:00:00"),  # either of the two
        ("  0   2 * *   7 ", "2026-01-01T00:00:00", "2026-01-04T02:00:00"),
    ],
)
def test_the_next_minute_is_found(crontab, after, found):
    at = datetime.fromisoformat(after).replace(tzinfo=UTC)
    assert next_time(crontab, at) == datetime.fromisoformat(found).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "crontab",
    ["", "* * * *", "* * * * * *", "60 * * * *", "* * 0 * *", "*/0 * * * *", "5-1 * * * *",
     "@daily", "* * 31 2 *", "x * * * *", "* * */20 * 1L", "9" * 5000 + " * * * *"],
)  # fmt: skip
def test_what_is_no_crontab_is_refused(crontab):
    with pytest.raises(InvalidRequest, match="no crontab: ") as refused:
        next_time(crontab, datetime(2026, 1, 1, tzinfo=UTC))
    assert refused.value.field == "crontab"
