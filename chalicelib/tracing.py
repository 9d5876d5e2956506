"""The Protocol of what keeps traces: X-Ray where an operator has switched it on, else nothing.

Nobody depends on it: it raises nothing of its own, and what it loses changes no run.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

Note = Callable[[str, str], None]
"""Writes a name and a value on what is being traced; both can be searched for."""


class Trace(Protocol):
    """Where it is kept how long things took."""

    def __call__(self, what: str, run_id: str, /) -> AbstractContextManager[Note]:
        """Trace what is done within, about that run."""
        ...


def notes_nothing(name: str, value: str, /) -> None:
    """Forget it."""


def traces_nothing(what: str, run_id: str, /) -> AbstractContextManager[Note]:  # noqa: ARG001
    """Keep no traces: unless the deployment asks for them nothing is imported for it."""
    return nullcontext(notes_nothing)
