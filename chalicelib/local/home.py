"""The embedded home, put together: every port on one folder of one machine.

``ROOT/falsework.db`` holds what is known, ``ROOT/s3`` the objects, ``ROOT/efs`` the file systems,
``ROOT/jobs`` what jobs wrote, ``ROOT/engine.lock`` says who drives the runs.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from chalicelib.core.job_names import UID_CHARACTERS, UID_LETTERS
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
from chalicelib.local.own_site import own_site, root_folder
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
    root = root_folder(settings.root)
    database, objects = Database(root), LocalObjectStore(root)
    file_systems = settings.file_systems or own_file_systems(settings.site)
    folders = Folders(root, file_systems)
    sandbox = Sandbox(folders, settings.site, settings.runner, host)
    site = own_site(settings.site, sandbox, folders, file_systems)
    definitions = Definitions(database, settings.site)
    jobs = _job_runner(root, database, definitions, sandbox, width)
    runs, claims, works = LocalRunStore(database), LocalClaims(database), open_work_ports(database)
    timers, notices = LocalTimers(database), LocalNotices(database, _utc_now)
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
        mint_uid=_mint_uid,
        mounts=settings.mounts,
        announcer=notices,
        works=WorkRuns(works, runs, claims, objects, Slack(site.slack_webhooks, read_secret)),
        functions=LocalFunctions(root, site, host),
        definitions=definitions,
    )
    lock, courier = EngineLock(root), Courier(notices, webhooks.deliver, _utc_now)
    return Home(
        *(root, connected(ports), database, jobs, timers, lock),
        *(sandbox.mode, LocalCarrier(objects), works, courier),
    )


def _job_runner(
    root: Path, database: Database, definitions: Definitions, sandbox: Sandbox, width: int | None
) -> LocalJobRunner:
    launcher = Launcher(root, database, definitions, sandbox)
    pump = Pump(database, launcher, LostJobs(root, database), width=width)
    return LocalJobRunner(root, database, definitions, sandbox, pump)


def _mint_uid() -> str:
    return "".join(secrets.choice(UID_LETTERS) for _ in range(UID_CHARACTERS))


def _utc_now() -> datetime:
    return datetime.now(UTC)
