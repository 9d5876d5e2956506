"""A small AWS to run demands in: moto in this process, a virtual clock, and Batch by hand.

moto's Batch would have every job succeed before SubmitJob returns, and tells nobody. Here a job
waits until the test lets it run, and the test feeds the events that EventBridge would bring, to
the handlers of ``app.py`` through Chalice's test client. botocore's own event system counts every
call that the home makes, so that a process can be made to die before or after any of them.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from chalice.test import Client
from moto.batch.models import batch_backends

import app
from chalicelib import bootstrap
from chalicelib.aws.claims import DynamoClaims
from chalicelib.aws.clients import Clients
from chalicelib.aws.home import AwsHome, open_home
from chalicelib.aws.object_store import S3ObjectStore
from chalicelib.aws.run_store import DynamoRunStore
from chalicelib.aws.table import Table
from chalicelib.core.run import Run, RunState
from chalicelib.core.site import Site
from chalicelib.core.worker_documents import Outcome
from chalicelib.local.folders import own_file_systems
from chalicelib.settings import Settings
from tests.clouds.foundation import create_table
from tests.clouds.moto_dynamodb import mend_dynamodb
from tests.contract.aws_places import ACCOUNT, REGION, SESSION, make_queue, moto_account
from tests.flow.doors import TrustedHttp
from tests.flow.worlds import Killed, a_demand

IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/tool:1"
SITE = Site(submit_grace_seconds=120, check_seconds=300, worker_image=IMAGE)
ORDER = ("stage-in", "execute", "stage-out", "clean-up")
ONE_OF_EACH = Counter(dict.fromkeys(ORDER, 1))


def a_request(run_id: str = "e1", **changes: Any) -> dict[str, Any]:
    """A demand whose image a registry has."""
    return a_demand(execution_id=run_id, execution_image=IMAGE, **changes)


@contextmanager
def aws_account() -> Iterator[AwsWorld]:
    """An account with everything that a deployment has; ``app.py`` works in it."""
    with pytest.MonkeyPatch.context() as patch, moto_account():
        mend_dynamodb(patch)
        world = AwsWorld()
        try:
            yield world
        finally:
            bootstrap.use(Settings())
            world.close()


class Dying:
    """botocore hooks that count calls, and die at one of them."""

    def __init__(self) -> None:
        self.trace: list[str] = []
        self.at = 0
        self.is_after = False

    def put_on(self, client: Any) -> Any:
        client.meta.events.register_first("before-call", self._before)
        client.meta.events.register_first("after-call", self._after)
        return client

    def reset(self, at: int = 0, *, is_after: bool = False) -> None:
        self.trace, self.at, self.is_after = [], at, is_after

    def _before(self, model: Any, **_: Any) -> None:
        self.trace.append(f"{model.service_model.service_name}.{model.name}")
        if len(self.trace) == self.at and not self.is_after:
            raise Killed(self.trace[-1])

    def _after(self, **_: Any) -> None:
        if len(self.trace) == self.at and self.is_after:
            raise Killed(self.trace[-1])


class AwsWorld:
    """The account, its clock, and the process that serves it at the moment."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)
        self.dying = Dying()
        self.s3, self.sqs, self.dynamodb = (
            boto3.client(service, region_name=REGION) for service in ("s3", "sqs", "dynamodb")
        )
        for bucket in ("requests", "falsework"):
            self.s3.create_bucket(Bucket=bucket)
        make_queue("default")
        self.queues = {
            name: self.sqs.create_queue(QueueName=name)["QueueUrl"]
            for name in ("submissions", "wake", "dead")
        }
        self.settings = Settings(
            table=create_table(self.dynamodb),
            wake_queue_url=self.queues["wake"],
            submissions_queue_url=self.queues["submissions"],
            dead_letter_queue_url=self.queues["dead"],
            site=SITE,
            file_systems=own_file_systems(SITE),
        )
        self.clients = Clients(REGION, session=SESSION, prepare=self._prepared)
        table = Table(self.dynamodb, self.settings.table)
        self.claims = DynamoClaims(table, lambda: self.now)
        self._runs = DynamoRunStore(table, S3ObjectStore(self.s3), SITE.scratch_bucket)
        self.jobs: dict[str, dict[str, Any]] = {}
        self._asked: dict[str, Any] = {}
        self.lambdas = Client(app.app)
        self.http = TrustedHttp(app.app)
        self.restart()

    @property
    def home(self) -> AwsHome:
        return bootstrap.aws_home()

    def restart(self, **settings: Any) -> None:
        """Begin a new process: nothing is remembered, the account stays."""
        self.settings = self.settings.model_copy(update=settings)
        home = open_home(self.settings, self.clients, lambda: self.now)
        bootstrap.use(self.settings, home)

    def close(self) -> None:
        self.clients.close()
        for client in (self.s3, self.sqs, self.dynamodb):
            client.close()

    def pass_time(self, seconds: float = 301) -> None:
        self.now += timedelta(seconds=seconds)

    def run(self, run_id: str) -> Run:
        return self._runs.load(run_id)

    def item(self, run_id: str) -> dict[str, Any]:
        """The run's RUN item: put back, it undoes what became of the run since."""
        key = {"pk": {"S": f"run#{run_id}"}, "sk": {"S": "run"}}
        return self.dynamodb.get_item(TableName=self.settings.table, Key=key)["Item"]

    def put_back(self, item: dict[str, Any]) -> None:
        self.dynamodb.put_item(TableName=self.settings.table, Item=item)

    # What AWS brings to the handlers.

    def invoke(self, name: str, event: dict[str, Any]) -> Any:
        """Call the handler, a second after the last one: the pace is counted by the second."""
        self.pass_time(1)
        return self.lambdas.lambda_.invoke(name, event).payload

    def submit_by_queue(self, *bodies: Any) -> Any:
        return self.invoke("on_submission", messages(*bodies))

    def drop(self, key: str, content: bytes) -> dict[str, Any]:
        """Put an object; return the event of it."""
        etag = self.s3.put_object(Bucket="requests", Key=key, Body=content)
        return object_created(key, etag["ETag"].strip('"'), etag.get("VersionId"))

    def receipt(self, name: str) -> dict[str, Any]:
        answer = self.s3.get_object(Bucket="requests", Key=f"receipts/{name}")
        return json.loads(answer["Body"].read())

    def sweep(self) -> Any:
        event = self.lambdas.events.generate_cw_event("aws.events", "Scheduled Event", {}, [])
        return self.invoke("on_sweep", event)

    def tell(self, job_id: str, status: str, **changes: Any) -> None:
        self.invoke("on_job_change", {**job_event(self.jobs[job_id], status), **changes})

    def received(self, queue: str) -> list[dict[str, Any]]:
        """Take out what the queue holds."""
        found: list[dict[str, Any]] = []
        about = {"QueueUrl": self.queues[queue], "MessageAttributeNames": ["All"]}
        while some := self.sqs.receive_message(MaxNumberOfMessages=10, **about).get("Messages"):
            for message in some:
                self.sqs.delete_message(
                    QueueUrl=self.queues[queue], ReceiptHandle=message["ReceiptHandle"]
                )
            found += some
        return found

    # What Batch does.

    def accepted(self, run_id: str) -> Counter[str]:
        """How many jobs Batch has accepted for each stage of the run."""
        jobs = (job["environment"] for job in self.jobs.values())
        return Counter(job["FALSEWORK_STAGE"] for job in jobs if job["FALSEWORK_RUN_ID"] == run_id)

    def waiting(self, run_id: str) -> list[str]:
        """The jobs of the run that have not ended."""
        ended = {"SUCCEEDED", "FAILED"}
        return [
            job_id
            for job_id, job in self.jobs.items()
            if job["environment"]["FALSEWORK_RUN_ID"] == run_id
            and self.status(job_id) not in ended
        ]

    def status(self, job_id: str) -> str:
        return str(_moto_jobs()[job_id].status)

    def set_status(self, job_id: str, status: str) -> None:
        _moto_jobs()[job_id].status = status

    def finish(self, job_id: str, *, is_good: bool = True) -> None:
        """Let the job do its work and end; nobody is told."""
        environment = self.jobs[job_id]["environment"]
        if "FALSEWORK_REQUEST_URI" in environment and is_good:
            self._work(job_id, environment)
        self.set_status(job_id, "SUCCEEDED" if is_good else "FAILED")

    def _work(self, job_id: str, environment: dict[str, str]) -> None:
        """What our worker does: claim, read the order, leave the outcome."""
        name = self.jobs[job_id]["name"]
        if self.claims.claim(name, 0, job_id, 1).job_id != job_id:
            return
        assert self.s3.get_object(**_place(environment["FALSEWORK_REQUEST_URI"].partition("#")[0]))
        outcome = Outcome(
            job_name=name,
            job_id=job_id,
            attempt=1,
            result={"outputs": {"out": {"uri": "s3://data/results/out/"}}},
        )
        self.s3.put_object(
            **_place(environment["FALSEWORK_OUTCOME_URI"]),
            Body=outcome.model_dump_json().encode(),
        )

    def _prepared(self, client: Any) -> Any:
        events = client.meta.events
        events.register("before-parameter-build.batch.SubmitJob", self._remember)
        events.register_first("after-call.batch.SubmitJob", self._accept)
        return self.dying.put_on(client)

    def _remember(self, params: dict[str, Any], **_: Any) -> None:
        self._asked[params["jobName"]] = dict(params)

    def _accept(self, http_response: Any, parsed: dict[str, Any], **_: Any) -> None:
        if http_response.status_code >= 300:
            return
        job_id, asked = parsed["jobId"], self._asked[parsed["jobName"]]
        told = asked["containerOverrides"]["environment"]
        self.jobs[job_id] = {
            "id": job_id,
            "name": parsed["jobName"],
            "queue": asked["jobQueue"],
            "environment": {each["name"]: each["value"] for each in told},
        }
        self.set_status(job_id, "RUNNABLE")


def play(world: AwsWorld, run_id: str) -> Run:
    """Let each job of the run work and tell of it, until there are no more."""
    for stage in ORDER:
        (job_id,) = world.waiting(run_id)
        assert world.jobs[job_id]["environment"]["FALSEWORK_STAGE"] == stage
        world.tell(job_id, "RUNNING")
        world.finish(job_id)
        world.tell(job_id, "SUCCEEDED")
    return world.run(run_id)


def assert_succeeded(world: AwsWorld, run: Run) -> None:
    """The run has ended well, and every job was accepted exactly once."""
    assert run.state is RunState.SUCCESS, run.error
    assert run.settled_at is not None
    assert run.outputs == {"out": {"uri": "s3://data/results/out/"}}
    assert world.accepted(run.id) == ONE_OF_EACH


def messages(*bodies: Any) -> dict[str, Any]:
    """An event of SQS with these bodies; what is not text is written as JSON."""
    texts = [body if isinstance(body, str) else json.dumps(body) for body in bodies]
    return {
        "Records": [
            {
                "messageId": f"message-{number}",
                "receiptHandle": "handle",
                "body": text,
                "attributes": {"ApproximateReceiveCount": "1"},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:submissions",
                "awsRegion": REGION,
            }
            for number, text in enumerate(texts)
        ]
    }


def object_created(key: str, etag: str, version_id: str | None = None) -> dict[str, Any]:
    """An "Object Created" in the requests bucket."""
    about = {"key": key, "etag": etag, **({"version-id": version_id} if version_id else {})}
    detail = {"version": "0", "bucket": {"name": "requests"}, "object": about}
    return event("aws.s3", "Object Created", detail)


def job_event(job: dict[str, Any], status: str) -> dict[str, Any]:
    """A "Batch Job State Change" of one of our jobs."""
    has_ended = status in {"SUCCEEDED", "FAILED"}
    attempt = {"container": {"exitCode": int(status == "FAILED")}, "stoppedAt": 1, "startedAt": 1}
    environment = [{"name": name, "value": value} for name, value in job["environment"].items()]
    detail = {
        "jobName": job["name"],
        "jobId": job["id"],
        "jobQueue": f"arn:aws:batch:{REGION}:{ACCOUNT}:job-queue/{job['queue']}",
        "status": status,
        "attempts": [attempt] if has_ended else [],
        "container": {"environment": environment},
    }
    return event("aws.batch", "Batch Job State Change", detail)


def event(source: str, detail_type: str, detail: dict[str, Any]) -> dict[str, Any]:
    """An event of EventBridge."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": source,
        "account": ACCOUNT,
        "time": "2026-05-01T12:00:00Z",
        "region": REGION,
        "resources": [],
        "detail": detail,
    }


def _moto_jobs() -> dict[str, Any]:
    return batch_backends[ACCOUNT][REGION]._jobs


def _place(uri: str) -> dict[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return {"Bucket": bucket, "Key": key}
