"""The table as ``infra/foundation.yaml`` describes it, in the form that CreateTable takes."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import yaml

TEMPLATE = Path(__file__).parents[2] / "infra" / "foundation.yaml"
_AT_CREATION = {
    "AttributeDefinitions",
    "KeySchema",
    "GlobalSecondaryIndexes",
    "LocalSecondaryIndexes",
    "BillingMode",
}


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms: ``!Ref x`` is ``{"Ref": "x"}``."""


def _short_form(loader: _Loader, tag: str, node: yaml.Node) -> dict[str, Any]:
    name = tag if tag in {"Ref", "Condition"} else f"Fn::{tag}"
    match node:
        case yaml.ScalarNode():
            value: Any = loader.construct_scalar(node)
            return {name: value.split(".", 1) if tag == "GetAtt" else value}
        case yaml.SequenceNode():
            return {name: loader.construct_sequence(node, deep=True)}
        case _:
            return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _short_form)


def template() -> dict[str, Any]:
    """Return the whole template."""
    return yaml.load(TEMPLATE.read_text(encoding="utf-8"), _Loader)


def table_properties() -> dict[str, Any]:
    """Return the table's properties."""
    return template()["Resources"]["Table"]["Properties"]


def create_table(dynamodb: Any) -> str:
    """Create the table under a name of its own; return the name."""
    name = f"falsework-{uuid.uuid4().hex}"
    asked = {key: value for key, value in table_properties().items() if key in _AT_CREATION}
    dynamodb.create_table(TableName=name, **asked)
    while dynamodb.describe_table(TableName=name)["Table"]["TableStatus"] != "ACTIVE":
        pass
    return name
