"""What passes between the engine and its workers, by way of the object store.

An *order* is written by the run's first stage and says what a worker job has to do; an *outcome*
is written by the worker that holds the claim, once, as its last deed. A worker's stage has ended
when the outcome exists.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from pydantic import JsonValue

from chalicelib.core.data_sync.batch_requests import BATCH_BYTES
from chalicelib.core.data_sync.requests import DataSyncRequest, PrepareBatchDataSyncRequest
from chalicelib.core.noun import Noun
from chalicelib.core.work.leases import Lease
from chalicelib.core.work.model import Work

LEFTOVERS: Final = ".falsework-leftovers"
"""The folder beside the runs' roots that takes what attempts left behind, each below the name of
its root. No request may name it."""


def read_order(read: Callable[[str], bytes], uri: str) -> bytes:
    """Return the order at ``uri``; ``s3://…/orders.json#stage-in`` is one of several in an object.

    An object costs a dozen times as much to write as to read, so a run's orders share one.
    """
    place, _, part = uri.partition("#")
    document = read(place)
    return json.dumps(json.loads(document)[part]).encode() if part else document


class MountedVolume(Noun):
    """Where in the worker's container a part of a file system is mounted."""

    file_system_id: str
    root: str
    """Path on the file system: the root of the access point that is mounted."""
    container_path: str


class ParameterSync(Noun):
    """The transfer of one input or output parameter."""

    param: str
    request: DataSyncRequest


class TextFile(Noun):
    """A small file to write."""

    path: str
    """``fs-…:/path``."""
    text: str


class StageInOrder(Noun):
    """Bring the inputs to where the job expects them."""

    mounts: tuple[MountedVolume, ...]
    root: str
    """The run's own root, ``fs-…:/path``: its working directory."""
    syncs: tuple[ParameterSync, ...] = ()
    files: tuple[TextFile, ...] = ()
    batches_prefix: str = ""
    """``s3://…/`` below which batches are stored; empty: it is all one job's."""
    batch_bytes: int = BATCH_BYTES


class StageOutOrder(Noun):
    """Bring the outputs home, each with its manifest, which is written last."""

    mounts: tuple[MountedVolume, ...]
    root: str
    syncs: tuple[ParameterSync, ...] = ()
    batches_prefix: str = ""
    """As in StageInOrder."""
    batch_bytes: int = BATCH_BYTES


class CleanUpOrder(Noun):
    """Remove what is the run's own; a path outside ``root`` is left alone and reported."""

    mounts: tuple[MountedVolume, ...]
    root: str
    paths: tuple[str, ...] = ()
    """``fs-…:/path`` each, in the order of the request."""
    outputs: tuple[str, ...] = ()
    """Kept where the worker is told that they have not been saved (``--keep-outputs``)."""
    shared_inputs: tuple[str, ...] = ()
    """Where inputs lie that other runs may use: this one says that it does not any more."""


class HandlerOrder(Noun):
    """Call a handler; its response is the outcome's result."""

    handler: str
    """Its name in ``worker/handlers.py``."""
    event: dict[str, JsonValue]


class SyncOrder(Noun):
    """Carry out a sync, or cut it into batches where it is too much for one job."""

    request: PrepareBatchDataSyncRequest
    batches_prefix: str
    """``s3://…/`` below which the batches' requests are stored."""


class ArchivedOutput(Noun):
    """One of the outputs whose files are packed, as the run has it."""

    param: str
    uri: str
    manifest: str


class ArchiveOrder(Noun):
    """Pack the files of a run that has succeeded."""

    run_id: str
    outputs: tuple[ArchivedOutput, ...]
    keys: tuple[str, ...] = ()
    """Of the files that its workflow declares; none: all."""
    destination: str
    """The object that the archive becomes."""


class Outcome(Noun):
    """The result document. ``result`` and ``error`` exclude each other."""

    job_name: str
    job_id: str
    attempt: int
    result: JsonValue = None
    error: str | None = None
    """Why the worker's order cannot be carried out, in words for the user."""


class WorkOrder(Noun):
    """Execute one attempt of a work, and leave its ending behind."""

    lease: Lease
    work: Work
    """As the run took it."""
