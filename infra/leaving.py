"""Functions leave the network before it goes.

Lambda holds network interfaces in the subnets for some time after the last function has left
(Lambda guide, VPC), and while they are there neither subnets nor security group can be deleted:
CloudFormation would give up and leave them behind. And functions whose way out went first would
reach nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

from infra import mounts, stacks
from infra.account import Aws
from infra.outputs import Place
from infra.stacks import StackFailed

LOOKS: Final = 180
PAUSE_SECONDS: Final = 15
"""Together three quarters of an hour."""


def outside(
    aws: Aws, stage: str, parameters: Mapping[str, str]
) -> tuple[Place, Mapping[str, str]] | None:
    """Return the place as functions see it that have left, and the outputs of before.

    None where no function has to leave.
    """
    name = f"falsework-{stage}-foundation"
    if parameters.get("FunctionMounts") != "false" or not stacks.has(aws.cloudformation, name):
        return None
    outputs = stacks.outputs(aws.cloudformation, name)
    if not mounts.access_point(outputs):
        return None
    return Place(stage, mounts.without(outputs)), outputs


def wait(
    aws: Aws, outputs: Mapping[str, str], sleep: Callable[[float], object] = time.sleep
) -> None:
    """Wait until nothing of the functions is in the network. Raises StackFailed."""
    group = mounts.security_group(outputs)
    if not group:
        return
    ec2 = aws.client("ec2")
    asked = [{"Name": "group-id", "Values": [group]}]
    for _ in range(LOOKS):
        if not ec2.describe_network_interfaces(Filters=asked)["NetworkInterfaces"]:
            return
        sleep(PAUSE_SECONDS)
    raise StackFailed(
        f"Lambda still holds network interfaces of the security group {group}, which the functions"
        " have left: the same command again in an hour"
    )
