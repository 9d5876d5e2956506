"""Which state a run may be brought into, from which (specs: flowserv, section 1).

The five states are those of ``RunState``, by the same names. This says what a client may *ask*;
what becomes of a run is decided in ``core/lifecycle/`` and nowhere else.
"""

from __future__ import annotations

from chalicelib.core.errors import Conflict
from chalicelib.core.run import TERMINAL_RUNS, RunState


def is_active(state: RunState) -> bool:
    """Tell whether it is undecided how the run ends."""
    return state not in TERMINAL_RUNS


def is_change(current: RunState, wanted: RunState) -> bool:
    """Tell whether a run in ``current`` has to change. Raises Conflict for a violation."""
    if current is wanted:
        return False
    if not is_active(current) or wanted is RunState.PENDING:
        raise Conflict(f"a run that is {current} cannot become {wanted}")
    return True


def check_deletable(run_id: str, state: RunState, *, is_settled: bool) -> None:
    """Raise Conflict unless the run has ended, its jobs and its clean-up included."""
    if is_active(state):
        raise Conflict(f"run {run_id!r} is {state}: cancel it before it is deleted")
    if not is_settled:
        raise Conflict(
            f"run {run_id!r} is {state}, but its jobs or its clean-up have not ended yet;"
            " delete it when settled_at is set"
        )
