"""The whole document: every route of the application, and nothing else."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from chalice.app import Chalice

from chalicelib.version import VERSION
from chalicelib.web.openapi import refusals
from chalicelib.web.openapi.components import Components
from chalicelib.web.openapi.operations import SIGNED_SCHEME, Place, operation

_ABOUT: Final = """Container jobs on AWS Batch, or on one machine: from a request to its outputs.

Who asks shows a token (`falsework token create`) in one of three headers. On a machine of one's
own, behind `falsework serve` on a loopback address, nobody needs one. Refusals are problem
documents (RFC 9457); below `/flowserv` they have flowserv's form."""

_SCHEMES: Final = {
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "fw_<id>_<secret>"},
    "x-access-token": {
        "type": "apiKey",
        "in": "header",
        "name": "x-access-token",
        "description": "The same token, as the `workflow` clients send it.",
    },
    "api_key": {
        "type": "apiKey",
        "in": "header",
        "name": "api_key",
        "description": "The same token, as flowserv's clients send it.",
    },
    SIGNED_SCHEME: {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "x-amazon-apigateway-authtype": "awsSigv4",
        "description": "A signature of AWS (Signature Version 4, service `execute-api`).",
    },
}


@cache
def document(app: Chalice) -> dict[str, Any]:
    """Return the document; nobody may change it. Raises Misconfigured for what is not described.

    It names no server: that depends on how it was asked for.
    """
    components = Components()
    places = list(_places(app))
    paths: dict[str, Any] = {}
    for place in sorted(places, key=lambda place: place.path):
        paths.setdefault(place.path, {})[place.method.lower()] = operation(place, components)
    responses = refusals.responses(components.answer)
    whole: dict[str, Any] = _in_markdown(
        {
            "openapi": "3.1.0",
            "info": {"title": "Falsework", "version": VERSION, "description": _ABOUT},
            "tags": list(_tags(places)),
            "paths": paths,
            "components": {
                "schemas": components.schemas(),
                "responses": responses,
                "securitySchemes": _SCHEMES,
            },
        }
    )
    return whole


def _places(app: Chalice) -> Iterator[Place]:
    for path, methods in app.routes.items():
        for method, entry in methods.items():
            yield Place(method, path, entry)


def _tags(places: list[Place]) -> Iterator[dict[str, str]]:
    """A tag is a module of routes, in the application's order; its docstring's first line tells
    what it is for."""
    modules = {place.tag: place.entry.view_function.__module__ for place in places}
    for tag, module in modules.items():
        words = (sys.modules[module].__doc__ or "").partition("\n")[0]
        yield {"name": tag, "description": words}


def _in_markdown(value: Any) -> Any:
    """Docstrings quote code with two backticks, CommonMark with one."""
    match value:
        case dict():
            return {name: _in_markdown(each) for name, each in value.items()}
        case list() | tuple():
            return [_in_markdown(each) for each in value]
        case str():
            return value.replace("``", "`")
        case _:
            return value
