"""A run's files: read from its manifests each time, for they lie where others may write."""

from __future__ import annotations

import logging
from typing import Any

from chalicelib.core.data_sync.manifest import Manifest
from chalicelib.core.errors import NotFound
from chalicelib.core.flowserv.files import RunFile, files_of, find_file, outputs_of
from chalicelib.core.run import RunRecord
from chalicelib.ports import ObjectStore, Ports

log = logging.getLogger(__name__)


def manifests_of(run: RunRecord, objects: ObjectStore) -> dict[str, Manifest]:
    """Return the manifests of the run's outputs by parameter; none that is gone or unreadable."""
    found: dict[str, Manifest] = {}
    for output in outputs_of(run):
        try:
            content = objects.read(output.manifest)
            found[output.param] = Manifest.model_validate_json(content)
        except NotFound:
            continue
        except ValueError:
            log.warning("%s of run %s is no manifest", output.manifest, run.id)
    return found


def list_files(run: RunRecord, ports: Ports) -> tuple[RunFile, ...]:
    """Return the run's files by key; a run that has not succeeded has none."""
    return files_of(run, manifests_of(run, ports.objects))


def get_file(
    run: RunRecord, ports: Ports, *, file_id: str | None = None, key: str | None = None
) -> RunFile:
    """Return one file as it still is. Raises InvalidRequest, and NotFound where it is not."""
    file = find_file(list_files(run, ports), file_id, key)
    check_unchanged(file, ports.objects)
    return file


def check_unchanged(file: RunFile, objects: ObjectStore) -> None:
    """Raise NotFound for a file that was removed, or replaced by one of another size."""
    there: Any = next(iter(objects.list(file.uri)), None)
    if there is None or there.uri != file.uri:
        raise NotFound(f"the file {file.key!r} was removed since the run made it")
    if there.size_bytes != file.size_bytes:
        raise NotFound(f"the file {file.key!r} was replaced since the run made it")
