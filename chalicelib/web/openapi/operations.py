"""One operation of the document: a method of a path, from the route that answers it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from chalice.app import RouteEntry
from pydantic import BaseModel

from chalicelib.core.errors import Misconfigured
from chalicelib.core.idempotency import HEADER
from chalicelib.core.principals import Scope
from chalicelib.web.api import SIGNED
from chalicelib.web.asked import scope_of
from chalicelib.web.described import JSON, Answer, Described, description_of
from chalicelib.web.openapi import headers, refusals
from chalicelib.web.openapi.components import Components
from chalicelib.web.problems import takes_key

SCHEMES: Final = ("bearer", "x-access-token", "api_key")
SIGNED_SCHEME: Final = "aws-sigv4"
_OPEN: Final = "Needs no token."
_PART: Final = re.compile(r"\{(\w+)\}")
_MEANINGS: Final = {
    200: "It is done.",
    201: "It is made.",
    202: "It is accepted; the rest happens later.",
    204: "It is done, and there is nothing to say.",
    206: "The part that was asked for.",
    304: "It is as it was.",
    307: "It lies there: a link that is short-lived and opens this alone.",
    416: "There is no such part.",
}


class Place(NamedTuple):
    """Where an operation stands."""

    method: str
    path: str
    entry: RouteEntry

    @property
    def tag(self) -> str:
        """The group of routes that it belongs to."""
        module: str = self.entry.view_function.__module__
        return module.rpartition(".")[2].removesuffix("_routes").replace("_", "-")

    @property
    def scope(self) -> Scope | None:
        """What a token needs; None: nobody needs one."""
        return scope_of(self.entry.view_function, self.method)

    @property
    def takes_key(self) -> bool:
        """Whether it looks at an Idempotency-Key."""
        return takes_key(self.entry.view_function)

    @property
    def is_signed(self) -> bool:
        """Whether API Gateway takes an AWS signature for it, in the place of a token."""
        return (self.path, self.method) in SIGNED

    @property
    def described(self) -> Described:
        """What the route takes and answers. Raises Misconfigured where nobody says."""
        found = description_of(self.entry.view_function)
        if found is None:
            raise Misconfigured(
                f"{self.method} {self.path} does not say what it takes and answers"
            )
        return found


def operation(place: Place, components: Components) -> dict[str, Any]:
    """Return the operation object."""
    route = place.described
    summary, words = _words(place)
    found: dict[str, Any] = {
        "operationId": _operation_id(place),
        "tags": [place.tag],
        "summary": summary,
        "description": words,
        "security": _security(place),
        "parameters": list(_parameters(place, route, components)),
    }
    if route.body is not None:
        example = {} if route.example is None else {"example": route.example}
        content = {JSON: {"schema": components.body(route.body), **example}}
        found["requestBody"] = {"required": route.needs_body, "content": content}
    return {**found, "responses": _responses(place, route, components)}


def _operation_id(place: Place) -> str:
    name: str = place.entry.view_function.__name__
    prefix = "flowserv_" if place.path.startswith(refusals.FLOWSERV) else ""
    return f"{prefix}{name}{'_head' if place.method == 'HEAD' else ''}"


def _words(place: Place) -> tuple[str, str]:
    text = inspect.getdoc(place.entry.view_function) or ""
    summary, _, rest = text.partition("\n\n")
    needed = f"Needs a token with the scope `{place.scope}`." if place.scope else _OPEN
    if place.is_signed:
        needed += " Behind API Gateway it takes an AWS signature instead, and no token."
    return " ".join(summary.split()), "\n\n".join(filter(None, (rest, needed)))


def _security(place: Place) -> list[dict[str, list[str]]]:
    if place.scope is None:
        return []
    shown = [{scheme: [place.scope.value]} for scheme in SCHEMES]
    return [{SIGNED_SCHEME: []}, *shown] if place.is_signed else shown


def _parameters(
    place: Place, route: Described, components: Components
) -> Iterator[dict[str, Any]]:
    for name in _PART.findall(place.path):
        schema = components.body(route.paths.get(name, str))
        yield {"name": name, "in": "path", "required": True, "schema": schema}
    yield from _query(route.query, components)
    keyed = (HEADER,) if place.takes_key else ()
    for name in (*route.headers, *keyed):
        yield headers.parameter(name)


def _query(query: Any, components: Components) -> Iterator[dict[str, Any]]:
    """A model has a parameter for each of its fields; all else is the whole of the query."""
    if query is None:
        return
    if not (isinstance(query, type) and issubclass(query, BaseModel)):
        schema = components.body(query)
        yield {"name": "query", "in": "query", "style": "form", "explode": True, "schema": schema}
        return
    for name, words, schema, is_required in components.fields(query):
        yield {
            "name": name,
            "in": "query",
            "required": is_required,
            **({"description": words} if words else {}),
            "schema": schema,
        }


def _responses(place: Place, route: Described, components: Components) -> dict[str, Any]:
    found = {
        str(status): _response(status, answers, components)
        for status, answers in route.answers.items()
    }
    refused = refusals.refusals_of(place.path, place.scope, route)
    if place.takes_key and not place.path.startswith(refusals.FLOWSERV):
        refused |= {409, 422}
    for status in sorted(refused):
        found.setdefault(str(status), refusals.reference(status, place.path))
    return dict(sorted(found.items()))


def _response(status: int, answers: tuple[Answer, ...], components: Components) -> dict[str, Any]:
    content = {
        answer.media_type: {} if answer.content is None
        else {"schema": components.answer(answer.content)}
        for answer in answers
        if answer.media_type is not None
    }  # fmt: skip
    always = set(answers[0].headers).intersection(*(answer.headers for answer in answers))
    named = {
        name: headers.header(name, is_required=name in always)
        for answer in answers
        for name in answer.headers
    }
    return {
        "description": _MEANINGS[status],
        **({"headers": named} if named else {}),
        **({"content": content} if content else {}),
    }
