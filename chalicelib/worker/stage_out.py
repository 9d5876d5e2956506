"""Stage out: outputs are brought home, and a manifest vouches for each.

All outputs are looked at before anything is touched. Then, in this order, so that whoever sees a
manifest sees a complete output, whenever we are killed::

    old manifests removed → files uploaded → extra objects deleted → manifests written

Every file is uploaded, whatever is there already: equal size and time do not prove equal content,
and the manifest does promise it. So a repeat ends in the same state. The source stays; clean-up
removes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from pydantic import JsonValue

from chalicelib.core.data_sync.destinations import (
    arrives_at,
    checked_key,
    is_bucket_root,
    name_below,
)
from chalicelib.core.data_sync.manifest import ManifestFile, manifest_of, manifest_uri
from chalicelib.core.data_sync.requests import DataSyncRequest
from chalicelib.core.data_sync.selection import what_to_delete
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.worker_documents import ParameterSync, StageOutOrder
from chalicelib.ports import ObjectStore
from chalicelib.worker.fetching import filter_of
from chalicelib.worker.output_tree import OutputFile, find_output
from chalicelib.worker.places import Places
from chalicelib.worker.problems import problems_of
from chalicelib.worker.transfers import amount, in_parallel, say


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
    order: StageOutOrder, objects: ObjectStore, clock: Callable[[], datetime]
) -> dict[str, JsonValue]:
    """Return ``{"outputs": {param: {"uri", "manifest", "files", "bytes"}}}``.

    An output that is missing, and may be, has a null manifest. Raises InvalidRequest.
    """
    places = Places(order.mounts, order.root)
    outgoing = [found for sync in order.syncs if (found := _look_at(sync, places))]
    refuse_shared_destinations(outgoing)
    for each in outgoing:
        objects.remove(manifest_uri(each.uri))
    uploaded = {each.param: _upload_all(each, objects) for each in outgoing}
    for each in outgoing:
        _delete_extra(each, outgoing, objects)
    outputs: dict[str, JsonValue] = {
        sync.param: _summary(sync.request.destination_path, None, ()) for sync in order.syncs
    }
    for each in outgoing:
        files = uploaded[each.param]
        _write_manifest(each, files, order, objects, clock())
        outputs[each.param] = _summary(each.uri, manifest_uri(each.uri), files)
    return {"outputs": outputs}


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
        output = find_output(place, filter_of(request))
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


def _upload_all(each: Outgoing, objects: ObjectStore) -> tuple[ManifestFile, ...]:
    say(f"{each.param}: {each.request.source_path} to {each.uri}")

    def upload(file: OutputFile) -> ManifestFile:
        return _upload(file, each.key(file), objects)

    with problems_of(each.param):
        files = in_parallel(
            upload, each.files, threads=each.request.max_concurrency, name=each.param
        )
    say(f"{each.param}: {amount(len(files), sum(file.bytes for file in files))}")
    return tuple(files)


def _upload(file: OutputFile, uri: str, objects: ObjectStore) -> ManifestFile:
    before = _version(file)
    with file.path.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    objects.upload(file.path, uri)
    if _version(file) != before:
        raise InvalidRequest(
            f"{file.name!r} changed while it was stored",
            value=file.name,
            mend="let the command end only when all of its processes have finished writing",
        )
    return ManifestFile(path=file.name, bytes=before[0], sha256=digest)


def _version(file: OutputFile) -> tuple[int, int, int]:
    found = file.path.lstat()
    return found.st_size, found.st_mtime_ns, found.st_ino


def _delete_extra(each: Outgoing, outgoing: Sequence[Outgoing], objects: ObjectStore) -> None:
    """Delete below the output's own prefix; what belongs to the other outputs is not extra."""
    if not (each.request.delete and each.is_folder):
        return
    if is_bucket_root(each.uri):
        say(f"{each.param}: nothing is deleted, for the destination is a whole bucket")
        return
    others = [other for other in outgoing if other is not each]
    there = {
        name: info.uri
        for info in objects.list(each.uri.rstrip("/"))
        if (name := name_below(info.uri, each.uri)) is not None and not name.endswith("/")
    }
    extra = what_to_delete([file.name for file in each.files], there, delete=True)
    for name in extra:
        if not any(_belongs(there[name], other) for other in others):
            objects.remove(there[name])
            say(f"{each.param}: deleted {there[name]!r}, which the output does not have")


def _belongs(uri: str, output: Outgoing) -> bool:
    return uri == output.uri or (output.is_folder and name_below(uri, output.uri) is not None)


def _write_manifest(
    each: Outgoing,
    files: tuple[ManifestFile, ...],
    order: StageOutOrder,
    objects: ObjectStore,
    at: datetime,
) -> None:
    manifest = manifest_of(
        files,
        # A run's root is the folder that bears its id.
        run=order.root.rstrip("/").rpartition("/")[2],
        param=each.param,
        source=each.request.source_path,
        created_at=at,
    )
    uri = manifest_uri(each.uri)
    objects.write(uri, manifest.model_dump_json(indent=1).encode())
    say(f"{each.param}: complete, see {uri}")


def _summary(uri: str, manifest: str | None, files: Sequence[ManifestFile]) -> JsonValue:
    return {
        "uri": uri,
        "manifest": manifest,
        "files": len(files),
        "bytes": sum(file.bytes for file in files),
    }
