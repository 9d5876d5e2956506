"""The table as ``infra/foundation.yaml`` describes it, in the form that CreateTable takes."""

from __future__ import annotations

import uuid
from typing import Any

from infra import templates

_AT_CREATION = {
    "AttributeDefinitions",
    "KeySchema",
    "GlobalSecondaryIndexes",
    "LocalSecondaryIndexes",
    "BillingMode",
}


def table_properties() -> dict[str, Any]:
    """Return the table's properties."""
    return templates.read()["Resources"]["Table"]["Properties"]


def create_table(dynamodb: Any) -> str:
    """Create the table under a name of its own; return the name."""
    name = f"falsework-{uuid.uuid4().hex}"
    asked = {key: value for key, value in table_properties().items() if key in _AT_CREATION}
    dynamodb.create_table(TableName=name, **asked)
    while dynamodb.describe_table(TableName=name)["Table"]["TableStatus"] != "ACTIVE":
        pass
    return name
