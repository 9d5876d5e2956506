"""The bytes that a run's stages tell of, and what moving them costs. Values only.

::

    stage-in    {"params": {p: {copied_files, copied_bytes}}}     S3 ──▶ EFS
    outputs     {p: {files, bytes}}                               EFS ─▶ S3
    a sync      {"request", "result": {files_, bytes_transferred}}, where its request wants detail

A result is any JSON, and may be of a worker that counted otherwise: what is no number counts
nothing. Bytes between S3 and machines of its region cost nothing; requests and EFS do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from pydantic import JsonValue

from chalicelib.core.noun import Noun
from chalicelib.core.prices import Prices
from chalicelib.core.run import Run

GIB: Final = 1024**3

Told = Mapping[str, JsonValue]


class Moved(Noun):
    """Bytes and files, and what moving them cost."""

    efs_written_bytes: int = 0
    efs_read_bytes: int = 0
    s3_read_files: int = 0
    s3_written_files: int = 0
    amount: float = 0


class _Tally(NamedTuple):
    files: int
    size: int


def moved_by(run: Run, prices: Prices) -> Moved:
    """Return what the run has moved, and what that costs."""
    results = [stage.result for stage in run.stages if isinstance(stage.result, Mapping)]
    inward = [_tally(p, "copied_files", "copied_bytes") for each in results for p in _params(each)]
    outward = [_tally(each, "files", "bytes") for each in _maps(run.outputs.values())]
    for each in results:
        is_to_s3, copied = _synced(each)
        (outward if is_to_s3 else inward).append(copied)
    moved = Moved(
        efs_written_bytes=sum(each.size for each in inward),
        efs_read_bytes=sum(each.size for each in outward),
        s3_read_files=sum(each.files for each in inward),
        s3_written_files=sum(each.files for each in outward),
    )
    return moved.model_copy(update={"amount": round(_amount(moved, prices), 6)})


def _amount(moved: Moved, prices: Prices) -> float:
    return (
        moved.efs_written_bytes / GIB * prices.efs_written_gib
        + moved.efs_read_bytes / GIB * prices.efs_read_gib
        + moved.s3_written_files / 1000 * prices.s3_thousand_puts
        + moved.s3_read_files / 1000 * prices.s3_thousand_gets
    )


def _params(result: Told) -> list[Told]:
    found = result.get("params")
    return _maps(found.values()) if isinstance(found, Mapping) else []


def _synced(result: Told) -> tuple[bool, _Tally]:
    """Whether a sync went to S3, and how much; nothing of what is no sync's answer."""
    request, answer = result.get("request"), result.get("result")
    if not isinstance(request, Mapping) or not isinstance(answer, Mapping):
        return False, _Tally(0, 0)
    is_to_s3 = str(request.get("destination_path", "")).startswith("s3://")
    return is_to_s3, _tally(answer, "files_transferred", "bytes_transferred")


def _maps(values: Iterable[JsonValue]) -> list[Told]:
    return [each for each in values if isinstance(each, Mapping)]


def _tally(told: Told, files: str, size: str) -> _Tally:
    counted, summed = told.get(files), told.get(size)
    return _Tally(
        counted if isinstance(counted, int) else 0, summed if isinstance(summed, int) else 0
    )
