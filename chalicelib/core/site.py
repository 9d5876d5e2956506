"""The site: a deployment's own facts, as values that the pure code can be given.

``Site`` holds what the operator decides; ``FileSystem`` and ``AccessPoint`` are what EFS, or the
embedded home's folders, can be asked about. Nothing here looks anything up.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from chalicelib.core.data_sync.batch_requests import BATCH_BYTES
from chalicelib.core.data_sync.path_requests import OutdatedDataPathScannerRequest
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.flowserv.archive import ARCHIVE_DAYS
from chalicelib.core.flowserv.results import ResultSchema
from chalicelib.core.flowserv.workflows import Workflow, WorkflowId
from chalicelib.core.group_rules import GroupRules
from chalicelib.core.identities import Identities
from chalicelib.core.limits import DESCENDANTS
from chalicelib.core.notifications import Notifications
from chalicelib.core.noun import Noun
from chalicelib.core.prices import Prices
from chalicelib.core.work.sites import SecretReference, WorkSite

EnvBase = Annotated[str, StringConstraints(pattern=r"^(dev|test|prod)(-\w+)?$")]
"""The deployment's stage, ``dev`` or ``dev-somebody``: the first word of every Batch name."""


AccountId = Annotated[str, StringConstraints(pattern=r"^\d{12}$")]


class FileSystem(BaseModel):
    """One EFS file system, in the form of the EFS inventory document (``file_systems``)."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    file_system_id: str = Field(alias="FileSystemId", pattern=r"^fs-[0-9a-f]{8,40}$")
    name: str = Field(default="", alias="Name")
    tags: dict[str, str] = Field(default={}, alias="Tags")


class AccessPoint(BaseModel):
    """One EFS access point, in the form of the EFS inventory document (``access_points``)."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    access_point_id: str = Field(alias="AccessPointId", pattern=r"^fsap-[0-9a-f]{8,40}$")
    name: str = Field(default="", alias="Name")
    file_system_id: str = Field(alias="FileSystemId")
    path: str = Field(default="/", alias="Path", pattern=r"^/")
    tags: dict[str, str] = Field(default={}, alias="Tags")


class FileSystems(Noun):
    """What can be mounted: the answer of the look-up that scaffolding is given."""

    file_systems: tuple[FileSystem, ...] = ()
    access_points: tuple[AccessPoint, ...] = ()


class Mount(Noun):
    """A file system, or an access point of it, that is mounted on this host at ``path``."""

    id: str
    """``fs-…`` or ``fsap-…``."""
    path: str
    """Absolute path on this host."""


class Site(Noun):
    """The deployment's facts and the operator's decisions.

    The five switches below differ from the original systems on purpose; with all of them turned
    the other way round scaffolding answers byte for byte as they do.
    """

    model_config = ConfigDict(hide_input_in_errors=False)  # the operator reads them

    env_base: EnvBase = "dev"
    aws_region: str = "us-east-1"
    account_id: str = Field(default="000000000000", pattern=r"^\d{12}$")
    prefix: str = Field(default="falsework", pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")
    """First word of our own job names and definitions."""

    allow_privileged: bool = False
    """Whether containers may run privileged at all."""
    allow_host_volumes: bool = False
    """Whether containers may mount folders of the machine that they run on."""
    mirror_outputs: bool = False
    """Whether bringing outputs home deletes what else is at their destination."""
    delete_by_default: bool = False
    """Whether a data-sync request that does not mention ``delete`` deletes at its destination."""
    literal_environment_file: bool = True
    """Whether ``$`` in a value stays a dollar sign in the environment file."""
    stage_environment_file: bool = True
    """Whether the environment file works without EFS mounted where scaffolding is prepared."""

    default_container_paths: dict[str, str] = {}
    """Role (``scratch``, ``shared``, ``tmp``) → mount path, where the default will not do."""
    has_fixed_container_paths: bool = False
    """Whether jobs can be shown no other container paths than the default ones."""
    default_tags: dict[str, str] = {}
    """Tags that every run gets unless its request says otherwise."""
    allowed_secrets: tuple[str, ...] = ()
    """Prefixes of the secret ARNs that a request may name in ``options.secrets``."""
    allowed_functions: tuple[str, ...] = ()
    """Prefixes of the names and ARNs of the functions that a run may call."""

    writes_file_systems: bool = False
    """Whether the file systems are mounted where the engine runs, so that calls can write."""

    worker_image: str = "falsework-worker"
    worker_role_arn: str | None = None
    """The role of the jobs that our own worker does; None: what the host has."""
    own_roles: tuple[str, ...] = ()
    """ARNs of other roles that are Falsework's own; the AWS home knows them."""
    fair_share_queues: tuple[str, ...] = ()
    """Queues with a fair share policy, which take no job that names no share."""
    scratch_bucket: str = "falsework"
    """Where documents that pass between the engine and its workers are kept."""
    requests_bucket: str = "requests"
    """Where request files are dropped under ``requests/`` and receipts appear."""
    bucket_owners: dict[str, AccountId] = {}
    """Bucket → the account that it has to be in; nothing is read from or written to another's."""

    worker_mounts: dict[str, str] = {}
    """File system id → where workers see it without a volume. The embedded home says so; on AWS
    every job gets the volumes that it needs."""
    has_local_paths: bool = False
    """Whether requests may name paths of the host: then it is the user's own machine."""
    worker_environment: dict[str, str] = {}
    """What every worker job gets besides its order. The AWS home says here where its state is."""

    default_job_queue: str = Field(default="default", min_length=1)
    """Where jobs over files go, whose requests name no queue."""
    batch_bytes: int = Field(default=BATCH_BYTES, ge=1)
    """What one job may have to copy: a sync, a stage-in or a stage-out of more is divided."""
    file_system_cleanups: tuple[OutdatedDataPathScannerRequest, ...] = ()
    """What is cleaned up each day: scanner requests, as ``POST /file-system-cleanups`` takes."""
    works_group: str = "default"
    """Whose the work queue and its results are: who is not in the group sees none of it."""
    work_sites: dict[str, WorkSite] = {}
    """Site of a work → where its works run. They are dispatched as runs; those of other sites
    wait for somebody to withdraw them."""
    slack_webhooks: dict[str, SecretReference] = {}
    """Channel, or ``default`` → the secret that is the address of its webhook."""
    notifications: Notifications = Notifications()
    """Whom runs are announced to, and with what."""
    public_url: str | None = Field(default=None, pattern=r"^https?://[^\s]+$")
    """Where this deployment's REST routes are for those who read notices."""
    identities: Identities = {}
    """Pattern of an ARN → what that identity of AWS is here: see ``core.identities``."""
    groups: dict[str, GroupRules] | None = None
    """Group, or ``*`` for every other → what it may use and how much. None: everything of the
    site; given: who is not in it may not submit."""
    result_schemas: dict[str, ResultSchema] = {}
    """Group → how the results of its runs are read and ranked; before that of its workflow."""
    workflows: dict[WorkflowId, Workflow] = {}
    """What flowserv's clients make runs from."""
    group_workflows: dict[str, WorkflowId] = {}
    """Group → the workflow that it works by."""
    prices: Prices = Prices()
    """What machines and bytes cost; ``core/prices.py`` says what holds where nobody says it."""
    delete_outputs_with_run: bool = True
    """Whether outputs can be deleted with their run: by flowserv's DELETE always, by ours where
    it says ``files=true``. False: what lies at a destination stays."""
    most_descendants: int = Field(default=DESCENDANTS, ge=1)
    """How many runs one run may start, those that its runs start included, ended or not."""
    archive_days: int = Field(default=ARCHIVE_DAYS, ge=1)
    """How old a kept archive may be; the scratch bucket's lifecycle rule says the same."""

    submit_grace_seconds: int = Field(default=960, ge=1)
    """How long after an intent nobody submits again: more than the Lambda timeout plus 60 s."""
    check_seconds: int = Field(default=900, ge=1)
    """How often the sweep looks at an unsettled run of which nothing was heard."""

    @model_validator(mode="after")
    def _know_the_workflows(self) -> Self:
        for group, workflow_id in self.group_workflows.items():
            if workflow_id not in self.workflows:
                raise InvalidRequest(
                    f"there is no workflow {workflow_id!r}",
                    field=f"group_workflows.{group}",
                    value=workflow_id,
                    mend=f"give one of {', '.join(self.workflows) or 'none: there are none'}",
                )
        return self
