"""``sync`` and ``verify``: files brought from one place to another, and outputs checked.

A sync is a run like any other. Its dry run is no run: both ends are read by this very process,
with the code that a worker would plan with, so that what is shown is what would be done.
"""

from __future__ import annotations

import argparse
import json
import os
import re
from pathlib import Path
from typing import Any, Final

from chalicelib import bootstrap
from chalicelib.carriers import Carrier
from chalicelib.cli.complaints import Complaint, Exit
from chalicelib.cli.connection import Connection, connect, run_path
from chalicelib.cli.places import embedded, open_home, settings_of
from chalicelib.cli.showing import printable
from chalicelib.cli.submitting import see_through
from chalicelib.cli.transfer_note import TransferNote
from chalicelib.core.data_sync.plan import SyncPlan
from chalicelib.core.data_sync.requests import DataSyncRequest, PrepareBatchDataSyncRequest
from chalicelib.core.file_requests import SYNC, parse_file_request
from chalicelib.core.mounts import volumes_of
from chalicelib.core.paths import path_kind
from chalicelib.core.site import FileSystems, Mount
from chalicelib.settings import Settings, load_data_sync
from chalicelib.worker.sync.locations import Locations
from chalicelib.worker.sync.planning import gives_up_source
from chalicelib.worker.sync.syncing import DataSync
from chalicelib.worker.sync.verify import verify as differences_of
from chalicelib.worker.sync_job import single


def add_sync(verb: argparse.ArgumentParser) -> None:
    """Add the verb's own arguments."""
    verb.add_argument("source", metavar="SRC", help="s3://BUCKET/KEY, fs-ID:/PATH, or a path here")
    verb.add_argument("destination", metavar="DST", help="the same; a folder ends with /")
    add_filters(verb)
    for flag, told in _FLAGS.items():
        verb.add_argument(flag, action="store_true", help=told)
    verb.add_argument(
        "--batch-bytes", type=int, metavar="N", help="most bytes for one job (250 GiB)"
    )
    verb.add_argument("--group", help="what the run is listed under")


_LIKE_A_LOCATION: Final = re.compile(r"[A-Za-z0-9+.-]+://|fs-[^/]*:|s3:/", re.IGNORECASE)

_FLAGS: Final = {
    "--delete": "delete at the destination what the source lacks (not between folders here)",
    "--move": "give up the source when all of it is copied; objects stay if they go to a disk",
    "--force": "copy what is in order, too",
    "--size-only": "files of one size are the same unless the source is newer",
    "--dry-run": "only print what would be copied, overwritten and deleted",
    "--wait": "stay until the run has ended",
}


def add_filters(verb: argparse.ArgumentParser) -> None:
    """Add ``--include`` and ``--exclude``."""
    for name in ("--include", "--exclude"):
        verb.add_argument(
            name, action="append", metavar="PATTERN", help="a regular expression; repeatable"
        )


def sync(arguments: argparse.Namespace) -> Exit:
    """``sync SRC DST``: start the run; with ``--wait`` stay until the end and tell the counts."""
    body = _body(arguments)
    if arguments.dry_run:
        return _dry_run(arguments, body)
    settings = settings_of(arguments)
    if not settings.url:
        _look_for(body["source_path"])
    connection = connect(settings)
    run_id = connection.post("/data-syncs", json.dumps(body).encode()).document["id"]
    code = see_through(connection, settings, run_id, arguments, TransferNote(connection))
    if code is Exit.SUCCESS and arguments.wait:
        print(_counts(connection, run_id))
    return code


def verify(arguments: argparse.Namespace) -> Exit:
    """``verify s3://…``: compare every object of an output with its manifest."""
    if path_kind(arguments.uri) != "s3":
        raise Complaint("outputs are objects", field="URI", value=arguments.uri,
                        mend="give s3://BUCKET/KEY")  # fmt: skip
    differences = differences_of(arguments.uri, _carrier(settings_of(arguments)))
    for each in differences:
        found = f"{each.problem}: expected {each.expected}, found {each.found}"
        print(f"{printable(each.uri)}  {found}")
    if differences:
        return Exit.ERROR
    print(f"{printable(arguments.uri)} is what its manifest says")
    return Exit.SUCCESS


def absolute(path: str) -> str:
    """Return a path of this machine from its root on; a worker knows no other. The rest stays.

    Raises Complaint for what would silently be a folder here: no path at all is the folder that
    the user is in, and a misspelt location a new one of that name.
    """
    if not path:
        mend = "give a path; for the folder that you are in write ."
        raise Complaint("a path is empty", field="path", value=path, mend=mend)
    if path_kind(path) != "local":
        return path
    if _LIKE_A_LOCATION.match(path):
        raise Complaint(
            f"{path!r} is no location",
            field="path",
            value=path,
            mend="write s3://BUCKET/KEY or fs-ID:/PATH, ID as shown by AWS; a path here begins ./",
        )
    return os.path.abspath(path) + ("/" if path.endswith("/") and path != "/" else "")  # noqa: PTH100  ("/" at the end says: a folder)


def filters(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return ``--include`` and ``--exclude``, those that were given."""
    given = {"include": arguments.include, "exclude": arguments.exclude}
    return {name: patterns for name, patterns in given.items() if patterns}


def _body(arguments: argparse.Namespace) -> dict[str, Any]:
    body: dict[str, Any] = {
        "source_path": absolute(arguments.source),
        "destination_path": absolute(arguments.destination),
        "delete": arguments.delete,
        "retain_source_data": not arguments.move,
        "force": arguments.force,
        "size_only": arguments.size_only,
        "include_detailed_response": True,
    }
    if arguments.batch_bytes is not None:
        body["batch_size_bytes_limit"] = arguments.batch_bytes
    if chosen := filters(arguments):
        body["filter_config"] = chosen
    if arguments.group:
        body["options"] = {"group": arguments.group}
    return body


def _look_for(source: str) -> None:
    """Raise Complaint for a path of this machine at which there is nothing to copy."""
    if path_kind(source) == "local" and not Path(source).exists():
        raise Complaint("there is nothing at this path", field="SRC", value=source,
                        mend="name a file or a folder that is there")  # fmt: skip


def _dry_run(arguments: argparse.Namespace, body: dict[str, Any]) -> Exit:
    mend = "leave --dry-run out, or ask on a machine that has both ends"
    settings = embedded(arguments, f"a dry run reads both ends itself: {mend}")
    ports = open_home(settings)
    submission = parse_file_request(SYNC, body, ports.site)
    assert isinstance(submission.request, PrepareBatchDataSyncRequest)  # noqa: S101 -- by its kind
    request = single(submission.request)
    mounts = [Mount(id=name, path=path) for name, path in ports.site.worker_mounts.items()]
    roots = load_data_sync(ports.site.worker_environment).roots
    locations = Locations(volumes_of(mounts, FileSystems()), roots, settings.root)
    plan = DataSync(bootstrap.home().carrier, locations).plan(request)
    print(_plan_text(plan, request, locations) if plan else "nothing to do")
    return Exit.SUCCESS


def _plan_text(plan: SyncPlan, request: DataSyncRequest, locations: Locations) -> str:
    told = plan.to_wire()
    lines = [
        f"{verb:9}  {each['source']} → {each['destination']} ({each['bytes']:,} bytes)"
        for verb, files in (("copy", told["copied"]), ("overwrite", told["overwritten"]))
        for each in files
    ]
    lines += [f"{'delete':9}  {uri}" for uri in told["deleted"]]
    ends = map(locations.find, (request.source_path, request.destination_path))
    if gives_up_source(request, *ends):
        lines.append(f"{'remove':9}  {request.source_path}, when all of it is copied")
    summary = (
        f"{len(plan.copied):,} to copy, {len(plan.overwritten):,} to overwrite, "
        f"{len(plan.deleted):,} to delete; {plan.kept.files:,} in order, "
        f"{plan.left_out:,} left out by the filter"
    )
    return "\n".join([*map(printable, lines), summary])


def _counts(connection: Connection, run_id: str) -> str:
    result = connection.get(run_path(run_id))["stages"][-1]["result"]["result"]
    files, size_bytes = result["files_transferred"], result["bytes_transferred"]
    return f"{files:,} file{'' if files == 1 else 's'}, {size_bytes:,} bytes at the destination"


def _carrier(settings: Settings) -> Carrier:
    """A deployment's buckets are read from here, with the credentials of whoever asks."""
    if not settings.url:
        open_home(settings)
        return bootstrap.home().carrier
    try:
        return bootstrap.handler_ports(settings).carrier()
    except ImportError as exc:
        raise Complaint(
            "a deployment's buckets are read with obstore",
            field="url",
            value=settings.url,
            mend="pip install 'falsework[worker]'",
        ) from exc
