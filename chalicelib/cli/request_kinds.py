"""Which kind of request a file holds: its key ``kind`` says it. Without one it is a demand, or a
pipeline where it has stages.

What is wrong with the document is told by whoever takes it in; here nothing is refused but a
kind that nobody knows.
"""

from __future__ import annotations

from typing import Final

from chalicelib.cli.complaints import Complaint
from chalicelib.core.batch_job_requests import KIND as BATCH_JOB
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.file_requests import CLEAN_UP, SYNC
from chalicelib.core.function_requests import BATCH_EXECUTOR, BATCH_LAMBDA, LAMBDA_FUNCTION
from chalicelib.core.json_text import read_object
from chalicelib.core.kind_submissions import kind_of
from chalicelib.core.pipelines.model import KIND as PIPELINE
from chalicelib.core.plans.demand_execution import KIND as DEMAND

DEMANDS: Final = "/demand-executions"
ROUTES: Final = {
    BATCH_JOB: "/batch-jobs",
    BATCH_LAMBDA: "/batch-lambdas",
    BATCH_EXECUTOR: "/batch-executors",
    LAMBDA_FUNCTION: "/lambda-functions",
    PIPELINE: "/pipelines",
    SYNC: "/data-syncs",
    "data-path-stats": "/data-paths/stats",
    "list-data-paths": "/data-paths/list",
    "outdated-data-paths": "/data-paths/outdated",
    "remove-data-paths": "/data-paths/remove",
    CLEAN_UP: "/file-system-cleanups",
    DEMAND: DEMANDS,
}


def route_of(content: bytes) -> str:
    """Return where the document is submitted. Raises Complaint."""
    try:
        kind = kind_of(read_object(content))
    except InvalidRequest:
        return DEMANDS
    if kind is None:
        return DEMANDS
    if kind not in ROUTES:
        raise Complaint("no request is of that kind", field="kind", value=kind[:100],
                        mend=f"give one of {', '.join(ROUTES)}; a demand has none")  # fmt: skip
    return ROUTES[kind]
