"""What a route takes and what it answers, written beside it; ``web.openapi`` tells it on.

::

    @routes.route("/runs", methods=["GET"])
    @answered(Scope.READ)
    @described({200: RunPage}, query=RunQuery)
    def list_runs() -> Response:
        '''Answer a page of runs, newest first.'''

What every route may answer (no token, no such run, a body that is too large, …) is not repeated
here: ``web.openapi.refusals`` knows it. A description promises nothing by itself: tests hold it
against the real answers. Nothing is built at import.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, NamedTuple, ParamSpec, TypeVar

from chalice.app import Response

P = ParamSpec("P")
View = TypeVar("View", bound=Callable[..., Response])
_DESCRIBED: Final = "falsework_described"
JSON: Final = "application/json"


class Answer(NamedTuple):
    """One answer of a route; a type alone is one that is JSON of that type."""

    content: Any = None
    """The type of the JSON; None: no body, or one that is no JSON."""
    media_type: str | None = JSON
    """None: there is no body."""
    headers: tuple[str, ...] = ()
    """Those that it always has; ``web.openapi.headers`` says what they mean."""


NOTHING: Final = Answer(media_type=None)
"""An answer without a body."""
TAGGED: Final = ("ETag",)
UNCHANGED: Final = Answer(media_type=None, headers=TAGGED)
IF_NEWS: Final = ("If-None-Match",)
"""Of a run: what its answers have, the one to who has it already, and how that is said."""


class Described(NamedTuple):
    """What a route takes and answers."""

    answers: Mapping[int, tuple[Answer, ...]]
    query: Any
    body: Any
    example: Any
    needs_body: bool
    paths: Mapping[str, Any]
    headers: tuple[str, ...]
    refuses: frozenset[int]


def described(  # noqa: PLR0913 -- each is one thing that a route may have
    answers: Mapping[int, Any],
    *,
    query: Any = None,
    body: Any = None,
    example: Any = None,
    needs_body: bool = True,
    paths: Mapping[str, Any] | None = None,
    headers: tuple[str, ...] = (),
    refuses: Collection[int] = (),
) -> Callable[[View], View]:
    """Write on a route what it takes and answers.

    ``answers`` are by status: a type, an ``Answer``, or a list of these where their media types
    differ. ``query`` is a model, or a type of all that stands behind the question mark;
    ``example`` a body that could be sent as it stands. ``paths`` are the types of parts of the
    path that are not any text, ``headers`` the names of those that the route looks at, ``refuses``
    the statuses of problems that are its own.
    """
    written = Described(
        answers={status: _answers(given) for status, given in answers.items()},
        query=query,
        body=body,
        example=example,
        needs_body=needs_body,
        paths=paths or {},
        headers=headers,
        refuses=frozenset(refuses),
    )

    def write(view: View) -> View:
        setattr(view, _DESCRIBED, written)
        return view

    return write


def description_of(view: Callable[..., Any]) -> Described | None:
    """Return what is written on the route; None where nobody has."""
    found: Described | None = getattr(view, _DESCRIBED, None)
    return found


def _answers(given: Any) -> tuple[Answer, ...]:
    several = given if isinstance(given, list) else [given]
    return tuple(each if isinstance(each, Answer) else Answer(each) for each in several)
