"""Deleting a run: what we keep of it always, what it left at its destinations where that is asked.

Of its outputs only that goes which is certainly the run's own work. An object is removed if

- the manifest beside it is still this run's, and names it, below the output's own place;
- it has the size that the manifest says;
- it is not younger than the manifest, which was written when all that it names was there.

What was replaced since, or put beside it, stays. The Site can forbid it altogether
(``delete_outputs_with_run``). The run goes last: who dies before can be repeated.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Any

from chalicelib import audits
from chalicelib.children import check_on_its_own
from chalicelib.core.errors import Conflict, Forbidden, NotFound
from chalicelib.core.flowserv.files import Output, files_in, is_own, outputs_of
from chalicelib.core.flowserv.states import check_deletable
from chalicelib.core.plans.archives import KIND, archive_run_id
from chalicelib.core.run import Run
from chalicelib.core.site import Site
from chalicelib.ports import ObjectInfo, Ports
from chalicelib.run_manager.archives import archive_uri
from chalicelib.run_manager.files import manifests_of


def delete(run_id: str, ports: Ports, *, with_files: bool = False) -> None:
    """Delete the run; ``with_files``: its outputs too. Raises NotFound, Conflict, Forbidden."""
    check_wish(ports.site, with_files=with_files)
    try:
        run = ports.runs.load(run_id)
    except Conflict:  # it is half deleted, its files are gone
        ports.runs.delete(run_id)
        return
    check_deletable(run.id, run.state, is_settled=run.settled_at is not None)
    check_on_its_own(run, ports)
    audits.note(run.id, "delete", ports, detail="with its files" if with_files else "")
    if with_files:
        for output in outputs_of(run):
            _remove_output(run, output, ports)
    _remove_what_is_ours(run, ports)
    ports.runs.delete(run_id)


def check_wish(site: Site, *, with_files: bool) -> None:
    """Raise Forbidden where outputs are to go and the site keeps them."""
    if with_files and not site.delete_outputs_with_run:
        raise Forbidden(
            "the site keeps the outputs of runs that are deleted",
            field="files",
            value=with_files,
            mend="leave it out; the run alone is deleted then",
        )


def _remove_output(run: Run, output: Output, ports: Ports) -> None:
    manifests = manifests_of((output,), ports.objects)
    stamp = _object_at(output.manifest, ports)
    if stamp is None or not is_own(run.id, output, manifests.get(output.param)):
        return
    sizes = {file.uri: file.size_bytes for file in files_in(run.id, (output,), manifests)}
    for found in list(ports.objects.list(output.uri)):
        if _is_untouched(found, sizes.get(found.uri), stamp.modified_at):
            ports.objects.remove(found.uri)
    ports.objects.remove(output.manifest)


def _is_untouched(found: ObjectInfo, size_bytes: int | None, written_at: datetime) -> bool:
    return found.size_bytes == size_bytes and found.modified_at <= written_at


def _object_at(uri: str, ports: Ports) -> ObjectInfo | None:
    there: Any = next(iter(ports.objects.list(uri)), None)
    return there if there is not None and there.uri == uri else None


def _remove_what_is_ours(run: Run, ports: Ports) -> None:
    """Its orders and outcomes, its archive, and the run that made that."""
    own = f"s3://{ports.site.scratch_bucket}/runs/{run.id}/{run.uid}/"
    for found in list(ports.objects.list(own)):
        ports.objects.remove(found.uri)
    ports.objects.remove(archive_uri(run, ports))
    if run.kind != KIND:
        with suppress(NotFound, Conflict):  # it goes on, and what it makes ages
            delete(archive_run_id(run), ports)
