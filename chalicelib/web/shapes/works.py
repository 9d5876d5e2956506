"""What the work queue and its results answer (specs: work, sections 3 and 4)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from chalicelib.core.noun import Noun
from chalicelib.core.work.model import Work
from chalicelib.web.shapes.shape import Shape

Works = list[Work]
Filter = dict[str, Any]
"""A filter in the language of ``core/work/filters.py``."""
Days = Annotated[float, Field(ge=0)]
Shown = list[dict[str, Any]]
"""Works, or the fields of them that the projection keeps."""


class Version(Shape):
    """That we are there."""

    version: str


class WorksStatus(Shape):
    """How many works there are, in all and by their status."""

    total: int
    queued: int
    running: int
    success: int
    failure: int


class DepositQuery(Noun):
    """The query of ``POST /buckets/work``."""

    return_ids: bool = False
    """Answer the ids of the works in the place of ``true``."""


class IdsQuery(Noun):
    """The query of ``DELETE /buckets/work``."""

    ids: list[str] = Field(default=[])
    """One ``ids=`` for each work."""
