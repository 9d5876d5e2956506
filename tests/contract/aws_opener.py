"""The AWS home's state on servers of this machine: a table and a queue of its own for each test.

Objects are folders: what the run store puts there is small, and S3 has a suite of its own.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from chalicelib.aws.claims import DynamoClaims
from chalicelib.aws.documents import DynamoDocuments
from chalicelib.aws.pace import DynamoPace
from chalicelib.aws.run_store import DynamoRunStore
from chalicelib.aws.table import Table
from chalicelib.aws.timers import SqsTimers
from chalicelib.aws.work_store import open_work_ports
from chalicelib.core.run import Run
from chalicelib.document_ports import Documents
from chalicelib.local.object_store import LocalObjectStore
from chalicelib.ports import Claims, RunStore
from chalicelib.timing_ports import Pace, Timers
from chalicelib.work_ports import WorkPorts
from tests.clouds.clients import client
from tests.clouds.foundation import create_table
from tests.contract.openers import NOON


class StatePorts(NamedTuple):
    """Those of the ports that are state."""

    runs: RunStore
    claims: Claims
    pace: Pace
    timers: Timers
    documents: Documents


@dataclass(frozen=True)
class AwsOpener:
    """A value that can be sent to a process."""

    endpoint: str
    sqs_endpoint: str
    table: str
    queue_url: str
    root: Path

    def open(
        self,
        wrap: Callable[[Any], Any] = lambda client: client,
        pause: Callable[[float], None] = lambda _: None,
    ) -> StatePorts:
        """Open it all; ``wrap`` may put something between us and DynamoDB."""
        table = Table(wrap(client("dynamodb", self.endpoint)), self.table, pause)
        objects = LocalObjectStore(self.root)
        return StatePorts(
            runs=DynamoRunStore(table, objects, "scratch"),
            claims=DynamoClaims(table, lambda: NOON),
            pace=DynamoPace(table),
            timers=SqsTimers(self._sqs(), self.queue_url, lambda: NOON),
            documents=DynamoDocuments(table, lambda: NOON),
        )

    def documents(
        self, now: datetime, wrap: Callable[[Any], Any] = lambda client: client
    ) -> Documents:
        """Open the documents, at a time of the test's own."""
        table = Table(wrap(client("dynamodb", self.endpoint)), self.table, lambda _: None)
        return DynamoDocuments(table, lambda: now)

    def work_ports(self, wrap: Callable[[Any], Any] = lambda client: client) -> WorkPorts:
        """Open the work queue."""
        table = Table(wrap(client("dynamodb", self.endpoint)), self.table, lambda _: None)
        return open_work_ports(table, LocalObjectStore(self.root), "scratch")

    def crash_after_plan(self, run: Run) -> None:
        """Do what comes before the write that creates a run, and no more."""
        with pytest.raises(_Crash):
            self.open(_CrashAtRun).runs.save(run)

    def lose_plan(self, run_id: str) -> None:
        """Remove the run's PLAN item, as no code of ours ever does."""
        dynamodb = client("dynamodb", self.endpoint)
        found = dynamodb.query(
            TableName=self.table,
            KeyConditionExpression="pk = :run AND begins_with(sk, :plan)",
            ExpressionAttributeValues={":run": {"S": f"run#{run_id}"}, ":plan": {"S": "plan#"}},
        )
        for item in found["Items"]:
            key = {name: item[name] for name in ("pk", "sk")}
            dynamodb.delete_item(TableName=self.table, Key=key)

    def fired(self, now: datetime) -> tuple[str, ...]:
        """Take the calls out that can be seen. The queue goes by its own clock, not by ours."""
        found: list[str] = []
        queue = {"QueueUrl": self.queue_url}
        while (
            messages := self._sqs()
            .receive_message(**queue, MaxNumberOfMessages=10)
            .get("Messages")
        ):
            for message in messages:
                self._sqs().delete_message(**queue, ReceiptHandle=message["ReceiptHandle"])
                found.append(json.loads(message["Body"])["run_id"])
        return tuple(found)

    def _sqs(self) -> Any:
        return client("sqs", self.sqs_endpoint)


def make(endpoint: str, root: Path, sqs_endpoint: str = "") -> AwsOpener:
    """Make the table, and the queue where there is a server for it."""
    queue_url = ""
    if sqs_endpoint:
        answer = client("sqs", sqs_endpoint).create_queue(QueueName=f"wake-{uuid.uuid4().hex}")
        queue_url = answer["QueueUrl"]
    name = create_table(client("dynamodb", endpoint))
    return AwsOpener(endpoint, sqs_endpoint or endpoint, name, queue_url, root)


class _Crash(BaseException):
    """The process is gone."""


class _CrashAtRun:
    """A client that dies just before it would create a RUN item."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def put_item(self, **asked: Any) -> Any:
        if asked["Item"]["sk"] == {"S": "run"}:
            raise _Crash
        return self._client.put_item(**asked)
