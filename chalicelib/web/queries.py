"""What may stand behind the question mark, as models; everything else is refused by name."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from chalice.app import MultiDict, Request
from pydantic import AwareDatetime, Field, field_validator

from chalicelib.core.documents import parse_document
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.noun import Noun
from chalicelib.core.run import RunState

Query = TypeVar("Query", bound=Noun)
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
_YES: Final = {"true", "1"}
_NO: Final = {"false", "0"}


class RunQuery(Noun):
    """Which runs a list shows."""

    state: RunState | None = None
    group: str | None = Field(default=None, min_length=1)
    cursor: str | None = Field(default=None, min_length=1)
    limit: int = Field(default=50, ge=1, le=100)
    created_before: AwareDatetime | None = None
    """Only obsolete runs: see ``run_manager.ageing``."""

    @field_validator("state", mode="before")
    @classmethod
    def _name_the_states(cls, value: Any) -> Any:
        if value not in RunState.__members__:
            states = ", ".join(RunState)
            raise InvalidRequest(
                f"there is no state {value!r:.100}", value=value, mend=f"give one of {states}"
            )
        return value

    @field_validator("created_before", mode="before")
    @classmethod
    def _take_days(cls, value: Any) -> Any:
        """A day begins at midnight, UTC; a plus that was not escaped has become a blank."""
        if not isinstance(value, str):
            return value
        return f"{value}T00:00:00Z" if _DAY.fullmatch(value) else value.replace(" ", "+")

    @field_validator("created_before")
    @classmethod
    def _take_what_utc_can_say(cls, value: datetime | None) -> datetime | None:
        try:
            return value and value.astimezone(UTC)
        except OverflowError:
            raise InvalidRequest(
                "the time is before the year 1, or after 9999, in UTC",
                value=str(value),
                mend="give a time between them",
            ) from None


class ListQuery(RunQuery):
    """The query of ``GET /runs``."""

    cost: bool = False
    """Each run with what it has cost: its plan is loaded for it, so a page takes longer."""


class DeleteRunQuery(Noun):
    """The query of ``DELETE /runs/{id}``."""

    files: bool = False
    """The outputs go too."""


class DeleteRunsQuery(RunQuery):
    """The query of ``DELETE /runs``."""

    files: bool = False
    """As in DeleteRunQuery."""


class GroupQuery(Noun):
    """The query of ``GET /groups/{g}/runs``."""

    state: RunState | None = None
    cursor: str | None = Field(default=None, min_length=1)
    limit: int = Field(default=50, ge=1, le=100)


class PageQuery(Noun):
    """The query of a list that has no filters."""

    cursor: str | None = Field(default=None, min_length=1, max_length=1000)
    limit: int = Field(default=50, ge=1, le=100)


class DryRunQuery(Noun):
    """The query of what can be looked at before it is done."""

    dry_run: bool = False


class FileQuery(Noun):
    """The query of ``GET /runs/{id}/files``."""

    key: str | None = None


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


def values_of(request: Request) -> dict[str, list[str]]:
    """Return everything behind the question mark, each name with all of its values."""
    query = request.query_params or MultiDict(None)
    return {name: query.getlist(name) for name in query}


def is_asked_for(request: Request, name: str) -> bool:
    """Tell whether the switch is on. Raises InvalidRequest for what is neither yes nor no.

    The ``workflow`` client spells it as Python does and sends it twice; any yes counts.
    """
    words = [value.lower() for value in values_of(request).get(name, [])]
    for word in words:
        if word not in _YES | _NO:
            raise InvalidRequest(
                f"{name} is neither yes nor no", field=name, value=word, mend="give True or False"
            )
    return not _YES.isdisjoint(words)
