"""Which delay a wake-up call is sent with."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from botocore.exceptions import ConnectTimeoutError

from chalicelib.aws.timers import SqsTimers
from chalicelib.core.errors import Unavailable
from tests.contract.openers import NOON


class FakeSqs:
    """Keeps what it is sent."""

    def __init__(self):
        self.sent = []

    def send_message(self, **message):
        self.sent.append(message)


@pytest.mark.parametrize(
    ("seconds", "delays"),
    [
        pytest.param(-3600, [0], id="gone by"),
        pytest.param(0, [0], id="now"),
        pytest.param(0.001, [1], id="never too early"),
        pytest.param(59.5, [60], id="in a minute"),
        pytest.param(900, [900], id="the longest that SQS can"),
        pytest.param(900.001, [], id="left to the due index"),
    ],
)
def test_the_delay_ends_when_the_time_has_come(seconds, delays):
    sqs = FakeSqs()
    SqsTimers(sqs, "https://queue", lambda: NOON).wake("r1", NOON + timedelta(seconds=seconds))
    assert [message["DelaySeconds"] for message in sqs.sent] == delays


def test_the_message_names_the_run_and_the_time():
    sqs = FakeSqs()
    SqsTimers(sqs, "https://queue", lambda: NOON).wake("r1", NOON)
    (message,) = sqs.sent
    assert message["QueueUrl"] == "https://queue"
    assert json.loads(message["MessageBody"]) == {"run_id": "r1", "at": NOON.isoformat()}


def test_without_a_queue_nothing_is_sent():
    sqs = FakeSqs()
    SqsTimers(sqs, "", lambda: NOON).wake("r1", NOON)
    assert sqs.sent == []


def test_a_queue_that_does_not_answer_is_unavailable():
    class DeadSqs:
        """Is not there."""

        def send_message(self, **_):
            raise ConnectTimeoutError(endpoint_url="https://queue")

    with pytest.raises(Unavailable, match="r1"):
        SqsTimers(DeadSqs(), "https://queue", lambda: NOON).wake("r1", NOON)
