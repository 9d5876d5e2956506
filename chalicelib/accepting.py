"""The last step of every way in: a checked request is saved as a run, and so is accepted.

What could not be performed at once is owed, and the sweep sees to it.
"""

from __future__ import annotations

from chalicelib import engine
from chalicelib.core.errors import Conflict, InvalidRequest, NotFound, Unavailable
from chalicelib.core.events import RunRequested
from chalicelib.core.run import Run
from chalicelib.ports import Ports


def accept(event: RunRequested, ports: Ports) -> Run:
    """Save the run and set it going; return it, or the run that the same content has become.

    Raises Conflict for an id in use by other content, Unavailable when nothing was accepted.
    """
    try:
        return engine.handle(event, ports)
    except Unavailable:
        return _accepted(event, ports)


def check_queue(field: str, name: str, ports: Ports) -> None:
    """Raise InvalidRequest for a queue that is not there: the job would find it out too late."""
    if not ports.facilities.has_queue(name):
        raise InvalidRequest(
            f"there is no job queue {name!r}",
            field=field,
            value=name,
            mend="name a queue of this site",
        )


def _accepted(event: RunRequested, ports: Ports) -> Run:
    """Something was unavailable: after the first save, or before it? Then nothing was accepted."""
    run_id = event.run_id
    try:
        run = ports.runs.load(run_id)
    except NotFound as exc:
        raise Unavailable("the run could not be saved; nothing was accepted") from exc
    if (run.plan.request_digest, run.kind) != (event.plan.request_digest, event.kind):
        raise Conflict(f"run {run_id} exists already, with another request; choose another id")
    return run
