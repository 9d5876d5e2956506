"""A run's files: read from its manifests each time, for they lie where others may write."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from chalicelib.core.data_sync.manifest import Manifest
from chalicelib.core.errors import NotFound
from chalicelib.core.flowserv.files import (
    Output,
    RunFile,
    files_of,
    find_file,
    kept,
    outputs_of,
)
from chalicelib.core.flowserv.workflows import Made, made_by
from chalicelib.core.run import Run, RunRecord
from chalicelib.core.site import Site
from chalicelib.ports import ObjectStore, Ports

log = logging.getLogger(__name__)


def manifests_of(outputs: Iterable[Output], objects: ObjectStore) -> dict[str, Manifest]:
    """Return the outputs' manifests by parameter; none that is gone or unreadable."""
    found: dict[str, Manifest] = {}
    for output in outputs:
        try:
            content = objects.read(output.manifest)
            found[output.param] = Manifest.model_validate_json(content)
        except NotFound:
            continue
        except ValueError:
            log.warning("%s is no manifest", output.manifest)
    return found


def left_files(run: RunRecord, objects: ObjectStore) -> tuple[RunFile, ...]:
    """Return whatever the run left, by key; a run that has not succeeded left nothing."""
    return files_of(run, manifests_of(outputs_of(run), objects))


def list_files(run: Run, ports: Ports) -> tuple[RunFile, ...]:
    """Return the run's files by key: those that its workflow declares, where it has one."""
    return kept(left_files(run, ports.objects), declared_keys(run, ports.site))


def made_of(run: Run, site: Site) -> Made | None:
    """Return what the run was created from; None if it was submitted by itself."""
    return made_by(run.plan.request, site.workflows)


def declared_keys(run: Run, site: Site) -> tuple[str, ...]:
    """Return the keys of the files that the run's workflow declares; none: all of them."""
    made = made_of(run, site)
    return () if made is None else tuple(each.source for each in made.outputs)


def get_file(
    run: Run, ports: Ports, *, file_id: str | None = None, key: str | None = None
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
