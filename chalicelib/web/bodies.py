"""Bodies that are not submissions, as models; everything else in them is refused by name."""

from __future__ import annotations

from typing import Annotated, Final, TypeVar

from chalice.app import Request
from pydantic import Field

from chalicelib.core.documents import parse_document
from chalicelib.core.flowserv.workflows import Argument, RunId
from chalicelib.core.noun import Noun
from chalicelib.web.answers import document_of

MOST_ARGUMENTS: Final = 1000
MOST_RUNS: Final = 1000
"""Our choice, both."""

Body = TypeVar("Body", bound=Noun)
Generation = Annotated[int, Field(strict=True, ge=1)]


class CancelBody(Noun):
    """The body of flowserv's ``PUT /runs/{id}``, where there is one."""

    reason: str


class CreateBody(Noun):
    """The body of flowserv's ``POST /groups/{g}/runs``."""

    arguments: tuple[Argument, ...] = Field(default=(), max_length=MOST_ARGUMENTS)


class PostProcessBody(CreateBody):
    """The body of ``POST /flowserv/workflows/{w}/runs``: a post-processing run."""

    runs: tuple[RunId, ...] = Field(default=(), max_length=MOST_RUNS)
    """What it is made from, in the order of the ranking."""


class ResumeBody(Noun):
    """The body of ``POST /runs/{id}/resume``; none at all is one without a generation."""

    generation: Generation | None = None
    """The one that is to be left, as the run shows it: a repeat is then harmless."""


class RollbackBody(Noun):
    """The body of ``POST /runs/{id}/rollback``."""

    stage: str = Field(max_length=150)
    """Where to begin again; the stages after it run again too."""
    generation: Generation | None = None
    """As in ResumeBody."""


def body_of(request: Request, model: type[Body]) -> Body:
    """Return the request's body; nothing sent is an empty object. Raises InvalidRequest."""
    return parse_document(model, document_of(request) if request.raw_body else {})
