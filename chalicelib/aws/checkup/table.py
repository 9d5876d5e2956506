"""Whether the table has its indexes, forgets what expires, and can be brought back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from chalicelib.aws import run_indexes, work_items
from chalicelib.aws.checkup.deployment import Deployment, or_none
from chalicelib.core.findings import Finding, fault, fine, judged, warning

GLOBAL: Final = (
    run_indexes.BY_GROUP,
    run_indexes.BY_STATE,
    run_indexes.BY_DAY,
    run_indexes.BY_CHECK_TIME,
)
LOCAL: Final = (work_items.BY_STATE, work_items.BY_TURN, work_items.BY_CHECK)
EXPIRY: Final = "expires_at"


def check_table(deployment: Deployment) -> Iterator[Finding]:
    """Look for the table and each of its indexes."""
    found = _table(deployment)
    if found is None:
        yield fault("table", f"there is no table {deployment.table}", deployment.deploy)
        return
    status = found["TableStatus"]
    yield judged(
        "table", status == "ACTIVE", f"{deployment.table} is there", f"it is {status}", "wait"
    )
    for kind, wanted in (("GlobalSecondaryIndexes", GLOBAL), ("LocalSecondaryIndexes", LOCAL)):
        there = {
            each["IndexName"]: [key["AttributeName"] for key in each["KeySchema"]]
            for each in found.get(kind, [])
        }
        for index in wanted:
            is_fine = there.get(index.name) == [index.partition, index.sort]
            yield judged(
                f"index {index.name}",
                is_fine,
                "it is there",
                "it is missing, or has other keys: what it lists is not found",
                deployment.deploy
                if kind.startswith("Global")
                else "a table gets it only when it is made: make a new one, copy the items",
            )


def check_table_safety(deployment: Deployment) -> Iterator[Finding]:
    """Look at expiry, point-in-time recovery and protection from deletion."""
    dynamodb, asked = deployment.clients.get("dynamodb"), {"TableName": deployment.table}
    table = _table(deployment)
    if table is None:
        return
    ttl = dynamodb.describe_time_to_live(**asked)["TimeToLiveDescription"]
    yield judged(
        "expiry",
        ttl.get("AttributeName") == EXPIRY and ttl["TimeToLiveStatus"] in {"ENABLED", "ENABLING"},
        f"items go when {EXPIRY} says so",
        "nothing ever expires: counters and answers pile up",
        deployment.deploy,
    )
    backups = dynamodb.describe_continuous_backups(**asked)["ContinuousBackupsDescription"]
    recovery = backups.get("PointInTimeRecoveryDescription", {})
    yield judged(
        "recovery",
        recovery.get("PointInTimeRecoveryStatus") == "ENABLED",
        "the table can be brought back to any second of the last days",
        "point-in-time recovery is off: a mistake cannot be taken back",
        deployment.deploy,
    )
    if table.get("DeletionProtectionEnabled"):
        yield fine("protection", "the table cannot be deleted by mistake")
    else:
        yield warning("protection", "the table can be deleted by mistake", deployment.deploy)


def _table(deployment: Deployment) -> dict[str, Any] | None:
    client, name = deployment.clients.get("dynamodb"), deployment.table
    found = or_none(lambda: client.describe_table(TableName=name))
    return found and dict(found["Table"])
