"""Obsolete runs, a page at a time: listed, and deleted.

Left alone are active runs, unsettled ones, the best run of each group that has a ranking, and
those that a workflow's current post-processing run was made from, as far as the caller sees it.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from chalicelib.core.errors import Conflict, NotFound
from chalicelib.core.flowserv.ageing import obsolete
from chalicelib.core.flowserv.states import is_active
from chalicelib.core.run import RunState
from chalicelib.ports import Ports, RunPage
from chalicelib.run_manager.creation import current_rankings
from chalicelib.run_manager.removal import check_wish, delete
from chalicelib.run_manager.results import best_of


class Wanted(NamedTuple):
    """Which obsolete runs; the page as in ``RunStore.list``."""

    before: datetime
    state: RunState | None = None
    group: str | None = None
    cursor: str | None = None
    limit: int = 50
    with_files: bool = False
    """Their outputs go with them."""


class Deleted(NamedTuple):
    """What became of a page."""

    ids: tuple[str, ...]
    kept: dict[str, str]
    """Run id → why it could not be deleted."""
    next_cursor: str | None


def list_obsolete(wanted: Wanted, ports: Ports) -> RunPage:
    """Return a page of them, newest first; it may be short, or empty, and have a cursor."""
    page = ports.runs.list(
        group=wanted.group,
        state=wanted.state,
        cursor=wanted.cursor,
        limit=wanted.limit,
        created_before=wanted.before,
    )
    groups = {run.group for run in page.runs if run.state is RunState.SUCCESS}
    best = {best_of(group, ports) or "" for group in sorted(groups)}
    ranked = best | current_rankings(ports) if groups else best
    found = obsolete(page.runs, wanted.before, wanted.state, ranked)
    return RunPage(found, page.next_cursor)


def delete_obsolete(wanted: Wanted, ports: Ports) -> Deleted:
    """Delete a page of them. Raises Conflict where active ones are asked for."""
    if wanted.state is not None and is_active(wanted.state):
        raise Conflict(f"runs that are {wanted.state} are active; cancel them first")
    check_wish(ports.site, with_files=wanted.with_files)
    page = list_obsolete(wanted, ports)
    ids: list[str] = []
    kept: dict[str, str] = {}
    for run in page.runs:
        try:
            delete(run.id, ports, with_files=wanted.with_files)
            ids.append(run.id)
        except Conflict as exc:
            kept[run.id] = str(exc)
        except NotFound:  # somebody else was faster
            continue
    return Deleted(tuple(ids), kept, page.next_cursor)
