"""Stage out: outputs are brought home, and a manifest vouches for each.

All outputs are looked at before anything is touched. Then, in this order, so that whoever sees a
manifest sees a complete output, whenever we are killed::

    old manifests removed → files uploaded → extra objects deleted → manifests written

Every file is uploaded, whatever is there already: equal size and time do not prove equal content,
and the manifest does promise it. So a repeat ends in the same state. The source stays; clean-up
removes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from pydantic import JsonValue

from chalicelib.carriers import Carrier
from chalicelib.core.data_sync.destinations import (
    arrives_at,
    checked_key,
    is_bucket_root,
    name_below,
)
from chalicelib.core.data_sync.filters import PathFilter
from chalicelib.core.data_sync.manifest import ManifestFile, manifest_of, manifest_uri
from chalicelib.core.data_sync.requests import DataSyncRequest
from chalicelib.core.data_sync.selection import what_to_delete
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.worker_documents import ParameterSync, StageOutOrder
from chalicelib.worker.output_tree import OutputFile, find_output
from chalicelib.worker.places import Places
from chalicelib.worker.problems import problems_of
from chalicelib.worker.transfers import amount, say
from chalicelib.worker.uploading import Stored, upload


class Outgoing(NamedTuple):
    """One output that is there, and where it goes."""

    param: str
    request: DataSyncRequest
    uri: str
    """Of the object; of a folder with a last ``/``."""
    is_folder: bool
    files: tuple[OutputFile, ...]

    def key(self, file: OutputFile) -> str:
        """Return the URI of one of its files."""
        return self.uri + file.name if self.is_folder else self.uri


def stage_out(
    order: StageOutOrder,
    carrier: Carrier,
    clock: Callable[[], datetime],
    stored: Mapping[str, Stored] | None = None,
) -> dict[str, JsonValue]:
    """Return ``{"outputs": {param: {"uri", "manifest", "files", "bytes"}}}``.

    An output that is missing, and may be, has a null manifest. What is in ``stored``, by its URI,
    and has not changed since is not uploaded again. Raises InvalidRequest.
    """
    outgoing = look_at_all(order)
    carrier.remove(manifest_uri(each.uri) for each in outgoing)
    uploaded = {
        each.param: tuple(
            ManifestFile(path=file.name, bytes=found.version[0], sha256=found.sha256)
            for file, found in zip(
                each.files, upload_all(each, carrier, stored or {}), strict=True
            )
        )
        for each in outgoing
    }
    for each in outgoing:
        _delete_extra(each, outgoing, carrier)
    outputs: dict[str, JsonValue] = {
        sync.param: _summary(sync.request.destination_path, None, ()) for sync in order.syncs
    }
    for each in outgoing:
        files = uploaded[each.param]
        _write_manifest(each, files, order, carrier, clock())
        outputs[each.param] = _summary(each.uri, manifest_uri(each.uri), files)
    return {"outputs": outputs}


def look_at_all(order: StageOutOrder) -> list[Outgoing]:
    """Return the outputs that are there. Raises InvalidRequest; nothing was touched then."""
    places = Places(order.mounts, order.root)
    outgoing = [found for sync in order.syncs if (found := _look_at(sync, places))]
    refuse_shared_destinations(outgoing)
    return outgoing


def _look_at(sync: ParameterSync, places: Places) -> Outgoing | None:
    request = sync.request
    with problems_of(sync.param):
        if not request.destination_path.startswith("s3://"):
            raise InvalidRequest(
                f"{request.destination_path!r} is not in the object store",
                value=request.destination_path,
                mend="give an s3:// location",
            )
        place = places.find_open(request.source_path)
        path_filter = PathFilter.of(
            request.filter_config, request.source_path, request.filter_root
        )
        output = find_output(place, path_filter)
        if output is None:
            return _nothing(request, f"the job has not written {str(place.path)!r}")
        if output.left_out and not output.files:
            return _nothing(request, f"the filter leaves out all {output.left_out} of its files")
        uri = arrives_at(request.destination_path, place.path.name, is_folder=output.is_folder)
        found = Outgoing(sync.param, request, uri, output.is_folder, output.files)
        for file in found.files:
            checked_key(found.key(file), file.name)
        checked_key(manifest_uri(uri), uri)
        return found


def _nothing(request: DataSyncRequest, problem: str) -> Outgoing | None:
    if request.fail_if_missing:
        raise InvalidRequest(
            f"the output {request.source_path!r} has nothing to store: {problem}",
            value=request.source_path,
            mend="check the command, the output's path and its filters",
        )
    say(f"{request.source_path}: nothing to store, as the request allows")
    return None


def refuse_shared_destinations(outgoing: Sequence[Outgoing]) -> None:
    """Raise InvalidRequest if two outputs would overwrite each other's objects or manifests."""
    owner: dict[str, str] = {}
    for each in outgoing:
        for uri in {manifest_uri(each.uri), *map(each.key, each.files)}:
            other = owner.setdefault(uri, each.param)
            if other != each.param:
                raise InvalidRequest(
                    f"the outputs {other!r} and {each.param!r} would both write {uri!r}",
                    field=each.param,
                    value=uri,
                    mend="give each output a destination of its own",
                )


def upload_all(each: Outgoing, carrier: Carrier, stored: Mapping[str, Stored]) -> list[Stored]:
    """Upload the files but those that are stored already; return all, in their order."""
    say(f"{each.param}: {each.request.source_path} to {each.uri}")
    with problems_of(each.param):
        files = upload(
            [(each.key(file), file) for file in each.files],
            carrier,
            stored,
            label=each.param,
            concurrency=each.request.max_concurrency,
        )
    say(f"{each.param}: {amount(len(files), sum(file.version[0] for file in files))}")
    return files


def _delete_extra(each: Outgoing, outgoing: Sequence[Outgoing], carrier: Carrier) -> None:
    """Delete below the output's own prefix; what belongs to the other outputs is not extra."""
    if not (each.request.delete and each.is_folder):
        return
    if is_bucket_root(each.uri):
        say(f"{each.param}: nothing is deleted, for the destination is a whole bucket")
        return
    others = [other for other in outgoing if other is not each]
    there = {
        name: info.uri
        for info in carrier.list(each.uri.rstrip("/"))
        if (name := name_below(info.uri, each.uri)) is not None and not name.endswith("/")
    }
    extra = what_to_delete([file.name for file in each.files], there, delete=True)
    uris = [
        there[name] for name in extra if not any(_belongs(there[name], other) for other in others)
    ]
    carrier.remove(uris)
    for uri in uris:
        say(f"{each.param}: deleted {uri!r}, which the output does not have")


def _belongs(uri: str, output: Outgoing) -> bool:
    return uri == output.uri or (output.is_folder and name_below(uri, output.uri) is not None)


def _write_manifest(
    each: Outgoing,
    files: tuple[ManifestFile, ...],
    order: StageOutOrder,
    carrier: Carrier,
    at: datetime,
) -> None:
    manifest = manifest_of(
        files,
        run=Places(order.mounts, order.root).run,
        param=each.param,
        source=each.request.source_path,
        created_at=at,
    )
    uri = manifest_uri(each.uri)
    carrier.write(uri, manifest.model_dump_json(indent=1).encode())
    say(f"{each.param}: complete, see {uri}")


def _summary(uri: str, manifest: str | None, files: Sequence[ManifestFile]) -> JsonValue:
    return {
        "uri": uri,
        "manifest": manifest,
        "files": len(files),
        "bytes": sum(file.bytes for file in files),
    }
