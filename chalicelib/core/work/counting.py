"""How many works there are, from counts that the stores keep."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from chalicelib.core.work.model import WorkStatus

Counts = Mapping[WorkStatus, int]
"""How many works of one pipeline have each status; those without any may be left out."""

_SHOWN: Final = (
    WorkStatus.QUEUED,
    WorkStatus.RUNNING,
    WorkStatus.SUCCESS,
    WorkStatus.FAILURE,
)
"""In this order: the client's command line prints the values by their place."""


def total(counts: Counts) -> int:
    """Return how many there are, whatever their status."""
    return sum(max(0, count) for count in counts.values())


def status_document(pipelines: Iterable[Counts]) -> dict[str, int]:
    """Return the answer of ``/status``: the sum over these pipelines, ``total`` first."""
    counted = list(pipelines)
    shown = {
        status.value: sum(max(0, counts.get(status, 0)) for counts in counted) for status in _SHOWN
    }
    return {"total": sum(map(total, counted)), **shown}
