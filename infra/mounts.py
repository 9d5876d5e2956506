"""The file system in functions: what it changes in what is deployed, where a foundation says so.

::

    foundation, FunctionMounts=true ─▶ subnets, security group (outputs)
        ─▶ .chalice/config.json   subnet_ids, security_group_ids, variables   (Chalice knows these)
        ─▶ policies               network interfaces, the mount
        ─▶ FileSystemConfigs      merge.yaml, or ``tuning`` after `chalice deploy`

Lambda takes one access point for a function, below ``/mnt/`` (Lambda API reference,
FileSystemConfig), and only in a VPC. It is ``scratch``, where demands work by default. Not one of
the whole file system: EFS makes a folder when its own access point is first mounted, and in the
root, which is root's, the worker's user could not. What lies elsewhere, in a group's folders, is
left to a job. Functions that drive no runs stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from infra.grants import FUNCTIONS, TELLING

FOLDER: Final = "/mnt/efs"
_POINT: Final = "FunctionAccessPointArn"
_SUBNETS: Final = "FunctionSubnetIds"
_GROUP: Final = "FunctionSecurityGroupId"
MOUNTING: Final = tuple(name for name, grants in FUNCTIONS.items() if grants is not TELLING)

Outputs = Mapping[str, str]


def access_point(outputs: Outputs) -> str:
    """Return the ARN of what functions mount; empty where they mount nothing."""
    return outputs.get(_POINT, "")


def security_group(outputs: Outputs) -> str:
    """Return the group that the functions are in; empty where they are in no network."""
    return outputs.get(_GROUP, "")


def without(outputs: Outputs) -> dict[str, str]:
    """Return the outputs of a foundation whose functions mount nothing."""
    return {k: each for k, each in outputs.items() if k not in {_POINT, _SUBNETS, _GROUP}}


def configuration(outputs: Outputs) -> dict[str, Any]:
    """Return what Chalice is told of each function that mounts."""
    if not access_point(outputs):
        return {}
    return {
        "subnet_ids": outputs[_SUBNETS].split(","),
        "security_group_ids": [outputs[_GROUP]],
        "environment_variables": {
            "EFS_MOUNT_POINT_ID_1": access_point(outputs).rpartition("/")[2],
            "EFS_MOUNT_POINT_PATH_1": FOLDER,
            "FALSEWORK_WRITES_FILE_SYSTEMS": "true",
        },
    }


def statements(outputs: Outputs) -> list[dict[str, Any]]:
    """Return what each function that mounts may do besides."""
    point = access_point(outputs)
    if not point:
        return []
    _, partition, _, region, account, _ = point.split(":", 5)
    here = f"arn:{partition}:{{}}:{region}:{account}:"
    file_system = here.format("elasticfilesystem") + f"file-system/{outputs['FileSystem']}"
    return [
        # Lambda itself asks for these with the function's role, before its code runs; the code
        # may not (Lambda guide, VPC: with function code the key is there). DeleteNetworkInterface
        # has to be allowed for all ids, as nobody knows them (the same page).
        {
            "Sid": "JoinTheNetwork",
            "Effect": "Allow",
            "Action": [
                "ec2:CreateNetworkInterface",
                "ec2:DeleteNetworkInterface",
                "ec2:AssignPrivateIpAddresses",
                "ec2:UnassignPrivateIpAddresses",
            ],
            "Resource": [here.format("ec2") + "*/*"],
            "Condition": {"Null": {"lambda:SourceFunctionArn": "true"}},
        },
        # AWS knows no resources for these (service authorization reference).
        {
            "Sid": "SeeTheNetwork",
            "Effect": "Allow",
            "Action": ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"],
            "Resource": ["*"],
            "Condition": {"Null": {"lambda:SourceFunctionArn": "true"}},
        },
        {
            "Sid": "Mount",
            "Effect": "Allow",
            "Action": ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"],
            "Resource": [file_system],
            "Condition": {"StringEquals": {"elasticfilesystem:AccessPointArn": point}},
        },
    ]
