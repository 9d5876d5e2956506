"""What a run left behind: the files that its outputs' manifests name, each with a key and an id.

A file's key is ``<parameter>/<path in the output>``, its id 32 hex digits of the run and the key:
the same at every look. Manifests lie where users may write, and a destination may since have been
taken by another run. So a manifest counts only if it names this run, and its paths only if they
stay below their output.
"""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import NamedTuple

from chalicelib.core.data_sync.manifest import Manifest, ManifestFile
from chalicelib.core.errors import InvalidRequest, NotFound
from chalicelib.core.object_names import parse_object
from chalicelib.core.run import RunRecord, RunState


class Output(NamedTuple):
    """A complete output, as the run has it."""

    param: str
    uri: str
    """A folder's ends with ``/``."""
    manifest: str


class RunFile(NamedTuple):
    """One file of a run."""

    id: str
    key: str
    uri: str
    size_bytes: int
    mime_type: str | None
    """Guessed from the name; None if that says nothing."""


def outputs_of(run: RunRecord) -> tuple[Output, ...]:
    """Return the outputs that have a manifest, in their order."""
    return tuple(
        Output(param, str(value["uri"]), str(value["manifest"]))
        for param, value in run.outputs.items()
        if isinstance(value, Mapping) and value.get("manifest") and value.get("uri")
    )


def files_of(run: RunRecord, manifests: Mapping[str, Manifest]) -> tuple[RunFile, ...]:
    """Return the run's files by key. ``manifests`` are by parameter; none of its own is no file.

    A run that has not ended in SUCCESS has none.
    """
    if run.state is not RunState.SUCCESS:
        return ()
    return stored_files(run, manifests)


def stored_files(run: RunRecord, manifests: Mapping[str, Manifest]) -> tuple[RunFile, ...]:
    """Return what there is of the run, however it ended: what deleting it removes."""
    return files_in(run.id, outputs_of(run), manifests)


def files_in(
    run_id: str, outputs: Iterable[Output], manifests: Mapping[str, Manifest]
) -> tuple[RunFile, ...]:
    """Return the files of these outputs of the run, by key."""
    found = (
        file
        for output in outputs
        if is_own(run_id, output, manifests.get(output.param))
        for file in _files(run_id, output, manifests[output.param])
    )
    return tuple(sorted(found, key=lambda file: file.key))


def kept(files: Iterable[RunFile], declared: Iterable[str]) -> tuple[RunFile, ...]:
    """Return those whose keys a workflow declares; all of them where it declares none."""
    keys = frozenset(declared)
    return tuple(file for file in files if not keys or file.key in keys)


def is_own(run_id: str, output: Output, manifest: Manifest | None) -> bool:
    """Tell whether the manifest is still this run's."""
    return manifest is not None and (manifest.run, manifest.param) == (run_id, output.param)


def find_file(
    files: tuple[RunFile, ...], file_id: str | None = None, key: str | None = None
) -> RunFile:
    """Return the file by its id or by its key; an empty text counts as not given.

    Raises InvalidRequest for both and for neither, NotFound with the key (None by id).
    """
    if bool(file_id) == bool(key):
        raise InvalidRequest(
            "a file is asked for by its id or by its key",
            field="key",
            value=key,
            mend="give one of them",
        )
    for file in files:
        if file.id == file_id or file.key == key:
            return file
    raise NotFound(f"there is no file {key or None!r} in the run")


def _files(run_id: str, output: Output, manifest: Manifest) -> Iterator[RunFile]:
    for entry in manifest.files:
        uri = _uri(output.uri, entry)
        if uri is not None:
            key = f"{output.param}/{entry.path}"
            yield RunFile(file_id(run_id, key), key, uri, entry.bytes, mime_type(entry.path))


def _uri(output: str, entry: ManifestFile) -> str | None:
    """Where the file lies; None for a path that leads elsewhere."""
    is_folder = output.endswith("/")
    if not is_folder and entry.path != output.rpartition("/")[2]:
        return None
    uri = output + entry.path if is_folder else output
    try:
        parse_object(uri)  # no "..", nothing absolute
    except InvalidRequest:
        return None
    return uri


def file_id(run_id: str, key: str) -> str:
    """Return the file's id."""
    return hashlib.sha256(f"{run_id}\0{key}".encode()).hexdigest()[:32]


def mime_type(name: str) -> str | None:
    """Return the type that the name stands for; a compressed one is an archive's, not its own."""
    guessed, encoding = _types().guess_type(name)
    return {"gzip": "application/gzip", "bzip2": "application/x-bzip2"}.get(
        encoding or "", guessed
    )


@cache
def _types() -> mimetypes.MimeTypes:
    """The library's own table, not the machine's: a type is the same everywhere."""
    return mimetypes.MimeTypes()
