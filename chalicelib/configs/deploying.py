"""Deploying: a config is checked whole, kept, and looked at once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from chalicelib.configs.shelf import ConfigShelf
from chalicelib.configs.tending import tend
from chalicelib.core.configs.expansion import read_config
from chalicelib.core.configs.ids import config_id, pipeline_ids
from chalicelib.core.configs.matrices import size_of
from chalicelib.core.configs.pipeline import Header, Status
from chalicelib.core.configs.version_one import migrated
from chalicelib.core.idempotency import digest_of
from chalicelib.ports import Ports
from chalicelib.work_ports import WorkPorts

_LAST: Final = 2**32 - 1
"""The last second that an id can hold."""


class Origin(NamedTuple):
    """A time and 32 bits: together with the config's name they are its id."""

    at: datetime
    entropy: int


def deploy(
    document: dict[str, Any], works: WorkPorts, ports: Ports, origin: Origin
) -> dict[str, Any]:
    """Keep the config and deposit its first stage; return its id and its pipelines'.

    With the same origin again nothing is done twice. Raises InvalidRequest, and nothing is kept.
    """
    config = read_config(document)
    count = size_of(config.pipeline.matrix)
    header = Header(
        id=config_id(origin.at, config.name, origin.entropy),
        name=config.name,
        version=config.version,
        user=config.defaults.user,
        creation=ports.clock(),
        count=count,
        tally={Status.CREATED: count},
    )
    ConfigShelf(ports.documents).add(header, document)
    tend(header.id, works, ports)
    return {"config": header.id, "pipelines": list(pipeline_ids(header.id, count))}


def migrate(
    document: dict[str, Any], works: WorkPorts, ports: Ports, origin: Origin
) -> dict[str, Any]:
    """Deploy a config of version 1 or 2 as version 2; its own ``id`` tells a repeat."""
    if isinstance(document.get("id"), str):
        origin = _origin_of(document["id"], document.get("creation"))
    return deploy(migrated(document), works, ports, origin)


def _origin_of(old_id: str, creation: object) -> Origin:
    seconds = creation if isinstance(creation, int | float) else 0
    at = datetime.fromtimestamp(int(min(max(0, seconds), _LAST)), UTC)
    return Origin(at, int(digest_of("migrated", old_id)[:8], 16))
