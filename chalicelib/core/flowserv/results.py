"""Results: a run's file read by a schema, and the ranking of runs by them (flowserv, section 6).

::

    {"file": "out/metrics.json",
     "schema": [{"name": "auc", "label": "AUC", "dtype": "float", "path": "scores/auc"}],
     "orderBy": [{"name": "auc", "sortDesc": true}]}

The Site has a schema for each group that has results; ``file`` is the key of a run's file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from chalicelib.core.documents import parse_document, shortened
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.noun import Noun

Value = float | int | str
Results = dict[str, Value]

_TYPES: Final = {"float": float, "int": int, "string": str}


class Column(Noun):
    """One value of the document."""

    name: str = Field(min_length=1)
    label: str = ""
    dtype: Literal["float", "int", "string"]
    path: str | None = None
    """Where it stands, ``a/b`` in an object in the object; default: its name."""
    required: bool = True


class SortKey(Noun):
    """One column to order by."""

    name: str
    sortDesc: bool = True  # noqa: N815 -- the wire's name


class ResultSchema(Noun):
    """Which file has the results, and what they are."""

    file: str = Field(min_length=1)
    columns: tuple[Column, ...] = Field(alias="schema", min_length=1)
    orderBy: tuple[SortKey, ...] = ()  # noqa: N815 -- the wire's name

    @model_validator(mode="after")
    def _know_the_columns(self) -> Self:
        names = [column.name for column in self.columns]
        for key in self.orderBy:
            if key.name not in names:
                raise InvalidRequest(
                    f"there is no column {key.name!r} to order by",
                    field="orderBy",
                    value=key.name,
                    mend=f"give one of {', '.join(names)}",
                )
        return self


class Ranked(NamedTuple):
    """A run with its results."""

    run_id: str
    group: str
    created_at: str
    results: Results


def parse_schema(document: object) -> ResultSchema:
    """Return the schema. Raises InvalidRequest."""
    return parse_document(ResultSchema, document)


def read_results(schema: ResultSchema, document: object) -> Results:
    """Return the values of the columns. Raises InvalidRequest for one that is missing or unfit.

    An optional column that is missing is left out; what no column names is ignored.
    """
    found = ((column, _at(document, column.path or column.name)) for column in schema.columns)
    return {
        column.name: _cast(column, value) for column, value in found if _is_there(column, value)
    }


def ranking(schema: ResultSchema, runs: Iterable[Ranked]) -> tuple[Ranked, ...]:
    """Return the runs, best first; equal ones in the order in which they were created.

    Without ``orderBy`` the first column decides, the greatest first. Who has no value for a
    column comes after those that have.
    """
    keys = schema.orderBy or (SortKey(name=schema.columns[0].name),)
    ordered = sorted(runs, key=lambda run: (run.created_at, run.run_id))
    for key in reversed(keys):  # the sort is stable: the first key has the last word
        having = [run for run in ordered if key.name in run.results]
        lacking = [run for run in ordered if key.name not in run.results]
        # reverse keeps equal ones in their order, too
        having.sort(key=lambda run, n=key.name: run.results[n], reverse=key.sortDesc)  # type: ignore[misc]
        ordered = having + lacking
    return tuple(ordered)


def best_of_groups(ranked: Iterable[Ranked]) -> tuple[Ranked, ...]:
    """Return the first run of each group: the leaderboard."""
    best: dict[str, Ranked] = {}
    for run in ranked:
        best.setdefault(run.group, run)
    return tuple(best.values())


def _at(document: object, path: str) -> Any:
    for name in path.split("/"):
        if not isinstance(document, Mapping) or name not in document:
            return None
        document = document[name]
    return document


def _is_there(column: Column, value: object) -> bool:
    if value is None and column.required:
        raise InvalidRequest(
            f"the results have no {column.name!r}",
            field=column.name,
            mend=f"write it at {column.path or column.name}",
        )
    return value is not None


def _cast(column: Column, value: object) -> Value:
    try:
        if isinstance(value, Mapping | list):
            raise TypeError("it is no single value")  # noqa: TRY301 -- the same answer
        cast: Value = _TYPES[column.dtype](value)
    except (TypeError, ValueError, OverflowError) as exc:
        raise InvalidRequest(
            f"{column.name} is no {column.dtype}",
            field=column.name,
            value=shortened(value),
            mend=f"write a {column.dtype}",
        ) from exc
    if isinstance(cast, float) and cast != cast:  # noqa: PLR0124 -- NaN has no rank
        raise InvalidRequest(f"{column.name} is not a number", field=column.name)
    return cast
