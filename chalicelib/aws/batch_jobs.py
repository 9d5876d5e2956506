"""Jobs on AWS Batch.

SubmitJob is the one call that must not be repeated, for Batch has no token by which it would
know a copy (aws/containers-roadmap#2798), and botocore repeats calls of its own accord. So it has
a client of its own, made by ``submitting_client``, that sends every request once. What comes back
is one of three: a job id, a definite no (Refused), or nobody knows (Unavailable), and then only
looking the job's name up can tell. A request that was turned away for its frequency certainly
was not accepted; that one is sent again, a few times.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from chalicelib.aws.batch_arguments import (
    BATCH_LOG_GROUP,
    DIGEST_TAG,
    definition_arguments,
    submit_arguments,
)
from chalicelib.aws.batch_events import read_job
from chalicelib.aws.batch_logs import last_bytes
from chalicelib.aws.client_errors import code_of, is_no, is_throttled, never, translated
from chalicelib.core.batch_rules import is_batch_name
from chalicelib.core.errors import InvalidRequest, Unavailable
from chalicelib.core.job_state import ENDED_JOBS
from chalicelib.core.limits import BATCH_DESCRIBE_IDS, BATCH_REASON_CHARACTERS
from chalicelib.core.plans.plan import JobDefinition
from chalicelib.job_ports import JobRequest, JobSeen

SUBMISSIONS: Final = 5
"""How often a throttled request is sent at all."""

PAUSE_SECONDS: Final = 0.5
"""Longest pause before the second try; it doubles, and its length is drawn by lot. All pauses
together are at most 7.5 s, much less than a Lambda has."""

_BAD_IDENTIFIER: Final = "ClientException"
"""Batch's answer to "an identifier that's not valid", but to missing permissions as well (API
reference): it never proves that something is not there."""


def submitting_client(region: str | None = None) -> Any:
    """Return a Batch client that sends each request once, whatever the environment says."""
    config = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=30)
    return boto3.client("batch", region_name=region, config=config)


class BatchJobRunner:
    """The JobRunner of the AWS home. ``submitting`` is a client from ``submitting_client``."""

    def __init__(  # noqa: PLR0913  (three clients)
        self,
        batch: Any,
        submitting: Any,
        logs: Any,
        *,
        log_group: str = BATCH_LOG_GROUP,
        execution_role_arn: str = "",
        fair_share_queues: Container[str] = (),
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._batch = batch
        self._submitting = submitting
        self._logs = logs
        self._log_group = log_group
        self._execution_role_arn = execution_role_arn
        self._fair_share_queues = fair_share_queues
        self._pause = pause

    def define(self, definition: JobDefinition) -> str:
        """Return the ARN of the oldest active revision with this content, or of a new one.

        Two that register at the same time make two revisions; either serves. Raises Refused.
        """
        arguments = definition_arguments(
            definition,
            log_group=self._log_group,
            execution_role_arn=self._execution_role_arn,
        )
        digest = arguments["tags"][DIGEST_TAG]
        with translated(f"job definition {definition.name}", is_no):
            equal = [
                found
                for found in self._definitions(definition.name)
                if found.get("tags", {}).get(DIGEST_TAG) == digest
            ]
            if equal:
                oldest = min(equal, key=lambda found: int(found["revision"]))
                return str(oldest["jobDefinitionArn"])
            return str(self._batch.register_job_definition(**arguments)["jobDefinitionArn"])

    def submit(self, job: JobRequest) -> str:
        """Submit once; only a throttled request is sent again. Raises Refused, TurnedAway."""
        arguments = submit_arguments(job, self._fair_share_queues)
        with translated(f"job {job.name}", is_no):
            for sent in range(1, SUBMISSIONS):
                try:
                    return str(self._submitting.submit_job(**arguments)["jobId"])
                except ClientError as exc:
                    if not is_throttled(exc):
                        raise
                self._pause(random.uniform(0, PAUSE_SECONDS * 2 ** (sent - 1)))  # noqa: S311
            return str(self._submitting.submit_job(**arguments)["jobId"])

    def find(self, queue: str, name: str) -> tuple[JobSeen, ...]:
        """Return every job of exactly that name; none in a queue that does not exist.

        The listing tells who bears the name, DescribeJobs how each of them is: a summary has
        neither log stream nor attempts.
        """
        if not is_batch_name(name):
            return ()
        listed = _read(self._listed(queue, name), queue)
        ids = [seen.job_id for seen in listed]
        full: dict[str, JobSeen] = {}
        for start in range(0, len(ids), BATCH_DESCRIBE_IDS):
            some = self.describe(ids[start : start + BATCH_DESCRIBE_IDS])
            full |= {seen.job_id: seen for seen in some}
        return tuple(full.get(seen.job_id, seen) for seen in listed)

    def describe(self, job_ids: Sequence[str]) -> tuple[JobSeen, ...]:
        """Return the jobs of these ids, at most 100; those of children as well."""
        if not job_ids:
            return ()
        with translated("describing jobs", never):
            details = self._batch.describe_jobs(jobs=list(job_ids))["jobs"]
        return tuple(_read(details, has_children=True))

    def stop(self, job_id: str, reason: str) -> None:
        """Terminate the job, which cancels it where it has not started."""
        with translated(f"stopping job {job_id}", never):
            try:
                self._batch.terminate_job(
                    jobId=job_id, reason=reason[:BATCH_REASON_CHARACTERS] or "stopped"
                )
            except ClientError as exc:
                if code_of(exc) != _BAD_IDENTIFIER or self._is_live(job_id):
                    raise

    def log(self, log_stream: str, limit_bytes: int) -> bytes:
        """Return the last bytes of the stream, a line per event."""
        return last_bytes(self._logs, self._log_group, log_stream, limit_bytes)

    def _definitions(self, name: str) -> Iterator[dict[str, Any]]:
        pages = self._batch.get_paginator("describe_job_definitions")
        for page in pages.paginate(jobDefinitionName=name, status="ACTIVE"):
            yield from page["jobDefinitions"]

    def _listed(self, queue: str, name: str) -> list[dict[str, Any]]:
        """Newest first. The filter ignores case, so the names are compared here.

        AWS sorts by creation, but "grouped by the job name and version" (API reference,
        ListJobs, filters); so they are sorted again.
        """
        filters = [{"name": "JOB_NAME", "values": [name]}]
        pages = self._batch.get_paginator("list_jobs").paginate(jobQueue=queue, filters=filters)
        with translated(f"jobs called {name}", never):
            try:
                entries = [entry for page in pages for entry in page["jobSummaryList"]]
            except ClientError as exc:
                if code_of(exc) != _BAD_IDENTIFIER or self._is_queue(queue):
                    raise
                return []
        namesakes = [entry for entry in entries if entry["jobName"] == name]
        return sorted(namesakes, key=lambda entry: -int(entry.get("createdAt", 0)))

    def _is_queue(self, queue: str) -> bool:
        return bool(self._batch.describe_job_queues(jobQueues=[queue])["jobQueues"])

    def _is_live(self, job_id: str) -> bool:
        return any(seen.status not in ENDED_JOBS for seen in self.describe([job_id]))


def _read(
    jobs: Iterable[dict[str, Any]], queue: str = "", *, has_children: bool = False
) -> list[JobSeen]:
    """One that cannot be read is there all the same: leaving it out would say that it is lost."""
    try:
        read = (read_job(job, queue=queue, is_child_wanted=has_children) for job in jobs)
        return [seen for seen in read if seen]
    except InvalidRequest as exc:
        raise Unavailable(str(exc)) from exc
