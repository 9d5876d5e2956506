"""A pytest plugin that writes down every call that the handlers and routes make of AWS.

botocore tells of each call before it is sent; whose call it is, the stack says: a handler of
``app.py``, or else a route of ``chalicelib.web``. Calls of the tests themselves are nobody's.
``FALSEWORK_CALLS`` names the folder; each process has a file of its own in it, a call a line.
"""

from __future__ import annotations

import inspect
import json
import os
from pathlib import Path
from typing import Any

HANDLERS = {
    "on_object_created",
    "on_submission",
    "on_job_change",
    "on_wake",
    "on_sweep",
    "on_cleanup_time",
    "on_notice",
}
_PARTS = ("TableName", "IndexName", "RequestItems", "Bucket", "Key", "VersionId", "QueueUrl")


def pytest_sessionstart() -> None:
    """Listen to the session that every client of the flows is made from."""
    from tests.flow.aws_worlds import _SESSION

    _SESSION.events.register("provide-client-params.*.*", _record)


def _record(params: dict[str, Any], model: Any, **_: Any) -> None:
    function = _whose()
    if function is None:
        return
    told = {part: params[part] for part in _PARTS if part in params}
    if not isinstance(told.get("Key"), str):
        told.pop("Key", None)  # an item's
    told.pop("RequestItems", None)
    call = [function, model.service_model.service_name, model.name, told]
    path = Path(os.environ["FALSEWORK_CALLS"]) / f"{os.getpid()}.jsonl"
    with path.open("a") as file:
        file.write(json.dumps(call) + "\n")


def _whose() -> str | None:
    is_web = False
    frame = inspect.currentframe()
    while frame:
        path, name = frame.f_code.co_filename, frame.f_code.co_name
        if path.endswith("/app.py") and name in HANDLERS:
            return name
        is_web = is_web or "/chalicelib/web/" in path
        frame = frame.f_back
    return "api_handler" if is_web else None
