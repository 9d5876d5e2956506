"""The functions' log groups, where no template makes them, and where they stand in its way.

A function that may make its log group makes it anew when a last line comes late: after everything
is deleted, and without an end of its days. The next stack would then fail, for the group is there.
So no function that we deploy makes its own; only `chalice deploy` by hand leaves it to them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import ClientError

from infra import policies
from infra.grants import FUNCTIONS
from infra.stacks import StackFailed

DAYS: Final = 90
"""As ``merge.yaml`` has it."""
_MAKING: Final = "MakeOwnLog"
_THERE: Final = "ResourceAlreadyExistsException"
_GONE: Final = "ResourceNotFoundException"


def names(name: str) -> list[str]:
    """Return the groups of a deployment."""
    ends = ("" if function == "api_handler" else f"-{function}" for function in FUNCTIONS)
    return [f"/aws/lambda/{name}{end}" for end in ends]


def take_from_functions(project: Path) -> None:
    """Take the right to make them out of the project's policies."""
    for path in (project / ".chalice").glob("policy-*.json"):
        policy = json.loads(path.read_text(encoding="utf-8"))
        kept = [each for each in policy["Statement"] if each["Sid"] != _MAKING]
        path.write_text(policies.text({**policy, "Statement": kept}))


def make(logs: Any, name: str) -> None:
    """Make those that are not there; all of them expire."""
    for group in names(name):
        _unless(_THERE, partial(logs.create_log_group, logGroupName=group))
        logs.put_retention_policy(logGroupName=group, retentionInDays=DAYS)


def remove(logs: Any, name: str) -> None:
    """Delete those that are there."""
    for group in names(name):
        _unless(_GONE, partial(logs.delete_log_group, logGroupName=group))


def check(logs: Any, name: str) -> None:
    """Raise StackFailed if one is there that the stack is about to make."""
    pages = logs.get_paginator("describe_log_groups").paginate(
        logGroupNamePrefix=f"/aws/lambda/{name}"
    )
    there = {each["logGroupName"] for page in pages for each in page["logGroups"]}
    for group in names(name):
        if group in there:
            raise StackFailed(
                f"log group {group} is there, and no stack's: functions made it that are gone,"
                " or that Chalice deployed (then `make destroy` first):"
                f" aws logs delete-log-group --log-group-name {group}"
            )


def _unless(code: str, call: Callable[[], Any]) -> None:
    try:
        call()
    except ClientError as exc:
        if exc.response["Error"]["Code"] != code:
            raise
