"""Whether the functions are there, and whether what should wake them does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from chalicelib.aws.checkup.deployment import Deployment, or_none
from chalicelib.core.findings import Finding, fault, fine, judged, warning

BY_QUEUE: Final = ("on_submission", "on_wake", "on_notice")
BY_RULE: Final = ("on_object_created", "on_job_change", "on_sweep", "on_cleanup_time")
FUNCTIONS: Final = ("", *BY_QUEUE, *BY_RULE)
REPORTS: Final = "FALSEWORK_REPORTS_BATCH_ITEM_FAILURES"
_MOUNT: Final = "EFS_MOUNT_POINT_PATH_"
_FLAG: Final = "ReportBatchItemFailures"


def check_functions(deployment: Deployment) -> Iterator[Finding]:
    """Look for each function, and at the table that it is told."""
    for handler in FUNCTIONS:
        name = deployment.function(handler)
        found = deployment.configuration(handler)
        about = f"function {name}"
        if found is None:
            yield fault(about, "it is not there", deployment.deploy)
            continue
        table = found.get("Environment", {}).get("Variables", {}).get("FALSEWORK_TABLE", "")
        yield judged(
            about,
            table == deployment.name,
            "it is there",
            f"it is told the table {table or 'none'}, not {deployment.name}",
            deployment.deploy,
        )


def check_mappings(deployment: Deployment) -> Iterator[Finding]:
    """Look at what brings queues' messages to their functions."""
    for handler in BY_QUEUE:
        mappings = _mappings(deployment, handler)
        about = f"mapping of {handler}"
        if len(mappings) != 1:
            yield fault(about, f"there are {len(mappings)}, not one", deployment.deploy)
            continue
        yield from _mapping(deployment, about, mappings[0], deployment.told(handler))


def _mappings(deployment: Deployment, handler: str) -> list[dict[str, Any]]:
    client, name = deployment.clients.get("lambda"), deployment.function(handler)
    found = or_none(lambda: client.list_event_source_mappings(FunctionName=name))
    return list((found or {}).get("EventSourceMappings", []))


def _mapping(
    deployment: Deployment, about: str, mapping: dict[str, Any], told: dict[str, str]
) -> Iterator[Finding]:
    state = mapping.get("State", "")
    yield judged(
        about,
        state in {"Enabled", "Enabling", "Creating", "Updating"},
        f"it is {state}",
        f"it is {state or 'off'}: messages stay in their queue",
        f"aws lambda update-event-source-mapping --enabled --uuid {mapping['UUID']}",
    )
    has_flag = _FLAG in mapping.get("FunctionResponseTypes", [])
    reports = told.get(REPORTS, "false").lower() in {"true", "1"}
    if reports and not has_flag:
        yield fault(
            f"{about}: failures",
            f"the function names failed messages ({REPORTS}), and the mapping has no {_FLAG}:"
            " they are lost",
            deployment.deploy,
        )
    elif has_flag and not reports:
        yield warning(
            f"{about}: failures",
            f"the mapping has {_FLAG}, and the function does not use it: all of a batch comes"
            " again",
            f"set {REPORTS}=true: {deployment.deploy}",
        )
    else:
        yield fine(f"{about}: failures", "mapping and function agree")


def check_recursion(deployment: Deployment) -> Iterator[Finding]:
    """Look whether Lambda would stop wake-ups that lead to wake-ups (Lambda guide, recursion)."""
    name = deployment.function("on_wake")
    client = deployment.clients.get("lambda")
    told = or_none(lambda: client.get_function_recursion_config(FunctionName=name))
    if told is None:
        return  # the function itself is missed elsewhere
    yield judged(
        "wake-ups that follow each other",
        told.get("RecursiveLoop") == "Allow",
        "they are allowed",
        f"Lambda stops {name} after some sixteen, and runs wait for the sweep",
        f"aws lambda put-function-recursion-config --function-name {name} --recursive-loop Allow",
    )


def check_mounts(deployment: Deployment) -> Iterator[Finding]:
    """Look whether functions that are told of a mount have one."""
    for handler in FUNCTIONS:
        found = deployment.configuration(handler) or {}
        told = found.get("Environment", {}).get("Variables", {})
        if not any(each.startswith(_MOUNT) for each in told):
            continue
        mounted = [each["LocalMountPath"] for each in found.get("FileSystemConfigs", [])]
        yield judged(
            f"mount of {deployment.function(handler)}",
            bool(mounted),
            f"it is at {', '.join(mounted)}",
            f"it is told of one ({_MOUNT}…) and has none: what it writes there fails",
            deployment.deploy,
        )


def check_rules(deployment: Deployment) -> Iterator[Finding]:
    """Look for an enabled rule behind each function that events and schedules wake."""
    events = deployment.clients.get("events")
    for handler in BY_RULE:
        function = deployment.configuration(handler)
        about = f"rule of {handler}"
        if function is None:
            continue
        asked = {"TargetArn": function["FunctionArn"]}
        names = events.list_rule_names_by_target(**asked)["RuleNames"]
        states = {name: events.describe_rule(Name=name)["State"] for name in names}
        on = [name for name, state in states.items() if state == "ENABLED"]
        if on:
            yield fine(about, f"{on[0]} is enabled")
        elif states:
            name = next(iter(states))
            mend = f"aws events enable-rule --name {name}"
            yield fault(about, f"{name} is switched off", mend)
        else:
            yield fault(about, "no rule has it as its target", deployment.deploy)
