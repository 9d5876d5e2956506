"""What AWS publishes of what our alarms and the dashboard look at, and what we publish ourselves.

A metric is a name with exactly its dimensions: an alarm that names fewer, or others, sees nothing
for ever, and nobody tells. So each is compared with this table, which has AWS's own description
as its source.
"""

from __future__ import annotations

from typing import NamedTuple

from chalicelib.aws.emf import NAMESPACE
from chalicelib.core.measures import Metric

SUMMED = frozenset({"Sum", "SampleCount"})
ANY = frozenset({"Sum", "Average", "Minimum", "Maximum", "SampleCount", "p50", "p90"})


class Published(NamedTuple):
    """One metric."""

    dimensions: frozenset[frozenset[str]]
    """The sets that it is published with; each is a metric of its own."""
    statistics: frozenset[str]
    source: str
    has_gaps: bool = True
    """Whether there is no value, rather than zero, while nothing happens."""


def _with(*sets: tuple[str, ...]) -> frozenset[frozenset[str]]:
    return frozenset(frozenset(each) for each in sets)


_DYNAMODB = "DynamoDB developer guide, DynamoDB metrics and dimensions"
_SQS = (
    "SQS developer guide, Available CloudWatch metrics: none while a queue is idle for six hours"
)
_LAMBDA = "Lambda developer guide, Types of metrics for Lambda functions"
_EVENTS = _with(("TableName",), ("TableName", "GlobalSecondaryIndexName"))

AWS: dict[tuple[str, str], Published] = {
    ("AWS/DynamoDB", "ReadThrottleEvents"): Published(_EVENTS, SUMMED, _DYNAMODB),
    ("AWS/DynamoDB", "WriteThrottleEvents"): Published(_EVENTS, SUMMED, _DYNAMODB),
    ("AWS/DynamoDB", "ThrottledRequests"): Published(
        _with(("TableName", "Operation")), SUMMED, _DYNAMODB
    ),
    ("AWS/DynamoDB", "ConsumedReadCapacityUnits"): Published(_EVENTS, ANY, _DYNAMODB),
    ("AWS/DynamoDB", "ConsumedWriteCapacityUnits"): Published(_EVENTS, ANY, _DYNAMODB),
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): Published(_with(("QueueName",)), ANY, _SQS),
    ("AWS/SQS", "ApproximateAgeOfOldestMessage"): Published(_with(("QueueName",)), ANY, _SQS),
    **{
        ("AWS/Lambda", name): Published(
            _with((), ("FunctionName",), ("FunctionName", "Resource")), SUMMED, _LAMBDA
        )
        for name in ("Invocations", "Errors", "Throttles")
    },
}

OURS: dict[tuple[str, str], Published] = {
    (NAMESPACE, metric.value): Published(
        _with(("service", *more)), ANY, "chalicelib/core/measures.py"
    )
    for metric, more in {
        **dict.fromkeys(Metric, ()),
        Metric.RUNS: ("kind", "state"),
        Metric.RUN_SECONDS: ("kind",),
        Metric.STAGE_SECONDS: ("stage",),
        Metric.RETRIES: ("cause",),
    }.items()
}

PUBLISHED = AWS | OURS
ALWAYS_IGNORES_GAPS = "AWS/DynamoDB"
"""CloudWatch API reference, PutMetricAlarm, TreatMissingData: alarms on these metrics stay as they
are where data is missing, whatever is asked for."""
