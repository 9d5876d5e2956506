"""Ids that Falsework gives to runs of its own making: nobody else may take them.

Such an id follows from what the run is for, so that there is one of it however many ask. Whoever
knew that could take the id before it is wanted, and what it is wanted for would never be made.
Runs that have such an id already stay what they are.
"""

from __future__ import annotations

import re
from typing import Final

from chalicelib.core import file_requests
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.plans import archives, demand_execution, work_runs

_OWN: Final = {
    archives.KIND: re.compile(r"archive-[0-9a-f]{32}"),
    work_runs.KIND: re.compile(r"work-[0-9a-f]{24}-[0-9]+"),
    file_requests.CLEAN_UP: re.compile(r"file-system-cleanup-\d{4}-\d\d-\d\d-[0-9a-f]{8}"),
}
"""Kind → the ids that are for runs of that kind alone."""
_ASKED_FOR: Final = {file_requests.CLEAN_UP}
"""Of these the kinds that users have runs of as well: those ids are for the site's own."""


def check_not_own_id(run_id: str, kind: str, *, is_ours: bool = False) -> None:
    """Raise InvalidRequest for a run that would have the id of one of ours.

    ``is_ours``: nobody has asked for this run but Falsework itself.
    """
    for owner, pattern in _OWN.items():
        is_its_own = owner == kind and (is_ours or kind not in _ASKED_FOR)
        if not is_its_own and pattern.fullmatch(run_id):
            is_demand = kind == demand_execution.KIND
            raise InvalidRequest(
                f"the id {run_id!r} is one of those that Falsework gives to its own {owner} runs",
                field="demand_execution.execution_id" if is_demand else "run_id",
                value=run_id,
                mend=f"choose another one, for example {run_id}-1",
            )
