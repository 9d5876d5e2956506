"""The file system in functions: there where the foundation says so, and nowhere else."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

from chalicelib.core.site import Mount
from chalicelib.settings import load
from infra import mounts, policies
from infra.grants import FUNCTIONS
from infra.outputs import VARIABLES, Place
from infra.templates import read
from tests.deploy.conftest import MERGE
from tests.deploy.running import in_project, of_lambda
from tests.deploy.test_package import lint
from tests.flow.worlds import World

WHOLE = read()
RESOURCES = WHOLE["Resources"]
POINT = "arn:aws:elasticfilesystem:eu-west-1:111122223333:access-point/fsap-0123456789abcdef0"
OFF = {
    **dict.fromkeys(VARIABLES.values(), "x"),
    "TableArn": "arn:aws:dynamodb:eu-west-1:111122223333:table/falsework-dev",
    "DataBucket": "data",
    "FileSystem": "fs-0123456789abcdef0",
    "EventFailureQueueArn": "arn:aws:sqs:eu-west-1:111122223333:falsework-dev-event-failures",
}
ON = {
    **OFF,
    "FunctionAccessPointArn": POINT,
    "FunctionSubnetIds": "subnet-0000000a,subnet-0000000b",
    "FunctionSecurityGroupId": "sg-0000000c",
}
DRIVING = set(FUNCTIONS) - {"on_notice"}


def values(told: dict[str, str]) -> dict[str, bool]:
    """Return which of the template's conditions hold."""
    known = {name: about["Default"] for name, about in WHOLE["Parameters"].items()} | told

    def holds(condition: Any) -> bool:
        match condition:
            case {"Fn::Equals": [{"Ref": name} | {"Fn::Join": ["", {"Ref": name}]}, wanted]}:
                return bool(known[name] == wanted)
            case {"Fn::Not": [each]}:
                return not holds(each)
            case {"Fn::And": several}:
                return all(map(holds, several))
            case {"Condition": name}:
                return holds(WHOLE["Conditions"][name])
        raise AssertionError(condition)

    return {name: holds(each) for name, each in WHOLE["Conditions"].items()}


def made(**told: str) -> set[str]:
    """Return the resources that these parameters make."""
    held = values(told)
    return {name for name, each in RESOURCES.items() if held.get(each.get("Condition"), True)}


NETWORK = {
    "NatAddress", "NatGateway", "PrivateRouteTable", "PrivateRoute", "PrivateSubnet1",
    "PrivateSubnet1Routes", "PrivateSubnet2", "PrivateSubnet2Routes",
}  # fmt: skip
OURS = {"FunctionSecurityGroup"}


@pytest.mark.parametrize(
    ("told", "more"),
    [
        ({}, NETWORK | OURS | {"FunctionsReachFiles"}),
        ({"VpcId": "vpc-1"}, OURS | {"FunctionsReachFiles"}),
        ({"FileSystemId": "fs-1"}, NETWORK | OURS),
    ],
    ids=["all is made", "a VPC is named", "a file system is named"],
)
def test_only_where_functions_mount_there_is_what_that_needs(told, more):
    assert made(**told, FunctionMounts="true") - made(**told) == more
    assert made(**told) <= made(**told, FunctionMounts="true")


def test_a_function_reaches_aws_through_a_gateway_in_a_subnet_that_reaches_the_internet():
    routes = {name: RESOURCES[name]["Properties"] for name in NETWORK | {"Subnet1", "Subnet2"}}
    assert routes["NatGateway"]["SubnetId"] == {"Ref": "Subnet1"}
    assert routes["PrivateRoute"]["NatGatewayId"] == {"Ref": "NatGateway"}
    for number in "12":
        association = routes[f"PrivateSubnet{number}Routes"]
        assert association["RouteTableId"] == {"Ref": "PrivateRouteTable"}
        assert "MapPublicIpOnLaunch" not in routes[f"PrivateSubnet{number}"]
        zones = (
            routes[f"{kind}{number}"]["AvailabilityZone"] for kind in ("Subnet", "PrivateSubnet")
        )
        assert len({json.dumps(zone) for zone in zones}) == 1  # mount targets are there
    subnets = [
        each["Properties"] for each in RESOURCES.values() if each["Type"] == "AWS::EC2::Subnet"
    ]
    assert len({each["CidrBlock"] for each in subnets}) == len(subnets) == 4


def test_the_file_system_lets_the_functions_in():
    rule = RESOURCES["FunctionsReachFiles"]["Properties"]
    assert rule["GroupId"] == {"Fn::GetAtt": ["FileSystemSecurityGroup", "GroupId"]}
    assert rule["SourceSecurityGroupId"] == {"Fn::GetAtt": ["FunctionSecurityGroup", "GroupId"]}
    assert (rule["FromPort"], rule["ToPort"]) == (2049, 2049)


def test_the_functions_see_what_demands_work_in_by_default():
    output = WHOLE["Outputs"]["FunctionAccessPointArn"]
    assert output["Value"]["Fn::Sub"].endswith(":access-point/${ScratchAccessPoint}")
    assert output["Condition"] == "MountsInFunctions"


def without_inputs() -> dict[str, Any]:
    return {
        "execution_type": "t",
        "execution_id": "e1",
        "execution_image": "python:3.11",
        "execution_parameters": {"command": ["true"]},
        "execution_platform": {"aws_batch": {"job_queue_name": "default"}},
    }


@pytest.mark.parametrize(
    ("mounted", "action"), [(True, "write-file"), (False, "job")], ids=["scratch", "another one"]
)
def test_a_file_is_written_by_a_call_only_where_it_is_mounted(tmp_path, mounted, action):
    world = World(tmp_path)
    scratch = world.ports.facilities.file_systems().file_systems[0].file_system_id
    mount = Mount(id=scratch if mounted else "fs-0badbadbadbadbad0", path="/mnt/efs")
    world.ports = world.ports._replace(mounts=(mount,))
    world.submit(without_inputs())
    plan = world.runs.load("e1").plan
    assert plan.stage("stage-in").action.action == action


def test_what_the_functions_are_told_is_what_the_settings_read():
    told = mounts.configuration(ON)["environment_variables"]
    settings = load(environ=told)
    (mount,) = settings.mounts
    assert (mount.id, mount.path) == (POINT.rpartition("/")[2], mounts.FOLDER)
    assert settings.site.writes_file_systems
    assert mounts.FOLDER.startswith("/mnt/")


def test_where_nothing_is_mounted_nothing_is_changed():
    assert mounts.configuration(OFF) == {}
    assert mounts.statements(OFF) == []
    for name in FUNCTIONS:
        policy = policies.policy(name, "dev")
        allowed = Place("dev", OFF).pin(policy, name)["Statement"]
        assert [each["Sid"] for each in allowed] == [each["Sid"] for each in policy["Statement"]]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_that_mounts_may_join_the_network_and_mount_that_point_only(function):
    told = Place("dev", ON).pin(policies.policy(function, "dev"), function)
    by_sid = {each["Sid"]: each for each in told["Statement"]}
    assert ({"JoinTheNetwork", "SeeTheNetwork", "Mount"} <= by_sid.keys()) == (function in DRIVING)
    assert len(json.dumps(told, separators=(",", ":"))) < 10_240
    if function not in DRIVING:
        return
    assert by_sid["Mount"]["Resource"] == [
        f"arn:aws:elasticfilesystem:eu-west-1:111122223333:file-system/{ON['FileSystem']}"
    ]
    assert by_sid["Mount"]["Condition"] == {
        "StringEquals": {"elasticfilesystem:AccessPointArn": POINT}
    }
    assert by_sid["JoinTheNetwork"]["Resource"] == ["arn:aws:ec2:eu-west-1:111122223333:*/*"]
    for sid in ("JoinTheNetwork", "SeeTheNetwork"):  # Lambda may, the function's code may not
        assert by_sid[sid]["Condition"] == {"Null": {"lambda:SourceFunctionArn": "true"}}


@pytest.fixture(scope="module")
def mounted(built, lambda_python, tmp_path_factory):
    """The build of a place that mounts: configured anew, with what is already in ``vendor/``."""
    project = tmp_path_factory.mktemp("mounted") / "dev"
    shutil.copytree(built, project, ignore=shutil.ignore_patterns("deployments"))
    code = (
        "import json, sys; from pathlib import Path; from infra import build;"
        " from infra.outputs import Place;"
        " build._configure('dev', Path('.chalice'), Path(sys.argv[1]) / '.chalice',"
        " Place('dev', json.loads(sys.argv[2])))"
    )
    done = of_lambda(lambda_python, "-c", code, str(project), json.dumps(ON))
    assert done.returncode == 0, done.stderr
    return project


@pytest.fixture(scope="module")
def packaged_with_mounts(mounted, lambda_python, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    words = ("package", "--stage", "dev", "--merge-template", str(MERGE), str(out))
    done = in_project(lambda_python, mounted, *words)
    assert done.returncode == 0, done.stderr
    return out / "sam.yaml"


def functions_of(template):
    return {
        each["Properties"]["Handler"].removeprefix("app."): each["Properties"]
        for each in read(template)["Resources"].values()
        if each["Type"] == "AWS::Serverless::Function"
    }


def test_the_packaged_functions_that_drive_runs_are_in_the_network_and_mount(packaged_with_mounts):
    functions = functions_of(packaged_with_mounts)
    mounting = {name for name, each in functions.items() if "FileSystemConfigs" in each}
    assert mounting == {"app" if each == "api_handler" else each for each in DRIVING}
    for name in mounting:
        condition, (config,), nothing = functions[name]["FileSystemConfigs"]["Fn::If"]
        assert (condition, nothing) == ("Mounts", {"Ref": "AWS::NoValue"})
        assert config == {"Arn": {"Ref": "AccessPointArn"}, "LocalMountPath": mounts.FOLDER}
        network = functions[name]["VpcConfig"]
        assert network["SubnetIds"] == ["subnet-0000000a", "subnet-0000000b"]
        assert network["SecurityGroupIds"] == ["sg-0000000c"]
        told = functions[name]["Environment"]["Variables"]
        assert POINT.endswith(told["EFS_MOUNT_POINT_ID_1"])
        assert told["FALSEWORK_TABLE"] == "x"  # what is the stage's own stays
    assert "VpcConfig" not in functions["on_notice"]


def test_without_mounts_no_packaged_function_is_in_a_network(packaged):
    for name, each in functions_of(packaged / "sam.yaml").items():
        assert "VpcConfig" not in each, name
        assert "EFS_MOUNT_POINT_ID_1" not in each["Environment"]["Variables"]


def test_the_packaged_template_with_mounts_passes_cfn_lint_without_a_warning(packaged_with_mounts):
    done = lint(packaged_with_mounts)
    assert (done.returncode, done.stdout) == (0, "")
