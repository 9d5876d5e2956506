"""Files that runs left behind, and the results that are read out of them."""

from __future__ import annotations

from pydantic import Field

from chalicelib.core.flowserv.results import ResultSchema
from chalicelib.web.shapes.shape import Shape

Values = dict[str, float | int | str]
"""Column → value; what is missing and not required is left out."""


class FileView(Shape):
    """A file of a run."""

    id: str
    key: str
    """``<parameter>/<path in the output>``."""
    mime_type: str | None
    """Guessed from the name; null if that says nothing."""
    size_bytes: int


class FileList(Shape):
    """The files of a run, by key."""

    files: tuple[FileView, ...]


class RunResults(Shape):
    """What the site's schema for the group reads out of one of the run's files."""

    run: str
    results: Values


class RunInRanking(Shape):
    """A run with its results."""

    run: str
    created_at: str
    results: Values


class Ranking(Shape):
    """The runs of a group that have results, best first."""

    schema_: ResultSchema = Field(alias="schema")
    """How results are read, and by what they are ranked."""
    ranking: tuple[RunInRanking, ...]
