"""The Protocol of what keeps measures: a metric system, a log, or nothing, which is the default.

Nobody depends on it: it raises nothing, and what it loses changes no run.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from chalicelib.core.measures import Measure


class Measures(Protocol):
    """Where it is counted what happens to runs."""

    def __call__(self, measures: Iterable[Measure], /) -> None:
        """Take them in."""
        ...


def measures_nothing(measures: Iterable[Measure], /) -> None:
    """Keep no measures: the embedded home's runs are few enough to be listed."""
