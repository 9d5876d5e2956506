"""Refusals: problem documents (RFC 9457), as ``core/problem.py`` writes them."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from chalicelib.web.shapes.shape import Shape


class Culprit(Shape):
    """What is wrong with a request."""

    field: str
    """The dotted path of it; empty: the document itself."""
    value: Any
    """What stood there, cut short."""
    mend: str
    """What to do about it."""


class Problem(Shape):
    """A refusal, or a failure."""

    type: str = Field(pattern=r"^urn:falsework:problem:[a-z-]+$")
    """Stable: programs may tell refusals apart by it."""
    title: str
    status: int
    detail: str
    errors: tuple[Culprit, ...] = ()
    """Left out where no part of the request is to blame."""
    message: str = ""
    """The detail again, for clients of schedules, who look for it there; else left out."""
