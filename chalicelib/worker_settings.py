"""What a worker's process is told by its environment. The values only: ``settings`` reads them."""

from __future__ import annotations

from pathlib import Path

from chalicelib.core.noun import Noun
from chalicelib.core.site import Mount


class WorkerSettings(Noun):
    """What a worker job is told by its environment."""

    job_name: str
    job_id: str
    attempt: int = 1
    index: int = 0
    request_uri: str
    outcome_uri: str
    """Of a job that does batches: below which every one of them has its own."""
    batches_left: str = ""
    """Where the list of the batches is that this job is to do; empty: all of them."""
    batch_index: int | None = None
    """Which of these, where the job is no array's child."""
    batches_done: str = ""
    """Below which the batches' documents are, once all are done and the job is to finish."""
    mounts: tuple[Mount, ...] = ()


class DataSyncSettings(Noun):
    """What data syncs and the handlers beside them are told, under the names of the original."""

    lock_root: Path | None = None
    """Where locks lie; None: each beside its destination."""
    default_bucket: str = ""
    """Where JSON is put that names no place."""
    roots: tuple[Path, ...] = ()
    """Folders of this host that may be moved from and deleted in; empty: any."""
    home: Path | None = None
    """Where the embedded home keeps its state, its buckets too; nobody's data."""


class LambdaEnvelope(Noun):
    """How a handler is called by a Batch job's environment (demand wire format, 13)."""

    handler: str = ""
    name: str = ""
    payload: str = ""
    """JSON, or where it is."""
    response_location: str = ""
