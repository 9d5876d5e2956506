"""What packing a run's files takes in memory: it must not grow with them.

::

    python -m benchmarks.archive --folder /dev/shm        # 64 MiB and 2 GiB, a minute or two
    python -m benchmarks.archive --mib 16 64              # does it run at all?

The worker's own code, in a process of its own with all that a worker imports, reads from and
writes to ``rclone serve s3`` on this machine. The content cannot be compressed. It stops when a
process has more than ``MOST_MIB``, or when the archive does not hold what went in.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks.sync import BUCKET, PORT, make_files, serving
from benchmarks.sync_tools import installed_tools, variables
from chalicelib.aws.clients import Clients
from chalicelib.aws.contents import worker_contents
from chalicelib.aws.object_store import S3ObjectStore
from chalicelib.core.data_sync.manifest import ManifestFile, manifest_of, manifest_uri
from chalicelib.core.site import Site
from chalicelib.core.worker_documents import ArchivedOutput, ArchiveOrder
from chalicelib.worker import __main__ as worker
from chalicelib.worker.archiving import archive

MOST_MIB: Final = 100
FILES: Final = 16
ARCHIVE: Final = "archive.tar.gz"


def main() -> None:
    """Print a line for each size; with ``--pack`` be the process that packs."""
    told = _arguments()
    if told.pack:
        _pack(told.pack)
        return
    installed_tools([])
    with tempfile.TemporaryDirectory(prefix="falsework-archive-", dir=told.folder) as name:
        folder = Path(name)
        bucket = folder / "server" / BUCKET
        entries = {mib: _made(bucket / f"run-{mib}", mib) for mib in told.mib}
        with serving(folder / "server"):  # which remembers what a folder held when it first looked
            for mib in told.mib:
                _measure(bucket / f"run-{mib}", mib, entries[mib])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--mib", type=int, nargs="+", default=[64, 2048])
    parser.add_argument(
        "--folder", type=Path, help="where all files lie; /dev/shm spares the disk"
    )
    parser.add_argument("--pack", help=argparse.SUPPRESS)
    return parser.parse_args()


def _made(folder: Path, mib: int) -> tuple[ManifestFile, ...]:
    """A run's output and its manifest."""
    make_files(folder, FILES, mib * 2**20 // FILES)
    entries = tuple(
        ManifestFile(
            path=path.relative_to(folder).as_posix(), bytes=path.stat().st_size, sha256="0" * 64
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    )
    manifest = manifest_of(
        entries, run=folder.name, param="out", source="fs-1:/x", created_at=datetime.now(UTC)
    )
    Path(manifest_uri(f"{folder}/")).write_text(manifest.model_dump_json(), encoding="utf-8")
    return entries


def _measure(folder: Path, mib: int, entries: tuple[ManifestFile, ...]) -> None:
    began = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.archive", "--pack", folder.name]
    said = subprocess.run(command, env={**os.environ, **variables(PORT)}, check=True, stdout=-1)
    seconds = time.perf_counter() - began
    peak = json.loads(said.stdout.splitlines()[-1])["peak_mib"]
    print(f"{mib:6} MiB: peak {peak:.0f} MiB, {seconds:.1f} s, {mib / seconds:.0f} MiB/s")
    with tarfile.open(folder / ARCHIVE) as tar:
        assert [(m.name, m.size) for m in tar] == [(f"out/{e.path}", e.bytes) for e in entries]
    assert peak < MOST_MIB, f"more than {MOST_MIB} MiB"


def _pack(run: str) -> None:
    assert worker.main  # what a worker has in memory before it begins
    uri = f"s3://{BUCKET}/{run}/"
    output = ArchivedOutput(param="out", uri=uri, manifest=manifest_uri(uri))
    order = ArchiveOrder(run_id=run, outputs=(output,), destination=uri + ARCHIVE)
    clients = Clients("us-east-1")
    archive(order, S3ObjectStore(clients.get("s3")), worker_contents(Site()))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"peak_mib": peak}))


if __name__ == "__main__":
    main()
