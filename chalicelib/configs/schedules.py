"""Schedules: kept, shown, counted, removed. ``ticking`` lets them spawn.

A schedule is one document of ``schedules``. Another one in ``schedules-due``, whose key begins
with the next time, is what the sweep finds it by; it is written before the schedule that it stands
for, and one that no schedule confirms is nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

from chalicelib.configs.changing import id_in
from chalicelib.configs.crontabs import next_time
from chalicelib.configs.deploying import Origin
from chalicelib.configs.reading import StatusQuery, read_json, view_of
from chalicelib.configs.shelf import ConfigShelf, walk
from chalicelib.core.configs.expansion import read_config
from chalicelib.core.configs.ids import config_id, is_config_id
from chalicelib.core.configs.model import ScheduledConfig
from chalicelib.core.configs.schedule import Schedule
from chalicelib.core.documents import at_field, parse_document
from chalicelib.core.errors import Conflict, InvalidRequest, NotFound
from chalicelib.core.work.conditions import Among
from chalicelib.document_ports import Documents, StaleDocument
from chalicelib.ports import Ports
from chalicelib.work_ports import Kept
from chalicelib.works.views import shown

SCHEDULES: Final = "schedules"
DUE: Final = "schedules-due"
MOST: Final = 1000
"""How many there can be: each of them is looked at when they are listed. Our choice."""


def schedule(document: dict[str, Any], ports: Ports, origin: Origin) -> dict[str, Any]:
    """Keep a schedule; its first time is the next minute that its crontab means."""
    wanted = parse_document(ScheduledConfig, document)
    with at_field("config"):
        read_config(document["config"])
    kept = Schedule(
        id=config_id(origin.at, wanted.config.name, origin.entropy),
        crontab=wanted.crontab,
        lives=wanted.lives,
        next_time=next_time(wanted.crontab, origin.at),
        config=document["config"],
        creation=origin.at,
    )
    if load(kept.id, ports.documents) is None:
        _check_room(ports.documents)
        note_due(kept, ports.documents)
        with suppress(StaleDocument):
            save(kept, 0, ports.documents)
    return {"id": kept.id}


def list_schedules(asked: StatusQuery, ports: Ports) -> list[dict[str, Any]]:
    """Return schedules, the oldest first. Raises NotFound where one is asked for by its id."""
    view = view_of(asked)
    found = shown(view, lambda _: _all(asked.name, ports))
    is_one = isinstance(view.condition, Among) and view.condition.path == ("id",)
    if is_one and not found:
        raise NotFound(f"there is no schedule {asked.query!r:.100}")
    return found


def remove_schedule(query: object, ports: Ports) -> dict[str, Any]:
    """Forget a schedule; what it has spawned stays. Raises NotFound."""
    schedule_id = id_in(query)
    if not is_config_id(schedule_id) or load(schedule_id, ports.documents) is None:
        raise NotFound(f"there is no schedule {schedule_id!r:.100}")
    ports.documents.remove(SCHEDULES, schedule_id)
    return {"id": schedule_id, "message": f"schedule {schedule_id} was removed"}


def count_schedules(query: str | None, ports: Ports) -> dict[str, int]:
    """Return how many schedules there are by their config's name; ``{"name": …}``: of one."""
    name = _name_in(read_json(query, "query"))
    counted = Counter(each.name for each in every(ports.documents))
    return {name: counted[name]} if name is not None else dict(sorted(counted.items()))


def _name_in(query: object) -> str | None:
    """The client sends ``{"name": null}`` for all of them, and no query at all."""
    match query:
        case None | {"name": None}:
            return None
        case {"name": str(name), **others} if not others:
            return name
        case dict() if not query:
            return None
    raise InvalidRequest(
        "schedules are counted by their name alone",
        field="query",
        value=query,
        mend='send query={"name": "…"}, or none for all of them',
    )


def every(documents: Documents) -> Iterator[Schedule]:
    """Yield all schedules, the oldest first."""
    for each in walk(documents, SCHEDULES):
        yield Schedule.model_validate(each.content)


def load(schedule_id: str, documents: Documents) -> tuple[Schedule, int] | None:
    """Return the schedule and its version."""
    found = documents.load(SCHEDULES, schedule_id)
    return None if found is None else (Schedule.model_validate(found.content), found.version)


def save(kept: Schedule, version: int, documents: Documents) -> None:
    """Save the schedule. Raises StaleDocument."""
    documents.save(SCHEDULES, kept.id, kept.model_dump(mode="json"), version=version)


def note_due(kept: Schedule, documents: Documents) -> None:
    """Let the sweep find the schedule at its next time; again is harmless."""
    if kept.next_time is not None:
        with suppress(StaleDocument):
            documents.save(DUE, due_key(kept.next_time, kept.id), {})


def due_key(at: datetime, schedule_id: str) -> str:
    """Return a key that sorts by time."""
    return f"{int(at.timestamp()):011d}.{schedule_id}"


def _all(name: str | None, ports: Ports) -> Iterator[Kept]:
    for each in every(ports.documents):
        if name in {None, "", each.name}:
            yield Kept(each.document(is_running=_is_running(each, ports)), 1)


def _is_running(kept: Schedule, ports: Ports) -> bool:
    if not kept.history:
        return False
    found = ConfigShelf(ports.documents).header(kept.history[-1].config)
    return found is not None and found[0].stop is None


def _check_room(documents: Documents) -> None:
    if sum(1 for _ in walk(documents, SCHEDULES)) >= MOST:
        raise Conflict(f"there are {MOST} schedules; remove one that is not needed any more")
