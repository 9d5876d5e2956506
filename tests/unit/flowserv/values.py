"""Runs with outputs, and the manifests of these."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from chalicelib.core.data_sync.manifest import Manifest, ManifestFile, manifest_of, manifest_uri
from chalicelib.core.plans.plan import Plan
from chalicelib.core.run import Run, RunState

_NUMBERS = count()
_LETTERS = str.maketrans("01234567", "abcdefgh")
AT = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def a_run(run_id: str = "r1", state: RunState = RunState.SUCCESS, **fields: Any) -> Run:
    """A run in that state; one that has ended is settled."""
    has_ended = state not in {RunState.PENDING, RunState.RUNNING}
    return Run.model_validate(
        {
            "id": run_id,
            "uid": f"{next(_NUMBERS):020o}".translate(_LETTERS),
            "kind": "demand-execution",
            "state": state,
            "created_at": AT,
            "started_at": None if state is RunState.PENDING else AT + timedelta(seconds=1),
            "ended_at": AT + timedelta(seconds=2) if has_ended else None,
            "settled_at": AT + timedelta(seconds=3) if has_ended else None,
            "stages": (),
            "plan": Plan(stages=(), request_digest=run_id),
            **fields,
        }
    )


def an_output(uri: str) -> dict[str, Any]:
    """The entry of ``Run.outputs`` for an output at ``uri``."""
    return {"uri": uri, "manifest": manifest_uri(uri), "files": 1, "bytes": 1}


def a_manifest(run_id: str, param: str, **sizes: int) -> Manifest:
    """A manifest of files with these sizes; ``__`` in a name stands for ``/``, ``_`` for a dot."""
    files = tuple(
        ManifestFile(path=name.replace("__", "/").replace("_", "."), bytes=size, sha256="0" * 64)
        for name, size in sizes.items()
    )
    return manifest_of(files, run=run_id, param=param, source="fs-1:/x", created_at=AT)
