"""Waiting for a condition, with a deadline that only a hung program meets."""

from __future__ import annotations

import time
from collections.abc import Callable

DEADLINE_SECONDS = 90
LOOK_SECONDS = 0.05


def until(is_so: Callable[[], object]) -> None:
    """Return as soon as ``is_so`` is true. Fails after ``DEADLINE_SECONDS``."""
    end = time.monotonic() + DEADLINE_SECONDS
    while not is_so():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(LOOK_SECONDS)
