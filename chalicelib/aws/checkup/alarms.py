"""Whether the alarms are there, whether one rings, and whether somebody hears it.

An alarm that nobody hears is no alarm: e-mail counts once its receiver has consented.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from chalicelib.aws.checkup.deployment import Deployment, or_none
from chalicelib.core.findings import Finding, fault, fine, warning

ALARMS: Final = (
    "dead-letters",
    "notice-dead-letters",
    "event-failures",
    "sweep-not-running",
    "sweep-errors",
    "sweep-troubles",
    "sweep-lag",
    "submissions-wait",
    "wakes-wait",
    "runs-past-deadline",
    "table-throttling",
    "errors-api",
    "errors-on-submission",
    "errors-on-job-change",
    "errors-on-wake",
    "errors-on-object-created",
    "errors-on-notice",
    "errors-on-cleanup-time",
)
"""Their names without the deployment's, which are those of their pages in ``docs/runbook.md``."""
_PENDING: Final = ("PendingConfirmation", "Deleted")
"""In the place of a subscription's ARN (SNS API reference, ListSubscriptionsByTopic)."""


def check_alarms(deployment: Deployment) -> Iterator[Finding]:
    """Look at all of them, and at the topics that they tell."""
    found = _alarms(deployment)
    if missing := [each for each in ALARMS if each not in found]:
        yield fault("alarms", f"not there: {', '.join(missing)}", deployment.deploy)
    else:
        yield fine("alarms", f"all {len(ALARMS)} are there")
    for name, alarm in found.items():
        if alarm["StateValue"] == "ALARM":
            yield warning(f"alarm {name}", "it rings", f"see docs/runbook.md, {name}")
        if not alarm.get("ActionsEnabled", True):
            mend = f"aws cloudwatch enable-alarm-actions --alarm-names {alarm['AlarmName']}"
            yield fault(f"alarm {name}", "it tells nobody: its actions are switched off", mend)
        elif not alarm.get("AlarmActions"):
            yield fault(f"alarm {name}", "it tells nobody: it has no action", deployment.deploy)
    topics = {arn for alarm in found.values() for arn in alarm.get("AlarmActions", ())}
    for topic in sorted(each for each in topics if ":sns:" in each):
        yield _heard(deployment, topic)


def _alarms(deployment: Deployment) -> dict[str, dict[str, Any]]:
    prefix = f"{deployment.name}-"
    pages = deployment.clients.get("cloudwatch").get_paginator("describe_alarms")
    found = [
        each for page in pages.paginate(AlarmNamePrefix=prefix) for each in page["MetricAlarms"]
    ]
    named = {each["AlarmName"].removeprefix(prefix): each for each in found}
    return {name: named[name] for name in ALARMS if name in named}


def _heard(deployment: Deployment, topic: str) -> Finding:
    name = topic.rpartition(":")[2]
    about = f"topic {name}"
    sns = deployment.clients.get("sns")
    told = or_none(lambda: _subscriptions(sns, topic))
    if told is None:
        return fault(about, "it is not there, so alarms tell nobody", deployment.deploy)
    heard = [each for each in told if each["SubscriptionArn"] not in _PENDING]
    if heard:
        return fine(about, f"{len(heard)} receive what it is told")
    if told:
        addresses = ", ".join(sorted(each["Endpoint"] for each in told))
        mend = f"{addresses}: follow the link in AWS's e-mail; make deploy sends another"
        return fault(about, "nobody hears it: its receivers have not consented yet", mend)
    mend = f'{deployment.deploy} PARAMETERS="AlarmAddress=you@example.org"'
    return fault(about, "nobody hears it: it has no receiver", mend)


def _subscriptions(sns: Any, topic: str) -> list[dict[str, Any]]:
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
    return [each for page in pages for each in page["Subscriptions"]]
