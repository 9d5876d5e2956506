"""Traces in X-Ray, through powertools' Tracer: a subsegment for each event that a run is told.

Lambda's active tracing shows an invocation; this shows what was done in it for which run. The
annotations are the run's id and kind and the event's name, and nothing else is ever written:
responses and exceptions stay out of it (powertools captures both unless it is told not to, and
its decorators are not used), and boto3 is not patched, for a patch would stand around the one
call that must not be repeated.

Imported only where ``FALSEWORK_TRACER`` is on: the SDK takes its time, and is in maintenance.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from chalicelib.core.errors import Misconfigured
from chalicelib.tracing import Note, Trace, notes_nothing

VALUE_CHARACTERS: Final = 1000
"""Of an annotation (AWS X-Ray developer guide, segment documents)."""


def open_trace(service: str) -> Trace:
    """Return what traces. Raises Misconfigured where the package was built without it."""
    try:
        import aws_xray_sdk.core  # noqa: F401, PLC0415 -- powertools imports it when it is too late
        from aws_lambda_powertools import Tracer  # noqa: PLC0415 -- see above
    except ImportError as exc:
        raise Misconfigured(
            f"FALSEWORK_TRACER is on, and {exc.name} is not in the package: build it with"
            " infra/tracing.txt (`make deploy` does), or set FALSEWORK_TRACER=false"
        ) from exc
    return _XRay(Tracer(service=service, auto_patch=False).provider)


class _XRay:
    """The Trace over a recorder of the X-Ray SDK."""

    def __init__(self, recorder: Any) -> None:
        self._recorder = recorder

    @contextmanager
    def __call__(self, what: str, run_id: str, /) -> Iterator[Note]:
        """Trace it; that it failed is told, but not of what."""
        subsegment = self._recorder.begin_subsegment(f"## {what}")
        if subsegment is None:
            yield notes_nothing
            return

        def note(name: str, value: str, /) -> None:
            subsegment.put_annotation(name, value[:VALUE_CHARACTERS])

        note("run_id", run_id)
        note("event", what)
        try:
            yield note
        except BaseException:
            subsegment.add_fault_flag()
            raise
        finally:
            self._recorder.end_subsegment()
