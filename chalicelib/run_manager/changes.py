"""What clients may do to a run: ask for another state, which only cancels, and delete it."""

from __future__ import annotations

from chalicelib import audits, engine
from chalicelib.core.errors import Conflict, Unavailable
from chalicelib.core.events import CancelRequested
from chalicelib.core.flowserv.files import is_own, outputs_of, stored_files
from chalicelib.core.flowserv.states import check_deletable, is_change
from chalicelib.core.flowserv.views import CANCELED
from chalicelib.core.run import Run, RunState
from chalicelib.ports import Ports
from chalicelib.run_manager.archives import archive_uri
from chalicelib.run_manager.files import manifests_of


def update(run_id: str, wanted: RunState, ports: Ports, *, reason: str = CANCELED) -> Run | None:
    """Bring the run into a state; None where it is in it already.

    Raises Conflict for a violation of the table, and for what only a run's jobs can bring about.
    A run is CANCELED at once; its jobs end behind it.
    """
    if not is_change(ports.runs.load(run_id).state, wanted):
        return None
    if wanted is not RunState.CANCELED:
        raise Conflict(f"a run becomes {wanted} by what its jobs do; only CANCELED can be asked")
    try:
        return engine.handle(
            CancelRequested(run_id=run_id, at=ports.clock(), reason=reason), ports
        )
    except Unavailable:  # saved, perhaps: then the rest is owed
        run = ports.runs.load(run_id)
        if run.state is not RunState.CANCELED:
            raise
        return run


def cancel(run_id: str, ports: Ports, *, reason: str = CANCELED) -> Run:
    """Cancel the run and return it; one that is cancelled already is returned as it is."""
    return update(run_id, RunState.CANCELED, ports, reason=reason) or ports.runs.load(run_id)


def delete(run_id: str, ports: Ports) -> None:
    """Delete the run with the files that its manifests name. Raises NotFound, Conflict.

    The run goes last: who dies before can be repeated. Files at a destination that another run
    has taken since are that run's, and stay.
    """
    try:
        run = ports.runs.load(run_id)
    except Conflict:  # it is half deleted, its files are gone
        ports.runs.delete(run_id)
        return
    check_deletable(run.id, run.state, is_settled=run.settled_at is not None)
    audits.note(run.id, "delete", ports)
    _delete_objects(run, ports)
    ports.runs.delete(run_id)


def _delete_objects(run: Run, ports: Ports) -> None:
    manifests = manifests_of(run, ports.objects)
    for file in stored_files(run, manifests):
        ports.objects.remove(file.uri)
    for output in outputs_of(run):
        if is_own(run, output, manifests.get(output.param)):
            ports.objects.remove(output.manifest)
    own = f"s3://{ports.site.scratch_bucket}/runs/{run.id}/{run.uid}/"
    for found in list(ports.objects.list(own)):
        ports.objects.remove(found.uri)
    ports.objects.remove(archive_uri(run, ports))
