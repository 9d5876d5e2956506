"""Alarms and dashboard: on metrics that there are, heard by somebody, quiet when all is well."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from chalicelib import engine
from chalicelib.core.limits import SQS_DELAY_SECONDS
from chalicelib.core.measures import Metric
from infra.grants import FUNCTIONS
from infra.templates import read
from tests.deploy.published import ALWAYS_IGNORES_GAPS, OURS, PUBLISHED
from tests.flow.worlds import World, a_demand

RESOURCES = read()["Resources"]
ALARMS = {
    name: each["Properties"]
    for name, each in RESOURCES.items()
    if each["Type"] == "AWS::CloudWatch::Alarm"
}
TEXT, USED = RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
WIDGETS = json.loads(TEXT.replace("${", "$("))["widgets"]
INDEXES = [
    each["IndexName"] for each in RESOURCES["Table"]["Properties"]["GlobalSecondaryIndexes"]
]
RESTORED = {
    "TableInUse": {"Fn::If": ["WorksWithItsTable", {"Ref": "Table"}, {"Ref": "TableName"}]}
}
NAMES = {
    "TableName": ("Table", *USED),
    "QueueName": tuple(n for n, each in RESOURCES.items() if each["Type"] == "AWS::SQS::Queue"),
}
MOST_METRICS = 10
"""CloudWatch user guide, Limits: alarms that are based on metric math."""


class Look(NamedTuple):
    """One metric that is looked at."""

    namespace: str
    metric: str
    dimensions: tuple[tuple[str, str], ...]
    statistic: str

    @property
    def names(self) -> frozenset[str]:
        return frozenset(dict(self.dimensions))


def value_of(dimension: dict[str, Any]) -> str:
    """Return a dimension's value; of a resource its logical name."""
    match dimension["Value"]:
        case {"Ref": name} | {"Fn::GetAtt": [name, *_]}:
            return str(name)
        case {"Fn::Sub": text}:
            return str(text)
        case {"Fn::If": ["WorksWithItsTable", own, {"Ref": "TableName"}]}:
            return value_of({"Value": own})
        case text:
            return str(text)


def looks_of(alarm: dict[str, Any]) -> Iterator[Look]:
    for each in alarm.get("Metrics", [{"Metric": alarm}]):
        told = each.get("MetricStat", each)
        if "Metric" in told:
            about = told["Metric"]
            dimensions = tuple((d["Name"], value_of(d)) for d in about["Dimensions"])
            stat = told.get("Stat") or alarm.get("Statistic") or alarm["ExtendedStatistic"]
            yield Look(about["Namespace"], about["MetricName"], dimensions, stat)


def looks_of_widget(widget: dict[str, Any]) -> Iterator[Look]:
    about = widget["properties"]
    before: list[str] = []
    for row in about.get("metrics", []):
        if isinstance(row[0], dict):
            continue
        if row[0] == "...":
            row = [*before[: len(before) - len(row) + 1], *row[1:]]  # noqa: PLW2901
        row = [old if new == "." else new for old, new in zip([*before, *row], row, strict=False)]  # noqa: PLW2901
        before = row
        pairs = tuple(zip(row[2::2], row[3::2], strict=True))
        yield Look(row[0], row[1], pairs, about["stat"])


WIDGET_LOOKS = [look for widget in WIDGETS for look in looks_of_widget(widget)]


def assert_published(look: Look) -> None:
    known = PUBLISHED[look.namespace, look.metric]
    assert look.names in known.dimensions, (look, known.source)
    assert look.statistic in known.statistics, (look, known.source)


@pytest.mark.parametrize("alarm", ALARMS.values(), ids=ALARMS)
def test_an_alarm_looks_at_metrics_that_are_published_with_just_these_dimensions(alarm):
    looks = list(looks_of(alarm))
    assert looks
    for look in looks:
        assert_published(look)


def test_the_dashboard_shows_metrics_that_are_published_with_just_these_dimensions():
    assert len(WIDGET_LOOKS) > len(ALARMS)
    for look in WIDGET_LOOKS:
        assert_published(look)


def test_the_table_that_is_watched_is_the_one_that_is_worked_with():
    assert USED == RESTORED
    tables = [
        dimension["Value"]
        for alarm in ALARMS.values()
        for each in alarm.get("Metrics", [])
        for dimension in each.get("MetricStat", {}).get("Metric", {}).get("Dimensions", [])
        if dimension["Name"] == "TableName"
    ]
    assert tables
    assert all(each == RESTORED["TableInUse"] for each in tables)


def test_requests_that_are_throttled_are_no_metric_of_the_table_alone():
    """The fault that this file is for: an alarm on it never had any data."""
    with pytest.raises(AssertionError):
        assert_published(Look("AWS/DynamoDB", "ThrottledRequests", (("TableName", "t"),), "Sum"))


def searches() -> list[tuple[str, str, str]]:
    found = re.findall(
        r"""SEARCH\('\{(.+?)\} MetricName=\\"(\w+)\\" service=\\"[^"]+\\"', '(\w+)', \d+\)""", TEXT
    )
    assert len(found) == TEXT.count("SEARCH")
    return found


@pytest.mark.parametrize(("schema", "metric", "statistic"), searches())
def test_a_search_finds_what_we_publish(schema, metric, statistic):
    namespace, *names = schema.split(",")
    assert_published(Look(namespace, metric, tuple((n, "") for n in names), statistic))


@pytest.mark.parametrize(
    "look", [*WIDGET_LOOKS, *(x for a in ALARMS.values() for x in looks_of(a))]
)
def test_what_is_looked_at_exists(look):
    for name, value in look.dimensions:
        match name:
            case "FunctionName":
                ending = value.partition("EnvBase")[2].lstrip("})").lstrip("-")
                assert (ending or "api_handler") in FUNCTIONS
            case "GlobalSecondaryIndexName":
                assert value in INDEXES
            case "TableName" | "QueueName":
                assert re.sub(r"\$\(|\..*|\}", "", value) in NAMES[name]
            case _:
                assert name == "service"


def test_throttling_is_seen_in_the_table_and_in_each_index():
    looks = list(looks_of(ALARMS["TableThrottlingAlarm"]))
    seen = {(look.metric, dict(look.dimensions).get("GlobalSecondaryIndexName")) for look in looks}
    kinds = ("ReadThrottleEvents", "WriteThrottleEvents")
    assert seen == {(kind, index) for kind in kinds for index in (None, *INDEXES)}
    assert len(looks) <= MOST_METRICS


def test_an_alarm_on_a_calculation_counts_gaps_as_nothing():
    """One metric without a value, and there is no result: a function that is only throttled has no
    invocations. And FILL makes of the last period zero until its data is there: two of three.
    """
    for name, alarm in ALARMS.items():
        if "Metrics" not in alarm:
            continue
        (expression,) = [each["Expression"] for each in alarm["Metrics"] if "Expression" in each]
        bare = re.sub(r"FILL\((\w+|METRICS\(\)), 0\)", "", expression)
        assert not re.search(r"[a-z]|METRICS", bare), name
        assert "/" not in expression, name
        assert alarm["DatapointsToAlarm"] < alarm["EvaluationPeriods"], name


def test_no_alarm_on_one_metric_of_dynamodb_would_ring_for_ever():
    assert not [a for a in ALARMS.values() if a.get("Namespace") == ALWAYS_IGNORES_GAPS]


def test_silence_is_a_fault_of_the_sweep_only():
    loud = {name for name, each in ALARMS.items() if each["TreatMissingData"] != "notBreaching"}
    assert loud == {"SweepAlarm"}


def test_every_function_that_can_fail_unseen_has_an_alarm():
    watched = {
        dict(look.dimensions)["FunctionName"].partition("EnvBase}")[2].lstrip("-") or "api_handler"
        for alarm in ALARMS.values()
        for look in looks_of(alarm)
        if look.metric == "Errors"
    }
    assert watched == set(FUNCTIONS)


def test_an_alarm_tells_somebody_when_it_begins_and_when_it_ends_and_stands_on_the_dashboard():
    for alarm in ALARMS.values():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "AlarmTopic"}]
        assert f":alarm:{alarm['AlarmName']['Fn::Sub']}" in TEXT


def test_a_late_wake_up_is_later_than_one_that_was_sent_ahead():
    assert ALARMS["WakesAgeAlarm"]["Threshold"] > SQS_DELAY_SECONDS


def test_the_table_of_our_own_metrics_is_what_is_measured(tmp_path):
    """Of every metric that a run comes by, which fails and is tried again."""
    world, measured = World(tmp_path), []
    world.ports = world.ports._replace(measure=measured.extend)
    world.submit(a_demand(options={"retry_policy": "STAGE", "max_attempts": 2}))
    world.batch.failing = {"execute"}
    for _ in range(12):
        world.deliver("e1")
        world.pass_time()
        engine.sweep(world.ports)
    seen = {(each.metric, frozenset({"service", *dict(each.dimensions)})) for each in measured}
    by_name = {name: known.dimensions for (_, name), known in OURS.items()}
    assert {Metric.RUNS, Metric.STAGE_SECONDS, Metric.RETRIES} <= {metric for metric, _ in seen}
    assert all({names} == by_name[metric] for metric, names in seen)
