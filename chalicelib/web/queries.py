"""What may stand behind the question mark, as models; everything else is refused by name."""

from __future__ import annotations

from typing import Any, TypeVar

from chalice.app import MultiDict, Request
from pydantic import Field, field_validator

from chalicelib.core.documents import parse_document
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.noun import Noun
from chalicelib.core.run import RunState

Query = TypeVar("Query", bound=Noun)


class RunQuery(Noun):
    """The query of ``GET /runs``."""

    state: RunState | None = None
    group: str | None = Field(default=None, min_length=1)
    cursor: str | None = Field(default=None, min_length=1)
    limit: int = Field(default=50, ge=1, le=100)

    @field_validator("state", mode="before")
    @classmethod
    def _name_the_states(cls, value: Any) -> Any:
        if value not in RunState.__members__:
            states = ", ".join(RunState)
            raise InvalidRequest(
                f"there is no state {value!r:.100}", value=value, mend=f"give one of {states}"
            )
        return value


class LogQuery(Noun):
    """The query of ``GET /runs/{id}/logs``."""

    stage: str | None = None


def query_of(request: Request, model: type[Query]) -> Query:
    """Return the request's query. Raises InvalidRequest for what ``model`` does not know."""
    query = request.query_params or MultiDict(None)
    given: dict[str, Any] = {}
    for name in query:
        values = query.getlist(name)
        if name not in model.model_fields:
            known = ", ".join(model.model_fields)
            raise InvalidRequest(
                f"there is no filter {name!r:.100}", field=name, mend=f"known are: {known}"
            )
        if len(values) > 1:
            raise InvalidRequest(f"{name} is given twice", field=name, mend="give it once")
        given[name] = values[0]
    return parse_document(model, given)
