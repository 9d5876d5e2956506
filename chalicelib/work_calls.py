"""What a run of the kind ``work`` asks of the work queue, as a protocol: two short calls."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from pydantic import JsonValue

from chalicelib.core.errors import Refused
from chalicelib.core.plans.plan import WorkCall


class WorkCalls(Protocol):
    """Where runs take their works from, and report how they ended."""

    def perform(self, call: WorkCall, at: datetime) -> JsonValue:
        """Take the work, or report its end; return what the stage's result is.

        Raises Refused for a work that is somebody else's now. Harmless when repeated.
        """
        ...


class NoWorkCalls:
    """Of a process that has no work queue."""

    def perform(self, call: WorkCall, at: datetime) -> JsonValue:  # noqa: ARG002 -- the protocol
        """Refuse."""
        raise Refused(f"work {call.lease.work_id}: this process has no work queue")
