"""Works that are pushed: a run has the lease of one attempt, takes the work and reports its end.

::

    queued, attempt n - 1 ──leased──▶ running, attempt n, start = the lease's ──reported──▶ success
             └────────── given up: no run will ever take it ───────────────────────────▶ failure

A run is made *before* its work is taken, under an id that attempt and work decide, so that there
is never more than one of an attempt. ``start`` is the lease's mark: it lies between two
microseconds, and whoever withdraws the same work at the same attempt writes a whole one. Whatever
was done before, doing it again changes nothing; a work that somebody else has changed meanwhile is
left as it is.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field, FiniteFloat

from chalicelib.core.noun import Noun
from chalicelib.core.work.model import Work, WorkStatus


class Lease(Noun):
    """One attempt of one work, and the run that has it."""

    run_id: str
    work_id: str
    attempt: int = Field(ge=1)
    start: FiniteFloat
    """Seconds since 1970: when the run was made; see ``mark_of``."""
    seconds: int
    """After that long nobody will report any more, and the attempt expires like any other."""
    home: str
    """``s3://…/`` below which the run's documents are."""
    files: str
    """``s3://…/`` below which products and plots are stored."""
    is_requeued: bool = False
    """Whether a failed attempt is queued again at once."""

    @property
    def name(self) -> str:
        """What is claimed by the one job that may execute the attempt."""
        return lease_name(self.work_id, self.attempt)

    @property
    def order_uri(self) -> str:
        """Where the worker's order is."""
        return f"{self.home}order.json"

    @property
    def ending_uri(self) -> str:
        """Where the worker writes how the work ended."""
        return f"{self.home}ending.json"


class Ending(Noun):
    """How an attempt ended: what its worker leaves behind."""

    status: WorkStatus
    results: dict[str, Any] | None = None
    """All that the work has now, what it had before included; None: nothing, or too much."""
    products: tuple[str, ...] | None = None
    plots: tuple[str, ...] | None = None
    start: float | None = None
    """When it really began; None: it never did."""
    stop: float


class PushedWork(Work):
    """A work under a lease: its time is over when the lease's is, however long its job waits.

    Only the store's own column knows of that; the document has no such field, so whoever
    replaces the work puts the usual deadline back.
    """

    lease_ends_at: float = Field(exclude=True)

    @property
    def deadline(self) -> float | None:
        """As a Work's, but not before the lease has ended."""
        usual = super().deadline
        return None if usual is None else max(usual, self.lease_ends_at)


def mark_of(at: datetime) -> float:
    """Return the start of a lease of that moment: half a microsecond past it.

    Withdrawals start at whole ones, and until the year 2106 a double tells the two apart. A clock
    alone does not: the simulator had a client withdraw in the very microsecond of a run's making.
    """
    return at.timestamp() + 0.5e-6


def lease_name(work_id: str, attempt: int) -> str:
    """Return the name of an attempt; the id of its run, too."""
    return f"work-{work_id}-{attempt}"


def leased(work: Work, lease: Lease) -> PushedWork | None:
    """Return the work as its run takes it; None unless it is queued for this attempt."""
    if (work.status, work.attempt) != (WorkStatus.QUEUED, lease.attempt - 1):
        return None
    return PushedWork(
        **{
            **dict(work),
            "status": WorkStatus.RUNNING,
            "start": lease.start,
            "stop": None,
            "attempt": lease.attempt,
            "lease_ends_at": lease.start + lease.seconds,
        }
    )


def holds(work: Work, lease: Lease) -> bool:
    """Tell whether the work runs under this lease."""
    is_its_attempt = (work.attempt, work.start) == (lease.attempt, lease.start)
    return work.status is WorkStatus.RUNNING and is_its_attempt


def reported(work: Work, lease: Lease, ending: Ending) -> Work | None:
    """Return the work as the attempt left it; None where it is not this lease's any more."""
    if not holds(work, lease):
        return None
    files = {
        name: getattr(ending, name)
        for name in ("products", "plots")
        if getattr(ending, name) is not None
    }
    start = lease.start if ending.start is None else ending.start
    told = {"status": ending.status, "results": ending.results, "stop": ending.stop}
    return work.model_copy(update={**files, **told, "start": start})


def failed(message: str, stop: float) -> Ending:
    """Return the ending of an attempt that nobody can tell more of."""
    return Ending(status=WorkStatus.FAILURE, results={"error": message}, stop=stop)


def given_up(work: Work, message: str, at: float) -> Work:
    """Return the queued work after an attempt that never could begin."""
    told = {"status": WorkStatus.FAILURE, "results": {"error": message}}
    return work.model_copy(update={**told, "attempt": work.attempt + 1, "start": at, "stop": at})
