"""Configs and pipelines as they are listed and counted.

Lists show the newest configs of a name first, name after name: ``LISTED`` of them unless ``limit``
says otherwise. Whoever asks for an id gets it without a list being read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from chalicelib.configs.shelf import ConfigShelf
from chalicelib.core.configs.ids import config_of
from chalicelib.core.configs.pipeline import Header, Status
from chalicelib.core.configs.views import config_view, pipeline_view
from chalicelib.core.errors import InvalidRequest, Unavailable
from chalicelib.core.json_text import read_value
from chalicelib.core.noun import Noun
from chalicelib.core.work.conditions import Among, Condition, Every
from chalicelib.core.work.ids import is_id
from chalicelib.ports import Ports
from chalicelib.work_ports import Kept
from chalicelib.works.views import View, parse_view, shown

LISTED: Final = 1000
LOOK_SECONDS: Final = 8.0
"""As an audit of the work queue; our choice, both."""
_TEXTS: Final = ("deployments", "yaml")
"""What only the document knows."""

JsonText = Annotated[str, Field(max_length=8_000)]
"""Room for the ids of all pipelines of a config; API Gateway takes 10,240 bytes of headers."""
AnyName = Annotated[str, Field(max_length=128)]


class StatusQuery(Noun):
    """The query of ``GET /pipelines/v2/status``."""

    name: AnyName | None = None
    query: JsonText | None = None
    """A filter in JSON, as the work queue has them."""
    projection: JsonText | None = None
    """Fields to keep or to leave out, in JSON."""


class ConfigsQuery(StatusQuery):
    """The query of ``GET /pipelines/v2/configs``."""

    database: Literal["configs", "pipelines"] = "configs"
    skip: int | None = Field(default=None, ge=0, le=2**31 - 1)
    limit: int | None = Field(default=None, ge=1, le=2**31 - 1)


class CountQuery(Noun):
    """The query of ``GET /pipelines/v2/configs/count``."""

    database: Literal["configs", "pipelines"] = "configs"


def list_configs(asked: ConfigsQuery, ports: Ports) -> list[dict[str, Any]]:
    """Return configs, or pipelines. Raises InvalidRequest past what an answer can hold."""
    view = view_of(asked)
    if view.limit is None:
        view = replace(view, limit=asked.limit or LISTED)
    shelf = ConfigShelf(ports.documents)
    if asked.database == "pipelines":
        return shown(view, lambda _: _kept(_pipelines(view.condition, asked.name, shelf, ports)))
    has_texts = _wants_texts(view, asked.query or "")

    def found() -> Iterator[dict[str, Any]]:
        for header in _headers(view.condition, asked.name, shelf, ports):
            yield config_view(header, shelf.document(header.id) if has_texts else None)

    return shown(view, lambda _: _kept(found()))


def count(database: str, ports: Ports) -> dict[str, int]:
    """Return how many configs, or pipelines, there are of each name."""
    counted: Counter[str] = Counter()
    for header in _in_time(ConfigShelf(ports.documents).headers(), ports):
        counted[header.name] += header.count if database == "pipelines" else 1
    return dict(sorted(counted.items()))


def status(asked: StatusQuery, ports: Ports) -> dict[str, int]:
    """Return how many pipelines stand where, in all and by status."""
    view, shelf = view_of(asked), ConfigShelf(ports.documents)
    counted: Counter[Status] = Counter()
    if asked.query and read_json(asked.query, "query"):
        everything = View(view.condition, parse_view({}).projection, 0, None)
        for each in shown(
            everything, lambda _: _kept(_pipelines(view.condition, asked.name, shelf, ports))
        ):
            counted[Status(each["status"])] += 1
    else:
        for header in _in_time(shelf.headers(asked.name or None), ports):
            counted.update(header.tally)
    told = {each.value: counted[each] for each in Status}
    return view.projection.of({"total": counted.total(), **told})


def view_of(asked: StatusQuery) -> View:
    """Return the view that a query spells. Raises InvalidRequest."""
    told = {
        "query": read_json(asked.query, "query") or {},
        "projection": read_json(asked.projection, "projection") or {},
        "skip": getattr(asked, "skip", None),
        "limit": getattr(asked, "limit", None),
    }
    return parse_view(told)


def read_json(text: str | None, field: str) -> Any:
    """Return what the JSON text says; None for none. Raises InvalidRequest."""
    if not text:
        return None
    try:
        return read_value(text.encode())
    except InvalidRequest as exc:
        mend = 'send JSON text, such as {"id": "…"}, quoted as URLs are'
        raise InvalidRequest(exc.message, field=field, value=text[:200], mend=mend) from exc


def _headers(
    condition: Condition, name: str | None, shelf: ConfigShelf, ports: Ports
) -> Iterator[Header]:
    ids = _ids(condition)
    if ids is None:
        yield from _in_time(shelf.headers(name or None), ports)
        return
    for each in sorted({config_of(each) for each in ids if is_id(each)}):
        found = shelf.header(each)
        if found is not None and name in {None, "", found[0].name}:
            yield found[0]


def _pipelines(
    condition: Condition, name: str | None, shelf: ConfigShelf, ports: Ports
) -> Iterator[dict[str, Any]]:
    ids = _ids(condition)
    for header in _headers(condition, name, shelf, ports):
        if ids is None or header.id in ids:
            for kept in shelf.pipelines(header.id):
                yield pipeline_view(header.name, kept.pipeline)
            continue
        for each in sorted(each for each in ids if is_id(each) and config_of(each) == header.id):
            found = shelf.pipeline(each)
            if found is not None:
                yield pipeline_view(header.name, found.pipeline)


def _ids(condition: Condition) -> set[str] | None:
    """Return the ids of configs or pipelines that alone can match; None for any."""
    match condition:
        case Among(("id",) | ("pipelines",) | ("config",), values):
            return {each for each in values if isinstance(each, str)}
        case Every(conditions):
            return next((ids for each in conditions if (ids := _ids(each)) is not None), None)
        case _:
            return None


def _wants_texts(view: View, query: str) -> bool:
    named = [name in view.projection.tree for name in _TEXTS]
    is_shown = any(named) if view.projection.is_keeping else not all(named)
    return is_shown or any(name in query for name in _TEXTS)


def _kept(documents: Iterator[dict[str, Any]]) -> Iterator[Kept]:
    return (Kept(each, 1) for each in documents)


def _in_time(headers: Iterator[Header], ports: Ports) -> Iterator[Header]:
    until = ports.clock() + timedelta(seconds=LOOK_SECONDS)
    for header in headers:
        if ports.clock() > until:
            raise Unavailable(
                f"to look through them takes longer than {LOOK_SECONDS:g} s; ask for one name or"
                " id, or list fewer of them with limit and skip"
            )
        yield header
