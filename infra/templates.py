"""CloudFormation templates as values: read with their short forms, written short enough to send.

CloudFormation takes 51,200 bytes in a request (AWS CloudFormation user guide, quotas), more only
from a bucket, which the first stack has yet to make. So what watches over it comes second.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

FOUNDATION: Final = Path(__file__).with_name("foundation.yaml")
TEMPLATE_BYTES: Final = 51_200
_WATCHING: Final = "AWS::CloudWatch::"
"""Types of what nothing else refers to, and what is as long as all the rest."""


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # yaml brings no types
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


@cache  # half a second, and tests ask for it a thousand times
def read(path: Path = FOUNDATION) -> dict[str, Any]:
    """Return the whole template, in long forms."""
    told: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506
    return told


def first(path: Path = FOUNDATION) -> dict[str, Any]:
    """Return the template without alarms and dashboard: what there has to be before them."""
    whole = read(path)
    kept = {
        name: each
        for name, each in whole["Resources"].items()
        if not each["Type"].startswith(_WATCHING)
    }
    return {**whole, "Resources": kept}


def body(template: Mapping[str, Any]) -> str:
    """Return the template as it is sent."""
    return json.dumps(template, separators=(",", ":"))
