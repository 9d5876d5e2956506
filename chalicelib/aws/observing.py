"""What this process tells of itself besides its log: metrics, and traces where they are wanted.

Only in Lambda: elsewhere nobody makes metrics of lines, and no daemon takes traces.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from chalicelib.aws.emf import EmfLines
from chalicelib.measuring import Measures, measures_nothing
from chalicelib.settings import Settings
from chalicelib.tracing import Trace, traces_nothing


def measuring(settings: Settings, clock: Callable[[], datetime]) -> Measures:
    """Return what keeps measures."""
    return EmfLines(settings.site.prefix, clock) if settings.in_lambda else measures_nothing


def tracing(settings: Settings) -> Trace:
    """Return what keeps traces. Raises Misconfigured where they are wanted and cannot be kept."""
    if not (settings.tracer and settings.in_lambda):
        return traces_nothing
    from chalicelib.aws.xray import open_trace  # noqa: PLC0415 -- imported where it is wanted

    return open_trace(settings.site.prefix)
