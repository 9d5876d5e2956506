"""Schedules whose time has come spawn their configs; the sweep asks.

However many minutes were missed, one is made up: the next time that was noted spawns, and the one
after it lies in the future. The id of what a tick spawns is decided by the schedule and the tick
alone, so two processes, or one that died and came again, spawn one config.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Final

from chalicelib.configs import schedules
from chalicelib.configs.crontabs import next_time
from chalicelib.configs.deploying import Origin, deploy
from chalicelib.configs.shelf import walk
from chalicelib.core.configs.ids import tick_entropy
from chalicelib.core.configs.schedule import Schedule
from chalicelib.core.errors import FalseworkError, InvalidRequest
from chalicelib.document_ports import StaleDocument
from chalicelib.ports import Ports
from chalicelib.work_ports import WorkPorts

PASS_SECONDS: Final = 30.0

log = logging.getLogger(__name__)


def spawn_due(works: WorkPorts, ports: Ports, *, seconds: float = PASS_SECONDS) -> int:
    """Let schedules spawn that are due; return how many did. Raises Unavailable.

    What nobody foresaw of one of them is raised when the others have had their turn.
    """
    now = ports.clock()
    unforeseen: Exception | None = None
    last, count = schedules.due_key(now, "~"), 0
    for due in walk(ports.documents, schedules.DUE):
        if due.key > last or ports.clock() - now > timedelta(seconds=seconds):
            break
        try:
            count += _tick(due.key, works, ports)
        except FalseworkError:
            log.exception("schedule %s is looked at again", due.key)
        except Exception as exc:
            log.exception("schedule %s is looked at again", due.key)
            unforeseen = exc
    if unforeseen is not None:
        raise unforeseen
    return count


def _tick(key: str, works: WorkPorts, ports: Ports) -> bool:
    schedule_id = key.partition(".")[2]
    found = schedules.load(schedule_id, ports.documents)
    is_spawned = found is not None and _is_due(found[0], key) and _spawn(*found, works, ports)
    ports.documents.remove(schedules.DUE, key)
    return is_spawned


def _is_due(kept: Schedule, key: str) -> bool:
    return kept.next_time is not None and schedules.due_key(kept.next_time, kept.id) == key


def _spawn(kept: Schedule, version: int, works: WorkPorts, ports: Ports) -> bool:
    """The config comes first, then the next mark, then the schedule: who dies is repeated."""
    tick = kept.next_time or ports.clock()
    config = _deploy(kept, tick, works, ports)
    following = next_time(kept.crontab, max(tick, ports.clock()))
    after = kept.after(config, following)
    schedules.note_due(after, ports.documents)
    try:
        schedules.save(after, version, ports.documents)
    except StaleDocument:
        log.info("schedule %s: somebody else was faster", kept.id)
        return False
    return True


def _deploy(kept: Schedule, tick: datetime, works: WorkPorts, ports: Ports) -> str | None:
    try:
        origin = Origin(tick, tick_entropy(kept.id, tick))
        return str(deploy(kept.config, works, ports, origin)["config"])
    except InvalidRequest:  # it was sound when it came: what is sound has changed since
        log.exception("schedule %s cannot spawn any more", kept.id)
        return None
