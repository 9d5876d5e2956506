"""Which runs are obsolete: created before a date, ended, and not the best of their group.

Active runs are obsolete only where their state is asked for by name, and are deleted in no case.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from chalicelib.core.flowserv.states import is_active
from chalicelib.core.run import RunRecord, RunState


def obsolete(
    runs: Iterable[RunRecord],
    before: datetime,
    state: RunState | None,
    ranked: Collection[str],
) -> tuple[RunRecord, ...]:
    """Return those that are; ``ranked`` are the ids of runs that rankings show."""
    return tuple(
        run
        for run in runs
        if run.created_at < before and run.id not in ranked and _is_asked_for(run, state)
    )


def _is_asked_for(run: RunRecord, state: RunState | None) -> bool:
    return not is_active(run.state) if state is None else run.state is state
