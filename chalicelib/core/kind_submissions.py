"""A submission of any kind but a demand: the request's own fields and, beside them, three of ours.

``kind`` says of which kind it is, where that does not follow from the way it came in; ``run_id``
is the name under which the run is known and a repeat recognised; ``options`` is what the
submitter wants done.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final, NamedTuple

from pydantic import AliasChoices, Field, JsonValue

from chalicelib.core.demand.wire import Wire
from chalicelib.core.documents import at_field, parse_document, shortened
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.noun import Noun
from chalicelib.core.options import Options

RUN_ID_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"

_KEYS_OF_A_DEMAND: Final = frozenset(
    {"execution_type", "executionType", "demand_execution", "demandExecution"}
)
_OF_A_DEMAND: Final = ("cleanup", "privileged", "secrets")
"""What only the user's own job of a demand has: it would be taken and never be looked at."""


class _Ours(Noun):
    run_id: str | None = Field(default=None, pattern=RUN_ID_PATTERN)


class KindSubmission(NamedTuple):
    """A request that was parsed, and what the submitter wants done."""

    kind: str
    request: Wire
    run_id: str | None
    options: Options

    def document(self) -> dict[str, JsonValue]:
        """Return the parsed submission as JSON: what is digested, and kept in the plan."""
        return {
            "request": self.request.to_wire(),
            "options": self.options.model_dump(mode="json", exclude_none=True),
        }

    def digest(self) -> str:
        """Return the sha256 of the document: same content, same digest, in any spelling."""
        return hashlib.sha256(json.dumps(self.document(), sort_keys=True).encode()).hexdigest()


def split_document(document: object, what: str) -> tuple[dict[str, Any], str | None, Options]:
    """Return the request's own fields, the run's id and the options. Raises InvalidRequest.

    ``what`` is refused the options that only a demand has.
    """
    if not isinstance(document, Mapping):
        raise InvalidRequest(
            "the body must be a JSON object", field="", value=document, mend="send the request"
        )
    ours = parse_document(_Ours, {k: v for k, v in document.items() if k == "run_id"})
    with at_field("options"):
        options = parse_document(Options, document.get("options", {}))
        _refuse_those_of_a_demand(options, what)
    body = {key: value for key, value in document.items() if key not in {"run_id", "options"}}
    return body, ours.run_id, options


def check_kind(told: object, kind: str) -> None:
    """Raise InvalidRequest for a document of another kind than that of where it was sent."""
    if told != kind:
        raise InvalidRequest(
            f"this is where a {kind} is submitted",
            field="kind",
            value=shortened(told),
            mend=f"give {kind}, or leave it out",
        )


def check_known(body: Mapping[str, Any], model: type[Wire], what: str) -> None:
    """Raise InvalidRequest for a key that is no field of the model, in any of its spellings.

    For kinds whose format is ours alone: a misspelt field would silently have its default. The
    formats that we have from others ignore what they do not know.
    """
    known = _spellings(model)
    for name, value in body.items():
        if name not in known:
            alike = get_close_matches(str(name), known, n=1)
            raise InvalidRequest(
                f"{what} has no field {name!r:.100}",
                field=str(shortened(name)),
                value=shortened(value),
                mend="leave it out" + (f", or write {alike[0]} if that is meant" if alike else ""),
            )


def _spellings(model: type[Wire]) -> list[str]:
    found = []
    for name, field in model.model_fields.items():
        told = field.validation_alias
        others = told.choices if isinstance(told, AliasChoices) else (told, field.alias)
        found += [name, *(each for each in others if isinstance(each, str))]
    return found


def kind_of(document: object) -> str | None:
    """Return the kind that a document says it is of; None for a demand, which need not say one.

    A document with stages is a pipeline. Whether there is such a kind is not looked at.
    """
    if not isinstance(document, Mapping) or not _KEYS_OF_A_DEMAND.isdisjoint(document):
        return None
    kind = document.get("kind", "pipeline" if "stages" in document else None)
    return None if kind is None else str(kind)


def named(document: Mapping[str, Any], kind: str, origin: str) -> dict[str, Any]:
    """Return the document with an id for its run, if it has none: one that follows from where it
    came from, so that what is delivered twice is one run."""
    mark = hashlib.sha256(f"{kind} {origin}".encode()).hexdigest()[:20]
    return {"run_id": f"{kind}-{mark}", **document}


def _refuse_those_of_a_demand(options: Options, what: str) -> None:
    for name in _OF_A_DEMAND:
        value = getattr(options, name)
        if value:
            raise InvalidRequest(
                f"{what} has no {name}", field=name, value=shortened(value), mend="leave it out"
            )
