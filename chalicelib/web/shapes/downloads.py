"""Answers that are files: their bytes, a part of them, or a link to where they lie."""

from __future__ import annotations

from typing import Any, Final

from chalicelib.core.run import RunState
from chalicelib.web.described import Answer
from chalicelib.web.shapes.shape import Shape


class MakingArchive(Shape):
    """The archive is not there yet: a run makes it. Ask again after ``Retry-After`` seconds."""

    run: str
    """Its id, which ``Location`` leads to."""
    state: RunState


FILE: Final = Answer(None, "*/*", ("Content-Disposition", "Accept-Ranges"))
RANGES: Final = ("Range", "If-Range")
_LINK: Final = Answer(None, "text/plain", ("Location", "Cache-Control"))

FILE_ANSWERS: Final[dict[int, Any]] = {
    200: FILE,
    206: Answer(None, "*/*", ("Content-Disposition", "Accept-Ranges", "Content-Range")),
    307: _LINK,
    416: Answer(None, "*/*", ("Content-Range",)),
}
ARCHIVE_ANSWERS: Final[dict[int, Any]] = {
    200: Answer(None, "application/gzip", ("Content-Disposition",)),
    202: Answer(MakingArchive, headers=("Location", "Retry-After")),
    307: _LINK,
}
