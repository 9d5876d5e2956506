"""What the embedded home makes of the operator's site, and what it refuses of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from chalicelib.core.errors import Misconfigured
from chalicelib.core.site import FileSystems, Site
from chalicelib.local.folders import Folders
from chalicelib.local.sandbox import Sandbox

OWN_SITE: Final = {
    "writes_file_systems": True,
    "has_local_paths": True,
    "allowed_functions": ("",),  # the worker's own handlers: there are no others here
    # One machine, one clock and look-ups that are never stale: the grace is for a process that
    # stalls between its intent and its submission, and the checks for one that died.
    "submit_grace_seconds": 10,
    "check_seconds": 30,
}
"""What the embedded home decides otherwise than AWS."""


def _check_pushing(site: Site, sandbox: Sandbox) -> None:
    """In a container of Docker the worker would not find this home."""
    if site.work_sites and sandbox.mode == "docker":
        raise Misconfigured(
            f"work_sites {sorted(site.work_sites)}: works cannot be pushed with the runner docker;"
            " choose bubblewrap or host with --runner, or let clients withdraw them"
        )


def _check_notifications(site: Site) -> None:
    """Better no home than notices that nobody will ever get."""
    told = site.notifications
    there = {"topics": told.topics, "mail_from": told.mail_from, "event_bus": told.event_bus}
    for name, value in there.items():
        if value:
            raise Misconfigured(
                f"notifications.{name} {value!r}: this machine has no such service; leave it out,"
                " or tell a webhook"
            )


def root_folder(path: Path) -> Path:
    """Return the whole path of the home's folder. Raises Misconfigured."""
    root = path.resolve()
    if any(character.isspace() for character in str(root)):
        raise Misconfigured(
            f"root {str(root)!r}: a path with blanks cannot hold the embedded home, because"
            " commands and S3 names are made of its parts; choose another with --root"
        )
    return root


def own_site(site: Site, sandbox: Sandbox, folders: Folders, known: FileSystems) -> Site:
    """Return the site with what holds for one machine, where the operator did not say otherwise.

    That is: container paths that jobs can be given here, and file systems that are at hand.
    Raises Misconfigured for what one machine cannot do.
    """
    _check_pushing(site, sandbox)
    _check_notifications(site)
    ids = [each.file_system_id for each in known.file_systems]
    worker_mounts = {each: str(folders.file_system(each)) for each in ids}
    paths = {**sandbox.container_paths(site), **site.default_container_paths}
    ours = {name: value for name, value in OWN_SITE.items() if name not in site.model_fields_set}
    if sandbox.host_mode == "host":
        ours["has_fixed_container_paths"] = True
    mounts = {**worker_mounts, **site.worker_mounts}
    told = {**_told_of(site, sandbox, paths), **site.worker_environment}
    more = {"default_container_paths": paths, "worker_mounts": mounts, "worker_environment": told}
    return site.model_copy(update={**ours, **more})


def _told_of(site: Site, sandbox: Sandbox, paths: dict[str, str]) -> dict[str, str]:
    """Return what a worker of this home is told of it, so that what its handlers prepare for
    other jobs can be run here."""
    told = {
        "AWS_REGION": site.aws_region,
        "ENV_BASE": site.env_base,
        "FALSEWORK_RUNNER": sandbox.mode,
    }
    if paths:
        told["FALSEWORK_DEFAULT_CONTAINER_PATHS"] = json.dumps(paths, sort_keys=True)
    if sandbox.host_mode == "host":
        told["FALSEWORK_HAS_FIXED_CONTAINER_PATHS"] = "true"
    return told
