"""Cancelling, retrying and removing a config.

The first two are a wish that the config is told under its version; every pipeline carries the last
one out, at once or when the sweep comes, and so a crash half way loses nothing.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from chalicelib.configs.shelf import ConfigShelf
from chalicelib.configs.tending import tend
from chalicelib.core.configs import progress
from chalicelib.core.configs.ids import is_config_id, pipeline_ids
from chalicelib.core.configs.pipeline import OVER, Header
from chalicelib.core.errors import Conflict, InvalidRequest, NotFound, Unavailable
from chalicelib.document_ports import StaleDocument
from chalicelib.ports import Ports
from chalicelib.work_ports import WorkPorts

TRIES: Final = 5
"""How often somebody else may tell the config something, or note where it stands."""


def cancel(
    query: object, name: str | None, works: WorkPorts, ports: Ports
) -> dict[str, Any] | None:
    """Stop what is not over: queued works leave the queue, running ones end as they end.

    None where everything is over already. Raises NotFound.
    """
    shelf = ConfigShelf(ports.documents)
    header, _ = _found(query, name, shelf)
    over = {
        each.pipeline.id
        for each in shelf.pipelines(header.id)
        if each.pipeline.status in OVER and each.pipeline.generation >= header.generation
    }
    stopped = [each for each in pipeline_ids(header.id, header.count) if each not in over]
    if not stopped:
        return None
    _wish(header.id, "cancel", works, ports)
    return {"stopped_config": header.id, "stopped_pipelines": stopped}


def retry(query: object, name: str | None, works: WorkPorts, ports: Ports) -> dict[str, Any]:
    """Deposit other works in the place of those that failed or were cancelled. Raises NotFound."""
    shelf = ConfigShelf(ports.documents)
    header, _ = _found(query, name, shelf)
    again = [each for each in shelf.pipelines(header.id) if progress.retried(each.pipeline)]
    if again:
        _wish(header.id, "retry", works, ports)
    count = len(again)
    return {"message": f"{count} of {header.count} pipelines of {header.name} are tried again"}


def remove(query: object, name: str | None, works: WorkPorts, ports: Ports) -> None:
    """Forget a config that has settled; its works stay. Raises NotFound and Conflict."""
    shelf = ConfigShelf(ports.documents)
    header, _ = _found(query, name, shelf)
    if header.stop is None:
        tend(header.id, works, ports)
        header, _ = _found(query, name, shelf)
    if header.stop is None and shelf.document(header.id) is not None:
        raise Conflict(
            f"config {header.id} is {header.status}, and works of it are left: "
            "cancel it, and wait for those that run"
        )
    shelf.remove(header)


def id_in(query: object) -> str:
    """Return the id that ``{"id": …}`` asks for. Raises InvalidRequest."""
    config = query.get("id") if isinstance(query, dict) else None
    if not isinstance(config, str):
        raise InvalidRequest(
            "this needs an id", field="query", value=query, mend='send query={"id": "…"}'
        )
    return config


def _found(query: object, name: str | None, shelf: ConfigShelf) -> tuple[Header, int]:
    config = id_in(query)
    found = shelf.header(config) if is_config_id(config) else None
    if found is None or name not in {None, "", found[0].name}:
        raise NotFound(f"there is no config {config!r:.100}" + (f" of {name!r:.130}" * bool(name)))
    return found


def _wish(config: str, wish: Literal["cancel", "retry"], works: WorkPorts, ports: Ports) -> None:
    shelf = ConfigShelf(ports.documents)
    for _ in range(TRIES):
        header, version = _found({"id": config}, None, shelf)
        told = progress.wished(header, wish)
        shelf.mark(config, told.generation, ports.clock())
        try:
            shelf.save(told, version)
        except StaleDocument:
            continue
        tend(config, works, ports)
        return
    raise Unavailable(f"config {config} is changed by others all the time; try again")
