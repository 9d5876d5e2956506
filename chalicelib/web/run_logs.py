"""The text of a run's logs: every job's own, in order, cut from the front where it is long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from chalicelib.core.errors import NotFound
from chalicelib.core.job_state import JobState
from chalicelib.core.run import Run

MIB: Final = 1024 * 1024
LIMIT_BYTES: Final = MIB
"""An answer of Lambda has at most 6 MiB, and JSON may write one byte as six."""
_CUT_NOTE: Final = f"[only the last {LIMIT_BYTES // MIB} MiB is shown]\n"


def log_text(run: Run, stage: str | None, read: Callable[[str, int], bytes]) -> str:
    """Return the last MiB of what the jobs wrote. ``read`` is JobRunner.log.

    Without a stage each job's part stands behind a line ``==> stage (job name) <==``. Raises
    NotFound for a stage that the run does not have.
    """
    if stage is not None and stage not in {known.stage_name for known in run.stages}:
        raise NotFound(f"run {run.id} has no stage {stage!r:.100}")
    parts: list[bytes] = []
    missing = LIMIT_BYTES + 1  # the one byte more tells whether something is left out
    for part in _backwards(run.jobs, stage, read):
        parts.insert(0, part[-missing:])
        missing -= len(parts[0])
        if missing == 0:
            return _CUT_NOTE + b"".join(parts)[1:].decode(errors="replace")
    return b"".join(parts).decode(errors="replace")


def _backwards(
    jobs: tuple[JobState, ...], stage: str | None, read: Callable[[str, int], bytes]
) -> Iterator[bytes]:
    """Yield the jobs' parts, the last one first; each one byte longer than is ever shown."""
    for job in reversed(jobs):
        if job.log_stream is None or stage not in {None, job.stage}:
            continue
        written = read(job.log_stream, LIMIT_BYTES + 1)
        if written and not written.endswith(b"\n"):
            written += b"\n"
        yield written if stage else f"==> {job.stage} ({job.name}) <==\n".encode() + written
