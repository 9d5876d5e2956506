"""Views: documents that a filter matches, read page by page and bounded by the answer's size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Annotated, Any, Final

from pydantic import Field

from chalicelib.core.documents import parse_document
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.noun import Noun
from chalicelib.core.work.answers import ANSWER_BYTES, answer_bytes
from chalicelib.core.work.conditions import Condition, matches
from chalicelib.core.work.filters import parse_filter
from chalicelib.core.work.projections import Projection, parse_projection
from chalicelib.core.work.scopes import Scope, scope_of
from chalicelib.work_ports import Kept

MOST: Final = 2**31 - 1
"""Of what is skipped, and of what is shown: more than any answer holds; our choice."""
Walk = Callable[[Scope], Iterator[Kept]]


class ViewBody(Noun):
    """The body of ``POST /view`` and ``POST /view/count``."""

    query: dict[str, Any] = {}
    projection: dict[str, Any] | None = None
    skip: Annotated[int, Field(ge=0, le=MOST)] | None = None
    limit: Annotated[int, Field(ge=0, le=MOST)] | None = None
    """None and 0: all."""


@dataclass(frozen=True)
class View:
    """A view that has been read."""

    condition: Condition
    projection: Projection
    skip: int
    limit: int | None

    @property
    def scope(self) -> Scope:
        """Where its documents are."""
        return scope_of(self.condition, has_results=self.projection.shows_results)


def parse_view(document: object) -> View:
    """Read the body. Raises InvalidRequest."""
    body = parse_document(ViewBody, document)
    return View(
        condition=parse_filter(body.query),
        projection=parse_projection(body.projection or {}),
        skip=body.skip or 0,
        limit=body.limit or None,
    )


def shown(view: View, walk: Walk) -> list[dict[str, Any]]:
    """Return what the view shows. Raises InvalidRequest when that is too much for an answer."""
    answer: list[dict[str, Any]] = []
    size = 0
    for document in islice(_matching(view, walk), view.skip, _end(view)):
        answer.append(view.projection.of(document))
        size += answer_bytes(answer[-1])
        if size > ANSWER_BYTES:
            raise InvalidRequest(
                f"the answer is too large: {len(answer) - 1} documents fit into"
                f" {ANSWER_BYTES} bytes, and there are more",
                field="limit",
                value=view.limit,
                mend="give a limit and a skip, or a projection that keeps fewer fields",
            )
    return answer


def counted(view: View, walk: Walk) -> int:
    """Return how many documents the filter matches; skip and limit mean nothing here."""
    nothing = Projection({"id": {}}, is_keeping=True)
    return sum(1 for _ in _matching(replace(view, projection=nothing), walk))


def _end(view: View) -> int | None:
    return None if view.limit is None else view.skip + view.limit


def _matching(view: View, walk: Walk) -> Iterator[dict[str, Any]]:
    for kept in walk(view.scope):
        if matches(view.condition, kept.document):
            yield kept.document
