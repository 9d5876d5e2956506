"""Runs as one principal sees them: whoever is not in a run's group is told that there is none.

The check stands here, around the store, and not in the routes: what a route forgets to ask is
asked all the same. Ids are everybody's, so that a foreign id can be met in one place only: who
would create a run under it is told that it is taken.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from chalicelib.core.errors import (
    BeingDeleted,
    Conflict,
    Forbidden,
    InvalidRequest,
    NotFound,
    StaleRun,
)
from chalicelib.core.principals import Caller, Principal, check_member
from chalicelib.core.run import Run, RunState
from chalicelib.ports import Ports, RunPage, RunStore


def owned_by(caller: Caller, ports: Ports) -> Ports:
    """Return the ports with which ``caller``'s requests are served."""
    return ports._replace(runs=OwnedRuns(ports.runs, caller.principal), caller=caller)


class OwnedRuns:
    """The RunStore of one principal."""

    def __init__(self, runs: RunStore, principal: Principal) -> None:
        self._runs = runs
        self._principal = principal

    def load(self, run_id: str) -> Run:
        """Return the run. Raises NotFound for a foreign one, in the words for one that is none."""
        if self._principal.groups is None:
            return self._runs.load(run_id)
        try:
            run = self._runs.load(run_id)
        except BeingDeleted as exc:
            if self._principal.sees(exc.group):
                raise
            raise _no_such(run_id) from exc
        if not self._principal.sees(run.group):
            raise _no_such(run_id)
        return run

    def load_many(self, run_ids: Collection[str]) -> tuple[Run, ...]:
        """Return those of the principal's runs that are there."""
        found = self._runs.load_many(run_ids)
        return tuple(run for run in found if self._principal.sees(run.group))

    def save(self, run: Run) -> Run:
        """Save a run of a group of the principal's. Raises Forbidden for another's."""
        check_member(self._principal, run.group)
        try:
            return self._runs.save(run)
        except StaleRun:
            if run.version == 0:
                self._refuse_taken(run.id)
            raise

    def list(
        self,
        *,
        group: str | None = None,
        state: RunState | None = None,
        cursor: str | None = None,
        limit: int = 50,
        created_before: datetime | None = None,
    ) -> RunPage:
        """Return a page of a group's runs; without a group it is the principal's only one."""
        return self._runs.list(
            group=self._group(group),
            state=state,
            cursor=cursor,
            limit=limit,
            created_before=created_before,
        )

    def delete(self, run_id: str) -> None:
        """Remove a run of a group of the principal's; nothing happens to a foreign one."""
        if self._principal.groups is not None:
            try:
                self.load(run_id)
            except NotFound:
                return
            except BeingDeleted:
                pass  # what was begun is ended
        self._runs.delete(run_id)

    def due(self, now: datetime, limit: int = 100, skip: Collection[str] = ()) -> tuple[str, ...]:
        """Refuse: what is due is the engine's affair."""
        raise Forbidden(f"{self._principal.name} does not sweep ({now}, {limit}, {len(skip)})")

    def _group(self, group: str | None) -> str | None:
        principal = self._principal
        if group is None and principal.groups is not None:
            if len(principal.groups) == 1:
                return next(iter(principal.groups))
            raise InvalidRequest(
                "you are in more than one group",
                field="group",
                mend=f"name one: {_names(principal)}",
            )
        if group is not None and not principal.sees(group):
            raise NotFound(f"there is no group {group!r:.100}")
        return group

    def _refuse_taken(self, run_id: str) -> None:
        """Nobody can create it, however often they try: it is there, and hidden from them."""
        try:
            self.load(run_id)
        except NotFound:
            raise Conflict(f"the id {run_id!r:.200} is taken; choose another one") from None


def _no_such(run_id: str) -> NotFound:
    return NotFound(f"there is no run {run_id!r:.200}")


def _names(principal: Principal) -> str:
    return ", ".join(sorted(principal.groups or ())) or "you have none"
