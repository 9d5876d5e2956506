"""What clients may do to a run's state: ask for another one, which only cancels."""

from __future__ import annotations

from chalicelib import engine
from chalicelib.core.errors import Conflict, Unavailable
from chalicelib.core.events import CancelRequested
from chalicelib.core.flowserv.states import is_change
from chalicelib.core.flowserv.views import CANCELED
from chalicelib.core.run import Run, RunState
from chalicelib.ports import Ports


def update(run_id: str, wanted: RunState, ports: Ports, *, reason: str = CANCELED) -> Run | None:
    """Bring the run into a state; None where it is in it already.

    Raises Conflict for a violation of the table, and for what only a run's jobs can bring about.
    A run is CANCELED at once; its jobs end behind it.
    """
    if not is_change(ports.runs.load(run_id).state, wanted):
        return None
    if wanted is not RunState.CANCELED:
        raise Conflict(f"a run becomes {wanted} by what its jobs do; only CANCELED can be asked")
    try:
        return engine.handle(
            CancelRequested(run_id=run_id, at=ports.clock(), reason=reason), ports
        )
    except Unavailable:  # saved, perhaps: then the rest is owed
        run = ports.runs.load(run_id)
        if run.state is not RunState.CANCELED:
            raise
        return run


def cancel(run_id: str, ports: Ports, *, reason: str = CANCELED) -> Run:
    """Cancel the run and return it; one that is cancelled already is returned as it is."""
    return update(run_id, RunState.CANCELED, ports, reason=reason) or ports.runs.load(run_id)
