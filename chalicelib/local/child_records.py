"""The children of a local array, as its wrapper noted them when each had ended.

They are no jobs of their own here: one process runs them one after another, and a line for each
in the job's folder says how that went. What is torn, or was never written, is not known.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import AwareDatetime, BaseModel, ValidationError

from chalicelib.core.job_state import JobStatus
from chalicelib.job_ports import JobSeen


class _Line(BaseModel):
    index: int
    is_success: bool
    exit_code: int | None
    reason: str | None
    started_at: AwareDatetime
    stopped_at: AwareDatetime


def children(jobs_folder: Path, ids: Iterable[str]) -> Iterator[JobSeen]:
    """Yield the children of those ids, ``<id of the array>:<index>``, that have a line."""
    wanted: dict[str, set[str]] = {}
    for each in ids:
        parent, _, index = each.partition(":")
        wanted.setdefault(parent, set()).add(index)
    for parent, indexes in wanted.items():
        for line in _lines(jobs_folder, parent):
            if str(line.index) in indexes:
                yield _seen(parent, line)


def _lines(jobs_folder: Path, parent: str) -> Iterator[_Line]:
    try:
        path = jobs_folder / str(uuid.UUID(parent)) / "children.jsonl"
        told = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except (ValueError, OSError):
        return
    for text in told:
        try:
            yield _Line.model_validate_json(text)
        except ValidationError:
            continue


def _seen(parent: str, line: _Line) -> JobSeen:
    told: dict[str, Any] = line.model_dump(exclude={"index", "is_success"})
    status = JobStatus.SUCCEEDED if line.is_success else JobStatus.FAILED
    return JobSeen(
        job_id=f"{parent}:{line.index}",
        name="",
        queue="",
        status=status,
        ended_attempts=1,
        **told,
    )
