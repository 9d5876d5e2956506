"""Metrics as lines of the log: CloudWatch's embedded metric format, and nothing is called.

CloudWatch Logs makes metrics of a line that has the member ``_aws`` (Amazon CloudWatch user
guide, "Specification: Embedded metric format"). A line stands for one combination of dimensions.
powertools' Metrics writes the same, but gathers in one object of the process until its handler's
end: a function that is killed by its timeout would lose what it had measured, and a metric with
dimensions of its own needs an object of its own. What it writes for the same values a test
compares. The ids of what is in hand stand in the line as well: no dimensions, but to be found.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final

from chalicelib.core.limits import EMF_VALUES
from chalicelib.core.measures import Measure
from chalicelib.log_ids import ids

NAMESPACE: Final = "Falsework"

Dimensions = tuple[tuple[str, str], ...]


class EmfLines:
    """Writes what is measured to standard output, at once."""

    def __init__(
        self,
        service: str,
        clock: Callable[[], datetime],
        write: Callable[[str], object] | None = None,
    ) -> None:
        self._service = service
        self._clock = clock
        self._write = write or _print

    def __call__(self, measures: Iterable[Measure]) -> None:
        """Write a line for each combination of dimensions."""
        at_ms = int(self._clock().timestamp() * 1000)
        alike: dict[Dimensions, list[Measure]] = {}
        for measure in measures:
            alike.setdefault(measure.dimensions, []).append(measure)
        for dimensions, found in alike.items():
            for start in range(0, len(found), EMF_VALUES):
                some = found[start : start + EMF_VALUES]
                self._write(json.dumps(_line(self._service, at_ms, dimensions, some)) + "\n")


def _line(service: str, at_ms: int, dimensions: Dimensions, some: list[Measure]) -> dict[str, Any]:
    named = {"service": service, **dict(dimensions)}
    values: dict[str, list[float]] = {}
    for measure in some:
        values.setdefault(measure.metric, []).append(measure.value)
    units = {str(measure.metric): measure.unit for measure in some}
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [list(named)],
        "Metrics": [{"Name": name, "Unit": unit} for name, unit in units.items()],
    }
    return {
        "_aws": {"Timestamp": at_ms, "CloudWatchMetrics": [directive]},
        **ids(),
        **named,
        **{str(name): found for name, found in values.items()},
    }


def _print(line: str) -> None:
    sys.stdout.write(line)
    sys.stdout.flush()
