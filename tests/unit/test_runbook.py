"""The runbook has a page for every alarm, and its commands and metrics are real ones."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from chalicelib.aws.emf import NAMESPACE
from chalicelib.cli.command_line import parser
from chalicelib.core.measures import Metric
from infra import templates

CHECKOUT = Path(__file__).parents[2]
DOCS = CHECKOUT / "docs"
ALARMS = {
    name: each["Properties"]
    for name, each in templates.read()["Resources"].items()
    if each["Type"] == "AWS::CloudWatch::Alarm"
}
PAGES = [DOCS / name for name in ("runbook.md", "observing.md", "scale.md")]


def headings() -> set[str]:
    return set(re.findall(r"^## (.+)$", (DOCS / "runbook.md").read_text(), re.MULTILINE))


@pytest.mark.parametrize("alarm", ALARMS.values(), ids=ALARMS)
def test_every_alarm_has_its_page(alarm):
    name = str(alarm["AlarmName"])
    known = re.search(r"\$\{Prefix\}-\$\{EnvBase\}-([a-z-]+)", name)
    assert known, name
    assert known.group(1) in headings()


def test_alarms_on_our_own_metrics_name_some_that_there_are():
    ours = {
        (alarm["MetricName"], tuple(each["Name"] for each in alarm["Dimensions"]))
        for alarm in ALARMS.values()
        if alarm.get("Namespace") == NAMESPACE
    }
    watched = (Metric.RUNS_PAST_DEADLINE, Metric.SWEEP_TROUBLES, Metric.SWEEP_LAG_SECONDS)
    assert ours == {(metric.value, ("service",)) for metric in watched}


def test_the_dimension_service_is_what_the_alarms_expect():
    stages = json.loads((CHECKOUT / ".chalice" / "config.json").read_text())["stages"]
    for stage in stages.values():
        told = stage["environment_variables"]
        assert told["FALSEWORK_PREFIX"] == told["POWERTOOLS_SERVICE_NAME"]
        assert told["POWERTOOLS_METRICS_NAMESPACE"] == NAMESPACE


def test_every_metric_is_described():
    text = (DOCS / "observing.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    assert sorted(rows) == sorted(Metric)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_commands_of_ours_in_the_docs_are_verbs_and_flags_that_there_are(page):
    text = page.read_text()
    found = re.findall(r"falsework ([a-z]+)((?: --[a-z-]+| [A-Z]+| \$U)*)", text)
    verbs = parser()._subparsers._group_actions[0].choices
    for verb, rest in found:
        assert verb in verbs, verb
        known = {flag for action in verbs[verb]._actions for flag in action.option_strings}
        assert set(re.findall(r"--[a-z-]+", rest)) <= known, (verb, rest)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_to_other_pages_lead_somewhere(page):
    for target in re.findall(r"\]\(([a-z-]+\.md)", page.read_text()):
        assert (DOCS / target).is_file(), target
