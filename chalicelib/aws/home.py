"""The AWS home, put together: every port on boto3, and what its handlers need besides.

Nothing is connected here: each client is made at its first call. Where the state is, a worker job
is told in its environment, for it runs the same code with a role of its own.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any, Final

from chalicelib import engine, kinds
from chalicelib.aws.batch_jobs import BatchJobRunner
from chalicelib.aws.bucket_owners import expecting
from chalicelib.aws.claims import DynamoClaims
from chalicelib.aws.clients import Clients
from chalicelib.aws.contents import S3Contents
from chalicelib.aws.dead_letters import Origins, SqsDeadLetters
from chalicelib.aws.documents import DynamoDocuments
from chalicelib.aws.dropped_files import DroppedFiles
from chalicelib.aws.facilities import AwsFacilities
from chalicelib.aws.functions import BatchDefinitions, LambdaFunctions
from chalicelib.aws.inbound import Message, read_messages, read_object_created
from chalicelib.aws.job_changes import take_job_change, take_wake
from chalicelib.aws.notice_parts import all_dead_letters, announcer, notice_delivery
from chalicelib.aws.object_store import S3ObjectStore
from chalicelib.aws.observing import measuring, tracing
from chalicelib.aws.pace import DynamoPace
from chalicelib.aws.queues import queue_at
from chalicelib.aws.request_bucket import RequestBucket
from chalicelib.aws.request_parts import RequestParts, read_part
from chalicelib.aws.run_store import DynamoRunStore
from chalicelib.aws.secrets import SecretsManager
from chalicelib.aws.submissions import Submissions, answer, each
from chalicelib.aws.table import Table
from chalicelib.aws.timers import SqsTimers
from chalicelib.aws.work_recounts import recount_due
from chalicelib.aws.work_store import open_work_ports
from chalicelib.configs.noticing import notice_run
from chalicelib.configs.tending import tend_all
from chalicelib.configs.ticking import spawn_due
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.job_names import UID_CHARACTERS, UID_LETTERS
from chalicelib.core.site import Site
from chalicelib.kinds import connected
from chalicelib.ports import Claims, ObjectStore, Ports
from chalicelib.settings import Settings
from chalicelib.works.pushing import push
from chalicelib.works.slack import Slack
from chalicelib.works.work_runs import WorkRuns

SWEPT_RUNS: Final = 500
"""Runs that one sweep looks at: some 30 s of its five minutes, and it comes every minute."""
_SWEPT: Final = ("runs", "request_files", "recounted", "pushed_works", "configs", "schedules")

log = logging.getLogger(__name__)

Clock = Callable[[], datetime]


class AwsHome:
    """The ports, and a method for each handler of ``app.py``: it takes the event as it came."""

    def __init__(
        self, settings: Settings, clients: Clients, ports: Ports, dead_letters: SqsDeadLetters
    ) -> None:
        submissions_queue = queue_at(clients, settings.submissions_queue_url)
        bucket = RequestBucket(clients.get("s3"), settings.site.requests_bucket)
        table = Table(clients.get("dynamodb"), settings.table)
        self.ports = ports
        self.contents = S3Contents(clients.get("s3"), clients.presigning())
        self.works = open_work_ports(table, ports.objects, settings.site.scratch_bucket)
        self._parts = RequestParts(ports, bucket, submissions_queue, kinds.submit)
        self._files = DroppedFiles(ports, bucket, self._parts.split, kinds.submit)
        self._submissions = Submissions(ports, submissions_queue, dead_letters, kinds.submit)
        self._dead_letters = dead_letters
        self._is_reported = settings.reports_batch_item_failures
        self._notices = notice_delivery(settings, clients, ports)

    def on_object_created(self, event: Mapping[str, Any]) -> None:
        """Take in a request file, unless what came cannot be read."""
        try:
            dropped = read_object_created(event)
        except InvalidRequest as exc:
            log.error("an object event cannot be read: %s", exc)  # noqa: TRY400
            return
        self._files.take_in(dropped)

    def on_submissions(self, event: Mapping[str, Any]) -> dict[str, Any] | None:
        """Take in the messages; return which of them come again, or raise for all of them."""
        return self._each(event, self._take_in)

    def on_job_change(self, event: Mapping[str, Any]) -> None:
        """Tell a run of its job; a config whose work it was goes on now, not with the sweep."""
        run = take_job_change(event, self.ports)
        if run is not None:
            notice_run(run, self.works, self.ports)

    def on_wakes(self, event: Mapping[str, Any]) -> dict[str, Any] | None:
        """Look at the runs whose time has come; the same answer as ``on_submissions``."""
        return self._each(
            event, lambda message: take_wake(message, self.ports, self._dead_letters)
        )

    def on_notices(self, event: Mapping[str, Any]) -> dict[str, Any] | None:
        """Deliver notices; the same answer as ``on_submissions``."""
        failed = self._notices.deliver_all(event)
        return answer(failed, len(event.get("Records", [])), is_reported=self._is_reported)

    def sweep(self) -> dict[str, int]:
        """Look at what is due, and for request files that were missed; return how many.

        Schedules spawn, configs are looked at, works are dispatched, and a few pipelines of the
        work queue counted again, too.
        """
        with ExitStack() as parts:  # what ails one of them must not keep the others waiting
            told = dict.fromkeys(_SWEPT, 0)
            parts.callback(
                lambda: told.update(recounted=recount_due(self.works, self.ports.clock()))
            )
            parts.callback(lambda: told.update(pushed_works=push(self.works, self.ports)))
            parts.callback(lambda: told.update(configs=tend_all(self.works, self.ports)))
            parts.callback(lambda: told.update(schedules=spawn_due(self.works, self.ports)))
            parts.callback(lambda: told.update(request_files=self._files.sweep()))
            told["runs"] = engine.sweep(self.ports, limit=SWEPT_RUNS)
        return told

    def _take_in(self, message: Message) -> None:
        part = read_part(message)
        if part is None:
            self._submissions.take_in(message)
        else:
            self._parts.take_in(part)

    def _each(
        self, event: Mapping[str, Any], take_in: Callable[[Message], None]
    ) -> dict[str, Any] | None:
        messages = read_messages(event)
        failed = each(messages, take_in)
        return answer(failed, len(messages), is_reported=self._is_reported)


def open_home(
    settings: Settings, clients: Clients | None = None, clock: Clock | None = None
) -> AwsHome:
    """Return the home whose state is in ``settings.table``. Nothing is asked of AWS."""
    owners = settings.site.bucket_owners
    clients = clients or Clients(settings.site.aws_region, prepare=expecting(owners))
    clock = clock or _utc_now
    dead_letters = _dead_letters(settings, clients, clock)
    ports = connected(_ports(settings, clients, clock, dead_letters))
    return AwsHome(settings, clients, ports, dead_letters)


def open_worker_home(settings: Settings) -> tuple[ObjectStore, Claims]:
    """Return what a worker job needs."""
    site = settings.site
    clients = Clients(site.aws_region, is_patient=True, prepare=expecting(site.bucket_owners))
    table = Table(clients.get("dynamodb"), settings.table)
    return S3ObjectStore(clients.get("s3")), DynamoClaims(table, _utc_now)


def _ports(
    settings: Settings, clients: Clients, clock: Clock, dead_letters: SqsDeadLetters
) -> Ports:
    table = Table(clients.get("dynamodb"), settings.table)
    objects, bucket = S3ObjectStore(clients.get("s3")), settings.site.scratch_bucket
    runs, claims = DynamoRunStore(table, objects, bucket), DynamoClaims(table, clock)
    works = open_work_ports(table, objects, bucket)
    slack = Slack(settings.site.slack_webhooks, SecretsManager(clients.get("secretsmanager")).read)
    return Ports(
        runs=runs,
        claims=claims,
        jobs=BatchJobRunner(
            clients.get("batch"),
            clients.submitting(),
            clients.get("logs"),
            log_group=settings.job_log_group,
            execution_role_arn=settings.job_execution_role_arn,
            fair_share_queues=settings.site.fair_share_queues,
        ),
        objects=objects,
        facilities=_facilities(settings, clients, clock),
        timers=SqsTimers(clients.get("sqs"), settings.wake_queue_url, clock),
        pace=DynamoPace(table),
        dead_letters=all_dead_letters(settings, clients, clock, dead_letters),
        announcer=announcer(settings, clients),
        documents=DynamoDocuments(table, clock),
        site=_site(settings),
        clock=clock,
        mint_uid=lambda: "".join(secrets.choice(UID_LETTERS) for _ in range(UID_CHARACTERS)),
        mounts=settings.mounts,
        works=WorkRuns(works, runs, claims, objects, slack),
        functions=LambdaFunctions(clients.invoking()),
        definitions=BatchDefinitions(clients.get("batch")),
        measure=measuring(settings, clock),
        trace=tracing(settings),
    )


def _facilities(settings: Settings, clients: Clients, clock: Clock) -> AwsFacilities:
    return AwsFacilities(
        clients.get("efs"),
        clients.get("batch"),
        clients.get("ecr"),
        clock=clock,
        mounts=settings.mounts,
        inventory=settings.file_systems,
    )


def _site(settings: Settings) -> Site:
    """Return the site with what workers are told, unless the operator did, and our own roles."""
    site = settings.site
    ours = {
        "AWS_REGION": site.aws_region,
        "ENV_BASE": site.env_base,
        "FALSEWORK_TABLE": settings.table,
        "FALSEWORK_SCRATCH_BUCKET": site.scratch_bucket,
        "FALSEWORK_REQUESTS_BUCKET": site.requests_bucket,
    }
    if site.bucket_owners:
        ours["FALSEWORK_BUCKET_OWNERS"] = json.dumps(site.bucket_owners, sort_keys=True)
    own_roles = (*site.own_roles, *filter(None, [settings.job_execution_role_arn]))
    told = {"worker_environment": {**ours, **site.worker_environment}, "own_roles": own_roles}
    return site.model_copy(update=told)


def _dead_letters(settings: Settings, clients: Clients, clock: Clock) -> SqsDeadLetters:
    return SqsDeadLetters(
        queue_at(clients, settings.dead_letter_queue_url),
        Origins(
            submissions=queue_at(clients, settings.submissions_queue_url),
            wake=queue_at(clients, settings.wake_queue_url),
        ),
        S3ObjectStore(clients.get("s3")),
        settings.site.scratch_bucket,
        clock,
        measure=measuring(settings, clock),
    )


def _utc_now() -> datetime:
    return datetime.now(UTC)
