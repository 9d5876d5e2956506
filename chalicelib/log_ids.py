"""The ids that belong to every line of the log, whoever writes it: which run, which event.

Who takes something in hand says so (``about``), and whoever shapes lines asks (``ids``). Between
the two nobody has to hand ids on, so that a library's line has them as well. A thread that is
started within begins without.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

ID_CHARACTERS: Final = 200
"""Some ids come from outside; a line stays a line."""

_ids: ContextVar[Mapping[str, str]] = ContextVar("ids", default={})  # noqa: B039 -- never changed


@contextmanager
def about(**told: str) -> Iterator[None]:
    """Let every line that is written within have these ids; empty ones say nothing."""
    known = {name: text[:ID_CHARACTERS] for name, text in told.items() if text}
    mark = _ids.set({**_ids.get(), **known})
    try:
        yield
    finally:
        _ids.reset(mark)


def ids() -> Mapping[str, str]:
    """Return the ids of what is in hand."""
    return _ids.get()
