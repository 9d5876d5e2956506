"""One demand execution on moto, counted: what the control plane asks of AWS for it.

It comes by REST, has two inputs and one output, and succeeds at the first attempt. Each of its
jobs sends the events that Batch sends (AWS Batch user guide, "Job state change events": none for
the submission, one for every later state; a job that depends on no other is never PENDING), and
every one of them is a Lambda invocation, for the rule does not filter by status.

What the workers in the containers ask for our sake is counted too, since it is part of the
protocol: the claim, the order they read, the outcome they write. The data that they copy is not.
"""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from benchmarks.metering import Meter
from benchmarks.prices import Usage
from chalicelib.aws.clients import Clients
from chalicelib.core.run import RunState
from tests.contract.aws_places import REGION
from tests.flow import aws_worlds
from tests.flow.aws_worlds import AwsWorld, a_request, aws_account

EVENTS: Final = ("RUNNABLE", "RUNNING", "SUCCEEDED")
_S3_GETS: Final = {"s3.GetObject", "s3.HeadObject"}
_S3_PUTS: Final = {"s3.PutObject", "s3.CopyObject", "s3.ListObjectsV2"}


class Counted(NamedTuple):
    """What one demand took."""

    usage: Usage
    calls: Counter[str]
    """Of the handlers, by ``service.Operation``."""
    worker_calls: Counter[str]
    jobs: int


def count_demand(events: tuple[str, ...] = EVENTS) -> Counted:
    """Run the demand to its end and return what it took."""
    with warnings.catch_warnings(), aws_account() as world:
        warnings.simplefilter("ignore")
        unmetered = aws_worlds.SESSION.client("dynamodb", region_name=REGION)
        handlers = Meter(unmetered, world.settings.table)
        workers = Meter(unmetered, world.settings.table)
        with _metered(world, handlers, workers) as invocations:
            _run(world, events)
        assert world.run("e1").state is RunState.SUCCESS
        return _counted(world, handlers, workers, invocations)


def _run(world: AwsWorld, events: tuple[str, ...]) -> None:
    headers = {"Content-Type": "application/json"}
    body = json.dumps(a_request("e1")).encode()
    answer = world.http.post("/demand-executions", headers=headers, body=body)
    assert answer.status_code == 202, answer.body
    while waiting := world.waiting("e1"):
        for status in events[:-1]:
            world.tell(waiting[0], status)
        world.finish(waiting[0])
        world.tell(waiting[0], events[-1])


@contextmanager
def _metered(world: AwsWorld, handlers: Meter, workers: Meter) -> Iterator[list[str]]:
    """Meter the handlers' clients and those that stand for the workers; note invocations."""
    world.clients = Clients(
        REGION,
        session=aws_worlds.SESSION,
        prepare=lambda client: handlers.put_on(world._prepared(client)),
    )
    world.restart()
    for client in (world.s3, world.dynamodb):
        workers.put_on(client)
    invoked: list[str] = ["rest"]
    told = world.invoke

    def invoke(name: str, event: dict[str, Any]) -> Any:
        invoked.append(name)
        return told(name, event)

    world.invoke = invoke  # type: ignore[method-assign]
    yield invoked
    workers.stop()


def _counted(world: AwsWorld, handlers: Meter, workers: Meter, invocations: list[str]) -> Counted:
    both = handlers.calls + workers.calls
    sent = both["sqs.SendMessage"]
    usage = Usage(
        api_calls=1,
        # A message is sent, received and deleted, and its arrival is an invocation.
        lambda_invocations=len(invocations) + sent,
        lambda_aws_calls=handlers.calls.total(),
        dynamodb_write_units=handlers.write_units + workers.write_units,
        dynamodb_read_units=handlers.read_units + workers.read_units,
        s3_puts=sum(count for name, count in both.items() if name in _S3_PUTS),
        s3_gets=sum(count for name, count in both.items() if name in _S3_GETS),
        sqs_requests=3 * sent,
    )
    return Counted(usage, handlers.calls, workers.calls, len(world.jobs))
