"""CloudFormation stacks: made or changed, waited for, told apart from what is the same already.

A call that is repeated does no harm: a stack that is as it should be is left alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from botocore.exceptions import ClientError, WaiterError

from infra.failures import Failed

CAPABILITIES: Final = ("CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND")
"""Roles have names of their own, and Chalice's template is SAM's, a macro."""
_WAIT: Final = {"Delay": 5, "MaxAttempts": 360}
"""Half an hour: compute environments and file systems take minutes."""
_FAILED: Final = "FAILED"
_STILLBORN: Final = frozenset(
    {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "REVIEW_IN_PROGRESS", "IMPORT_ROLLBACK_COMPLETE"}
)
"""Stacks that never were, and cannot become anything but deleted."""
_STUCK: Final[Mapping[str, str]] = {
    "DELETE_FAILED": "was deleted by halves: `make destroy` ends that",
    "UPDATE_ROLLBACK_FAILED": "could not go back: mend what its events name, then"
    " `aws cloudformation continue-update-rollback --stack-name {}`",
    "UPDATE_FAILED": "stopped half way: `aws cloudformation rollback-stack --stack-name {}`",
    "_IN_PROGRESS": "is being changed by somebody: wait, `aws cloudformation"
    " describe-stack-events --stack-name {}` shows what happens",
}
"""How a status ends in which a stack takes no change → why, and what to do."""


class StackFailed(Failed):
    """A stack did not become what it should, and the reasons that CloudFormation gives."""


def apply(
    cloudformation: Any,
    name: str,
    template: Mapping[str, str],
    parameters: Mapping[str, str],
    *,
    says: Mapping[str, Any] | None = None,
) -> dict[str, str]:
    """Make or change the stack and return its outputs. ``template``: its TemplateBody or URL.

    ``says``: what the template says, where nothing need be done for a stack that is so already.
    Parameters that are not named keep what they had; none is secret. A creation that fails takes
    back what it has made, also what would be retained. Raises StackFailed.
    """
    known = _describe(cloudformation, name) if is_there(cloudformation, name) else None
    if known and says is not None and _is_so(cloudformation, known, says, parameters):
        return outputs(cloudformation, name)
    told = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    kept = [
        {"ParameterKey": each["ParameterKey"], "ParameterValue": each["ParameterValue"]}
        for each in (known or {}).get("Parameters", [])
        if each["ParameterKey"] not in parameters
        and each["ParameterKey"] in _declared(cloudformation, template)
    ]
    asked = {
        "StackName": name,
        **template,
        "Parameters": [*told, *kept],
        "Capabilities": list(CAPABILITIES),
        "Tags": [{"Key": "falsework", "Value": name}],
        "RetainExceptOnCreate": True,
    }
    if known:
        _update(cloudformation, asked)
    else:
        cloudformation.create_stack(**asked, OnFailure="ROLLBACK")
        _wait(cloudformation, "stack_create_complete", name)
    return outputs(cloudformation, name)


def outputs(cloudformation: Any, name: str) -> dict[str, str]:
    """Return what the stack gives out. Raises StackFailed where there is none."""
    known = _describe(cloudformation, name)
    if known is None:
        raise StackFailed(f"there is no stack {name!r} here: `make deploy` makes it")
    return {each["OutputKey"]: each["OutputValue"] for each in known.get("Outputs", [])}


def parameters(cloudformation: Any, name: str) -> dict[str, str]:
    """Return what the stack was told; nothing where there is none."""
    known = _describe(cloudformation, name) or {}
    told = known.get("Parameters", [])
    return {each["ParameterKey"]: each["ParameterValue"] for each in told}


def has(cloudformation: Any, name: str) -> bool:
    """Return whether there is such a stack."""
    return _describe(cloudformation, name) is not None


def is_there(cloudformation: Any, name: str) -> bool:
    """Return whether there is such a stack; one that was never made is removed first.

    Raises StackFailed for one that takes no change now.
    """
    known = _describe(cloudformation, name)
    if known is None:
        return False
    status = known["StackStatus"]
    if status in _STILLBORN:
        remove(cloudformation, name)
        return False
    for end, why in _STUCK.items():
        if status.endswith(end):
            raise StackFailed(f"stack {name!r} is {status}, it {why.format(name)}")
    return True


def take_in(
    cloudformation: Any,
    name: str,
    template: Mapping[str, Any],
    parameters: Mapping[str, str],
    found: Sequence[Mapping[str, Any]],
) -> None:
    """Make the stack of resources that there are, each with the identifier that AWS asks for.

    Nothing is made and nothing is changed; ``template`` has these resources only. Raises
    StackFailed.
    """
    told = {"StackName": name, "ChangeSetName": "take-in"}
    cloudformation.create_change_set(
        **told,
        ChangeSetType="IMPORT",
        TemplateBody=json.dumps(template, separators=(",", ":")),
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
        ResourcesToImport=list(found),
        Capabilities=list(CAPABILITIES),
    )
    _wait(cloudformation, "change_set_create_complete", name, ChangeSetName="take-in")
    cloudformation.execute_change_set(**told)
    _wait(cloudformation, "stack_import_complete", name)


def remove(cloudformation: Any, name: str) -> None:
    """Delete the stack; what it retains stays. Raises StackFailed."""
    cloudformation.delete_stack(StackName=name)
    _wait(cloudformation, "stack_delete_complete", name)


def _is_so(
    cloudformation: Any,
    known: Mapping[str, Any],
    says: Mapping[str, Any],
    parameters: Mapping[str, str],
) -> bool:
    """Tell whether the stack was made of just that: then CloudFormation need not look at it."""
    now = {each["ParameterKey"]: each["ParameterValue"] for each in known.get("Parameters", [])}
    is_well = known["StackStatus"] in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
    if not is_well or not parameters.items() <= now.items():
        return False
    there = cloudformation.get_template(StackName=known["StackName"])["TemplateBody"]
    try:
        made_of = json.loads(there) if isinstance(there, str) else there
    except ValueError:  # YAML, by hand: ours is JSON
        return False
    return bool(made_of == says)


def _declared(cloudformation: Any, template: Mapping[str, str]) -> set[str]:
    told = cloudformation.get_template_summary(**template)
    return {each["ParameterKey"] for each in told.get("Parameters", [])}


def _update(cloudformation: Any, asked: dict[str, Any]) -> None:
    try:
        cloudformation.update_stack(**asked)
    except ClientError as exc:
        if "No updates are to be performed" in str(exc):
            return
        raise StackFailed(f"stack {asked['StackName']!r} is not changed: {exc}") from exc
    _wait(cloudformation, "stack_update_complete", asked["StackName"])


def _describe(cloudformation: Any, name: str) -> dict[str, Any] | None:
    try:
        (found,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as exc:
        if "does not exist" not in str(exc):
            raise
        return None
    return dict(found)


def _wait(cloudformation: Any, until: str, name: str, **more: str) -> None:
    try:
        cloudformation.get_waiter(until).wait(StackName=name, WaiterConfig=_WAIT, **more)
    except WaiterError as exc:
        raise StackFailed(f"stack {name!r}: {exc}\n{_reasons(cloudformation, name)}") from exc


def _reasons(cloudformation: Any, name: str) -> str:
    try:
        events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    except ClientError:
        return ""
    return "\n".join(
        f"  {each['LogicalResourceId']}: {each.get('ResourceStatusReason', '')}"
        for each in reversed(events)
        if _FAILED in each.get("ResourceStatus", "")
    )
