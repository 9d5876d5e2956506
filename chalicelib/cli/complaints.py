"""What the user reads when something is wrong, and the exit codes that scripts rely on."""

from __future__ import annotations

import json
from enum import IntEnum
from typing import Any

from chalicelib.core.errors import FalseworkError, InvalidRequest


class Exit(IntEnum):
    """The exit codes. Those of ``run --wait`` tell how the run ended."""

    SUCCESS = 0
    ERROR = 1
    """The run ended in ERROR; or something that is not the user's failed."""
    BAD_REQUEST = 2
    """The user asked for what cannot be done; argparse uses the same."""
    CANCELED = 3
    INTERRUPTED = 130
    """Ctrl-C, as shells have it."""


class Complaint(Exception):
    """One clear block: what is wrong, where, with which value, and the mend."""

    def __init__(
        self,
        what: str,
        *,
        field: str = "",
        value: object = None,
        mend: str = "",
        code: Exit = Exit.BAD_REQUEST,
    ) -> None:
        super().__init__(what)
        self.code = code
        self._rows = {"what": what, "field": field, "value": _written(value), "mend": mend}

    def __str__(self) -> str:
        """Return the block."""
        rows = [f"  {name + ':':7}{text}" for name, text in self._rows.items() if text]
        return "\n".join(["falsework:", *rows])


def complaint_of(error: FalseworkError | OSError) -> Complaint:
    """Return what to say about an error that was raised in this process."""
    if isinstance(error, InvalidRequest):
        return Complaint(error.message, field=error.field, value=error.value, mend=error.mend)
    return Complaint(str(error))


def complaint_of_problem(status: int, problem: dict[str, Any]) -> Complaint:
    """Return what to say about a problem document."""
    code = Exit.BAD_REQUEST if status < 500 else Exit.ERROR
    culprits = problem.get("errors") or [{}]
    culprit = culprits[0]
    return Complaint(
        str(
            problem.get("detail")
            or problem.get("message")
            or problem.get("title")
            or f"HTTP status {status}"
        ),
        field=str(culprit.get("field") or ""),
        value=culprit.get("value"),
        mend=str(culprit.get("mend") or ""),
        code=code,
    )


def _written(value: object) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False, default=repr)
