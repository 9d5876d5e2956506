"""The embedded home, put together: every port on one folder of one machine.

``ROOT/falsework.db`` holds what is known, ``ROOT/s3`` the objects, ``ROOT/efs`` the file systems,
``ROOT/jobs`` what jobs wrote, ``ROOT/engine.lock`` says who drives the runs.
"""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from chalicelib.core.errors import Misconfigured
from chalicelib.core.job_names import UID_CHARACTERS, UID_LETTERS
from chalicelib.core.site import FileSystems, Site
from chalicelib.kinds import connected
from chalicelib.local.carrier import LocalCarrier
from chalicelib.local.claims import LocalClaims
from chalicelib.local.courier import Courier
from chalicelib.local.database import Database
from chalicelib.local.dead_letters import LocalDeadLetters
from chalicelib.local.definitions import Definitions
from chalicelib.local.documents import LocalDocuments
from chalicelib.local.engine_lock import EngineLock
from chalicelib.local.facilities import LocalFacilities
from chalicelib.local.folders import Folders, own_file_systems
from chalicelib.local.functions import LocalFunctions
from chalicelib.local.job_runner import LocalJobRunner
from chalicelib.local.launcher import Launcher
from chalicelib.local.lost_jobs import LostJobs
from chalicelib.local.notices import LocalNotices
from chalicelib.local.object_store import LocalObjectStore
from chalicelib.local.pump import Pump
from chalicelib.local.run_store import LocalRunStore
from chalicelib.local.sandbox import Mode, Sandbox
from chalicelib.local.secrets import read_secret
from chalicelib.local.timers import LocalTimers
from chalicelib.local.work_store import open_work_ports
from chalicelib.ports import Ports
from chalicelib.settings import HostEnvironment, Settings
from chalicelib.webhooks import Webhooks
from chalicelib.work_ports import WorkPorts
from chalicelib.works.slack import Slack
from chalicelib.works.work_runs import WorkRuns

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


class Unpaced:
    """The Pace of one machine: its queue takes what comes."""

    def admit(self, now: datetime) -> bool:  # noqa: ARG002 -- the port's signature
        """Admit."""
        return True


class Home(NamedTuple):
    """The ports, and what only the local event loop and the command line use."""

    root: Path
    ports: Ports
    database: Database
    jobs: LocalJobRunner
    timers: LocalTimers
    lock: EngineLock
    mode: Mode
    """How the user's jobs run."""
    carrier: LocalCarrier
    works: WorkPorts
    courier: Courier
    """Delivers notices, beside the loop."""

    @property
    def is_sandboxed(self) -> bool:
        """Whether the user's jobs see other paths than the host has."""
        return self.mode != "host"


def open_home(settings: Settings, host: HostEnvironment, *, width: int | None = None) -> Home:
    """Return the home of ``settings.root``; it is made at the first use. Raises Misconfigured.

    ``width`` is the number of cores that jobs may use together: the machine's, unless given.
    """
    root = _root(settings.root)
    database = Database(root)
    file_systems = settings.file_systems or own_file_systems(settings.site)
    folders = Folders(root, file_systems)
    sandbox = Sandbox(folders, settings.site, settings.runner, host)
    _check_pushing(settings.site, sandbox)
    _check_notifications(settings.site)
    definitions = Definitions(database, settings.site)
    pump = Pump(
        database,
        Launcher(root, database, definitions, sandbox),
        LostJobs(root, database),
        width=width,
    )
    jobs = LocalJobRunner(root, database, definitions, sandbox, pump)
    site = _site(settings.site, sandbox, folders, file_systems)
    timers = LocalTimers(database)
    objects = LocalObjectStore(root)
    runs, claims, works = LocalRunStore(database), LocalClaims(database), open_work_ports(database)
    slack = Slack(settings.site.slack_webhooks, read_secret)
    notices = LocalNotices(database, _utc_now)
    webhooks = Webhooks(site.notifications.webhooks, read_secret, _utc_now)
    ports = Ports(
        runs=runs,
        claims=claims,
        jobs=jobs,
        objects=objects,
        facilities=LocalFacilities(file_systems, folders),
        timers=timers,
        pace=Unpaced(),
        dead_letters=LocalDeadLetters(notices),
        documents=LocalDocuments(database, _utc_now),
        site=site,
        clock=_utc_now,
        mint_uid=lambda: "".join(secrets.choice(UID_LETTERS) for _ in range(UID_CHARACTERS)),
        mounts=settings.mounts,
        announcer=notices,
        works=WorkRuns(works, runs, claims, objects, slack),
        functions=LocalFunctions(root, site, host),
        definitions=definitions,
    )
    return Home(
        root=root,
        ports=connected(ports),
        database=database,
        jobs=jobs,
        timers=timers,
        lock=EngineLock(root),
        mode=sandbox.mode,
        carrier=LocalCarrier(objects),
        works=works,
        courier=Courier(notices, webhooks.deliver, _utc_now),
    )


def _utc_now() -> datetime:
    return datetime.now(UTC)


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


def _root(path: Path) -> Path:
    root = path.resolve()
    if any(character.isspace() for character in str(root)):
        raise Misconfigured(
            f"root {str(root)!r}: a path with blanks cannot hold the embedded home, because"
            " commands and S3 names are made of its parts; choose another with --root"
        )
    return root


def _site(site: Site, sandbox: Sandbox, folders: Folders, known: FileSystems) -> Site:
    """Return the site with what holds for one machine, where the operator did not say otherwise.

    That is: container paths that jobs can be given here, and file systems that are at hand.
    """
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
