"""Crontab expressions: five fields, in UTC, read as Debian's cron reads them.

``cronsim`` does it: one small module without dependencies, kept up by those who run Healthchecks
on it. ``croniter`` brings python-dateutil along, into a Lambda that has no other use for it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from cronsim import CronSim, CronSimError

from chalicelib.core.errors import InvalidRequest

FIELDS: Final = 5
"""A sixth would be seconds, which nobody here looks at."""


def next_time(crontab: str, after: datetime) -> datetime:
    """Return the first minute behind ``after``. Raises InvalidRequest.

    It is an error, too, if there is none within fifty years.
    """
    if len(crontab.split()) != FIELDS:
        raise _bad(crontab, f"it has not {FIELDS} fields")
    try:
        return next(CronSim(crontab, after))
    except StopIteration:
        raise _bad(crontab, "no minute of the next fifty years is meant") from None
    except (CronSimError, AssertionError, ValueError) as exc:
        raise _bad(crontab, str(exc) or "it cannot be read") from exc


def _bad(crontab: str, why: str) -> InvalidRequest:
    return InvalidRequest(
        f"no crontab: {why}",
        field="crontab",
        value=crontab,
        mend="give minute, hour, day, month and weekday in UTC, such as '*/5 * * * *'",
    )
