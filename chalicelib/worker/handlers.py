"""The wire formats' operations as callables: ``handler(event, context) -> dict``.

Each reads the whole environment anew, so that a process may serve several deployments in turn:
``ENV_BASE``, ``AWS_REGION``, the AWS endpoint and credentials, the mounts, ``FALSEWORK_*``. They
raise our errors, which have the bases that the original's clients catch: ValueError for what is
asked wrongly, FileNotFoundError for a source that is missing.

::

    event ──▶ wire model ──▶ operation (worker/sync, core) ──▶ wire model ──▶ dict
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final
from uuid import uuid4

from chalicelib import bootstrap
from chalicelib import settings as environment
from chalicelib.carriers import Carrier
from chalicelib.core.data_sync.batch_requests import (
    DataSyncResponse,
    DataSyncResult,
    read_batch,
    read_prepare,
    read_sync,
)
from chalicelib.core.data_sync.path_requests import (
    GetDataPathStatsRequest,
    GetJsonFromFileRequest,
    ListDataPathsRequest,
    OutdatedDataPathScannerRequest,
    PutJsonToFileRequest,
    PutJsonToFileResponse,
)
from chalicelib.core.data_sync.requests import RemoveDataPathsRequest
from chalicelib.core.demand.batch_args import CreateDefinitionAndPrepareArgsRequest
from chalicelib.core.demand.scaffolding import PrepareDemandScaffoldingRequest
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.mounts import volumes_of
from chalicelib.core.site import FileSystems
from chalicelib.worker.demand_steps import define_and_prepare, scaffold
from chalicelib.worker.sync.batches import batch_sync, prepare_batches
from chalicelib.worker.sync.json_files import put_json, read_json
from chalicelib.worker.sync.locations import Locations
from chalicelib.worker.sync.locks import lock_in
from chalicelib.worker.sync.paths import list_paths, outdated_paths, path_stats, remove_paths
from chalicelib.worker.sync.syncing import DataSync

Event = Mapping[str, Any]
Answer = dict[str, Any]
Handler = Callable[[Event, object], Answer]


class _Desk:
    """What one call works with, made as far as it is needed."""

    def __init__(self) -> None:
        self.settings = bootstrap.handler_settings()
        self.told = environment.load_data_sync()
        self.ports = bootstrap.handler_ports(self.settings)

    @property
    def carrier(self) -> Carrier:
        return self.ports.carrier()

    @property
    def delete_by_default(self) -> bool:
        return self.settings.site.delete_by_default

    @cached_property
    def locations(self) -> Locations:
        """Who started this process knows best what it has mounted; else the environment says."""
        own = self.ports.own_volumes()
        if own is not None:
            return Locations(own, self.told.roots, self.told.home)
        mounts = self.settings.mounts
        has_points = any(mount.id.startswith("fsap-") for mount in mounts)
        inventory = self.ports.facilities().file_systems() if has_points else FileSystems()
        return Locations(volumes_of(mounts, inventory), self.told.roots, self.told.home)

    @property
    def data_sync(self) -> DataSync:
        return DataSync(self.carrier, self.locations, lock=lock_in(self.told.lock_root))


def data_sync(event: Event, context: object) -> Answer:  # noqa: ARG001
    """Bring what is at one path to another (section 8)."""
    desk = _Desk()
    request = read_sync(event, delete_by_default=desk.delete_by_default)
    counted = desk.data_sync.sync(request).counted
    result = DataSyncResult()
    if request.include_detailed_response:
        result = DataSyncResult(bytes_transferred=counted.bytes, files_transferred=counted.files)
    return DataSyncResponse(request=request, result=result).to_wire()


def batch_data_sync(event: Event, context: object) -> Answer:  # noqa: ARG001
    """Carry out several syncs in turn (section 10)."""
    desk = _Desk()
    request = read_batch(event, delete_by_default=desk.delete_by_default)
    response = batch_sync(request, desk.data_sync, delete_by_default=desk.delete_by_default)
    return response.to_wire()


def prepare_batch_data_sync(event: Event, context: object) -> Answer:  # noqa: ARG001
    """Cut a sync into batches (section 9)."""
    desk = _Desk()
    request = read_prepare(event, delete_by_default=desk.delete_by_default)
    return prepare_batches(request, desk.data_sync).to_wire()


def get_data_path_stats(event: Event, context: object) -> Answer:  # noqa: ARG001
    """Sum up what is at a path."""
    desk = _Desk()
    request = GetDataPathStatsRequest.parse(event)
    return path_stats(request.path, desk.carrier, desk.locations).to_wire()


def list_data_paths(event: Event, context: object) -> Answer:  # noqa: ARG001
    """List what is at a path."""
    desk = _Desk()
    request = ListDataPathsRequest.parse(event)
    return list_paths(request, desk.carrier, desk.locations).to_wire()


def outdated_data_path_scanner(event: Event, context: object) -> Answer:  # noqa: ARG001
    """Find what has not been written for so many days."""
    desk = _Desk()
    request = OutdatedDataPathScannerRequest.parse(event)
    now = datetime.now(UTC)
    return outdated_paths(request, desk.carrier, desk.locations, now).to_wire()


def remove_data_paths(event: Event, context: object) -> Answer:  # noqa: ARG001
    """Remove files and folders."""
    request = RemoveDataPathsRequest.parse(event)
    return remove_paths(request, _Desk().locations).to_wire()


def put_json_to_file(event: Event, context: object) -> Answer:
    """Store a JSON value (section 12)."""
    desk = _Desk()
    path = put_json(
        PutJsonToFileRequest.parse(event),
        desk.carrier,
        desk.locations,
        default_bucket=desk.told.default_bucket,
        request_id=str(getattr(context, "aws_request_id", None) or uuid4()),
    )
    return PutJsonToFileResponse(path=path).to_wire()


def get_json_from_file(event: Event, context: object) -> Answer:  # noqa: ARG001
    """Read a JSON value. Its content may be null, which no wire model would write."""
    desk = _Desk()
    request = GetJsonFromFileRequest.parse(event)
    return {"content": read_json(request.path, desk.carrier, desk.locations)}


def prepare_demand_scaffolding(event: Event, context: object) -> Answer:  # noqa: ARG001
    """Work out what has to be around a demand, and write its environment file (section 6)."""
    desk = _Desk()
    request = PrepareDemandScaffoldingRequest.parse(event)
    return scaffold(request, desk.settings, desk.ports.facilities()).to_wire()


def create_definition_and_prepare_args(event: Event, context: object) -> Answer:  # noqa: ARG001
    """Register a job definition unless there is one, and prepare SubmitJob (section 7)."""
    desk = _Desk()
    request = CreateDefinitionAndPrepareArgsRequest.parse(event)
    facilities, jobs = desk.ports.facilities(), desk.ports.jobs()
    return define_and_prepare(request, desk.settings.site, facilities, jobs).to_wire()


HANDLERS: Final[Mapping[str, Handler]] = {
    handler.__name__: handler
    for handler in (
        data_sync,
        batch_data_sync,
        prepare_batch_data_sync,
        get_data_path_stats,
        list_data_paths,
        outdated_data_path_scanner,
        remove_data_paths,
        put_json_to_file,
        get_json_from_file,
        prepare_demand_scaffolding,
        create_definition_and_prepare_args,
    )
}

NEIGHBOURS: Final = "aibs_informatics_aws_lambda.handlers."

ALIASES: Final[Mapping[str, Handler]] = {
    f"{NEIGHBOURS}data_sync.data_sync_handler": data_sync,
    f"{NEIGHBOURS}data_sync.batch_data_sync_handler": batch_data_sync,
    f"{NEIGHBOURS}data_sync.prepare_batch_data_sync_handler": prepare_batch_data_sync,
    f"{NEIGHBOURS}data_sync.get_data_path_stats_handler": get_data_path_stats,
    f"{NEIGHBOURS}data_sync.list_data_paths_handler": list_data_paths,
    f"{NEIGHBOURS}data_sync.outdated_data_path_scanner_handler": outdated_data_path_scanner,
    f"{NEIGHBOURS}data_sync.remove_data_paths_handler": remove_data_paths,
    f"{NEIGHBOURS}data_sync.put_json_to_file_handler": put_json_to_file,
    f"{NEIGHBOURS}data_sync.get_json_from_file_handler": get_json_from_file,
    f"{NEIGHBOURS}demand.scaffolding.handler": prepare_demand_scaffolding,
    f"{NEIGHBOURS}batch.create.handler": create_definition_and_prepare_args,
}
"""What the Step Functions constructs call them (``specs/sfn.md``, 4.3)."""


def resolve(name: str) -> Handler:
    """Return the handler of that name: ours, with or without its module, or the neighbours'.

    Raises InvalidRequest for any other: no name that was sent is ever imported.
    """
    handler = ALIASES.get(name) or ALIASES.get(f"{NEIGHBOURS}{name}")
    handler = handler or HANDLERS.get(name.removeprefix(f"{__name__}."))
    if handler is None:
        raise InvalidRequest(
            f"there is no handler {name[:200]!r}",
            field="handler",
            value=name[:200],
            mend=f"name one of {', '.join(HANDLERS)}",
        )
    return handler
