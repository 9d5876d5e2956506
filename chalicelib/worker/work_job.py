"""One attempt of a work that is pushed, executed where its image is: the verb ``work``.

::

    lease ── begun before, or closed ──▶ refused, nothing runs
      │
    function or command ─▶ results, products, plots ─▶ files stored ─▶ the ending ─▶ outcome

An attempt is executed once at most, whatever becomes of its jobs: the lease is claimed before
the user's code begins, and a job that comes after one that was lost in the midst of it only says
so. Whether the work is tried again is the work queue's to say, and counts as an attempt.

The ending is written before the outcome, and is what the queue is told; a failed work is a failed
stage besides.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import JsonValue

from chalicelib.bootstrap import WorkerPorts
from chalicelib.core.errors import FalseworkError, Refused
from chalicelib.core.work.leases import Ending, Lease
from chalicelib.core.work.model import Work, WorkStatus
from chalicelib.core.work.reading import without_excess
from chalicelib.core.worker_documents import WorkOrder
from chalicelib.ports import Claims
from chalicelib.worker.transfers import say
from chalicelib.worker.work_files import Depot
from chalicelib.worker.work_process import Done, run_command, run_function
from chalicelib.worker_settings import WorkerSettings

OURS: Final = ("error", "args", "stdout", "stderr", "returncode")
"""What an earlier attempt may have left in the results."""
MESSAGE_CHARACTERS: Final = 500


def work_on(
    order: WorkOrder, job: WorkerSettings, ports: WorkerPorts, clock: Callable[[], datetime]
) -> JsonValue:
    """Execute the work and write its ending; return ``{"status", "outputs"}``.

    Raises Refused where the work failed, and where this job may not execute it.
    """
    _claim(order.lease, job, ports.claims)
    work, start = order.work, clock().timestamp()
    with _folder() as folder:
        done = _executed(work, folder)
        depot = Depot(order.lease, ports.carrier, clock, folder)
        done, files, outputs = _stored(work, done, depot)
    ending = _ending(work, done, files, start, clock().timestamp())
    ports.objects.write(order.lease.ending_uri, ending.model_dump_json().encode())
    if done.error is not None:
        raise Refused(f"work {work.id}: {done.error[:MESSAGE_CHARACTERS]}")
    return {"status": ending.status.value, "outputs": outputs}


def _claim(lease: Lease, job: WorkerSettings, claims: Claims) -> None:
    """A lease is begun once, even by the same job."""
    if claims.holder(lease.name, 0) is None:
        holder = claims.claim(lease.name, 0, job.job_id, job.attempt)
        if (holder.job_id, holder.attempt) == (job.job_id, job.attempt):
            return
    raise Refused(
        f"attempt {lease.attempt} of work {lease.work_id} was begun by a job that was lost before"
        " it could say how it ended, or is over; an attempt is executed once"
    )


def _executed(work: Work, folder: Path) -> Done:
    if work.function:
        return run_function(work.function, work.parameters or {}, work.timeout, folder)
    if work.command:
        return run_command(list(work.command), work.timeout, folder)
    return Done(error="neither function nor command: there is nothing to execute")


Stored = dict[str, tuple[str, ...] | None]


def _stored(work: Work, done: Done, depot: Depot) -> tuple[Done, Stored, dict[str, JsonValue]]:
    """What cannot be stored makes the work fail; its results are kept."""
    files: Stored = {
        "products": (*(work.products or ()), *done.products) or None,
        "plots": (*(work.plots or ()), *done.plots) or None,
    }
    outputs: dict[str, JsonValue] = {}
    archive = work.config.archive
    try:
        for name, strategy in (("products", archive.products), ("plots", archive.plots)):
            files[name], summary = depot.store(name, files[name], strategy)
            if summary is not None:
                outputs[name] = summary
    except (FalseworkError, OSError) as exc:
        say(f"the files cannot be stored: {exc}")
        done = done._replace(error=done.error or f"its files could not be stored: {exc}")
    return done, files, outputs


def _ending(work: Work, done: Done, files: Stored, start: float, stop: float) -> Ending:
    base = {key: value for key, value in (work.results or {}).items() if key not in OURS}
    told = {"error": done.error} if done.error is not None else {}
    results = {**base, **(done.results or {}), **told}
    whole = work.model_copy(update={"results": results or None})
    return Ending(
        status=WorkStatus.SUCCESS if done.error is None else WorkStatus.FAILURE,
        results=without_excess(whole).results,
        products=files["products"],
        plots=files["plots"],
        start=start,
        stop=stop,
    )


@contextmanager
def _folder() -> Iterator[Path]:
    """Lend where it is executed: the image's own folder, or a fresh one in place of ``/``."""
    here = Path.cwd()
    if here != Path("/"):
        yield here
        return
    with tempfile.TemporaryDirectory(prefix="falsework-work-") as name:
        yield Path(name)
