"""Small pipelines for the tests of pipelines: stages that end at once, fail at once, or wait.

Their runs are pipelines themselves, of one value each, so that nothing has to be executed.
"""

from __future__ import annotations

from typing import Any

NEVER = {"Variable": "$.run.id", "StringEquals": "never"}


def value(name: str, told: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "kind": "value", "value": told, **more}


def pipeline(*stages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"run_id": "p1", "stages": list(stages), **fields}


def says(told: Any) -> dict[str, Any]:
    """A request for a run whose result is that value."""
    return {"stages": [value("v", "$.input")], "input": told}


def fails() -> dict[str, Any]:
    """A request for a run that fails at once."""
    choice = {"name": "c", "kind": "choice", "cases": [{"when": NEVER, "then": "x"}]}
    return {"stages": [choice, value("v", "$.stages.c.result")]}


def sleeps() -> dict[str, Any]:
    """A request for a run that waits until it is cancelled."""
    job = {"image": "ghcr.io/lab/tool:1", "command": ["sleep", "60"]}
    return {"stages": [{"name": "j", "kind": "batch-job", "request": job}]}


def ran(name: str, request: Any, **more: Any) -> dict[str, Any]:
    """A stage of one run, or of many with ``for_each``."""
    return {"name": name, "kind": "pipeline", "request": request, **more}


def hook(request: Any) -> dict[str, Any]:
    return {"kind": "pipeline", "request": request}


def choice(name: str, variable: str, **branches: int) -> dict[str, Any]:
    """A choice of the branch whose number it is; ``other`` for any other."""
    cases = [
        {"when": {"Variable": variable, "NumericEquals": number}, "then": branch}
        for branch, number in branches.items()
    ]
    return {"name": name, "kind": "choice", "cases": cases, "default": "other"}
