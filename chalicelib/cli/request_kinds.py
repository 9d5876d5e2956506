"""Which kind of request a file holds: its key ``kind`` says it. Without one it is a demand, or a
pipeline where it has stages.

What is wrong with the document is told by whoever takes it in; here nothing is refused but a
kind that nobody knows.
"""

from __future__ import annotations

from typing import Final

from chalicelib.cli.complaints import Complaint
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.function_requests import BATCH_EXECUTOR, BATCH_LAMBDA, LAMBDA_FUNCTION
from chalicelib.core.json_text import read_object
from chalicelib.core.pipelines.model import KIND as PIPELINE

DEMANDS: Final = "/demand-executions"
ROUTES: Final = {
    BATCH_LAMBDA: "/batch-lambdas",
    BATCH_EXECUTOR: "/batch-executors",
    LAMBDA_FUNCTION: "/lambda-functions",
    PIPELINE: "/pipelines",
}
_OF_A_DEMAND: Final = {"execution_type", "executionType", "demand_execution", "demandExecution"}


def route_of(content: bytes) -> str:
    """Return where the document is submitted. Raises Complaint."""
    try:
        document = read_object(content)
    except InvalidRequest:
        return DEMANDS
    kind = document.get("kind")
    if kind is None and "stages" in document:
        return ROUTES[PIPELINE]
    if kind is None or _OF_A_DEMAND & document.keys():
        return DEMANDS
    if not isinstance(kind, str) or kind not in ROUTES:
        raise Complaint("no request is of that kind", field="kind", value=str(kind)[:100],
                        mend=f"give one of {', '.join(ROUTES)}; a demand has none")  # fmt: skip
    return ROUTES[kind]
