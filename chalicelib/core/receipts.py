"""The receipt of a request file: what became of each version of it. Values only.

``requests/a/b.json`` is answered in ``receipts/a/b.json`` of the same bucket::

    {"object": "s3://…/requests/a/b.json",
     "versions": [{"version": "…", "seen_at": "…", "status": "accepted",
                   "run_id": "e1", "location": "/runs/e1"}]}

Of a request whose run has ended already it says what that has ``cost``; no receipt is written
when a run ends.

A version is what the bucket calls it, or else its content's digest. ``status`` is ``accepted``,
``refused`` (with a ``problem``), ``read`` for JSON Lines (with ``lines``, each with a status of
its own), or ``split`` for many of them (with the ``parts`` where the lines are answered later).
A later version that is refused hides none that was accepted.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

from chalicelib.core.errors import FalseworkError
from chalicelib.core.problem import problem_document, problem_of

REQUESTS: Final = "requests/"
RECEIPTS: Final = "receipts/"
PARTS: Final = "receipt-parts/"
ONE: Final = ".json"
MANY: Final = ".jsonl"
"""How names of request files end: one execution, or one on each line."""

Entry = dict[str, Any]


def is_request_name(name: str) -> bool:
    """Tell whether something of this name, below ``requests/``, is a request."""
    return name.endswith((ONE, MANY)) and name.rpartition("/")[2] not in {ONE, MANY}


def accepted(run_id: str, cost: Entry | None = None) -> Entry:
    """Return what is said of a request that became a run, or was one that has ended."""
    location = f"/runs/{quote(run_id, safe='')}"
    entry: Entry = {"status": "accepted", "run_id": run_id, "location": location}
    return entry if cost is None else {**entry, "cost": cost}


def refused(error: FalseworkError) -> Entry:
    """Return what is said of a request that never will."""
    problem = problem_of(error) or problem_document(500, str(error))
    return {"status": "refused", "problem": problem}


def read(lines: Sequence[Entry]) -> Entry:
    """Return what is said of a file of many requests, each of which was answered."""
    count = sum(line["status"] == "accepted" for line in lines)
    return {
        "status": "read",
        "accepted": count,
        "refused": len(lines) - count,
        "lines": list(lines),
    }


def split(lines: int, parts: Sequence[str]) -> Entry:
    """Return what is said of a file with so many requests that they are answered in parts."""
    return {"status": "split", "requests": lines, "parts": list(parts)}


def part_name(name: str, version: str, number: int) -> str:
    """Return the key of the answers to one part of a version."""
    return f"{PARTS}{name}/{version}/{number:05}.json"


def write_receipt(uri: str, entries: Sequence[Entry]) -> bytes:
    """Return the receipt of the request file ``uri``."""
    return json.dumps({"object": uri, "versions": entries}, indent=2).encode() + b"\n"


def read_receipt(content: bytes | None) -> list[Entry]:
    """Return the entries; none where there is no receipt, or one that is not ours."""
    try:
        entries = json.loads(content or b"")["versions"]
        return [entry for entry in entries if "version" in entry]
    except (ValueError, KeyError, TypeError):
        return []
