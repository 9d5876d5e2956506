"""Mounts and networks once the functions are there: given by ``tuning``, given up in order."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra import leaving, mounts, tuning
from infra.account import Aws
from infra.grants import FUNCTIONS
from infra.outputs import Place
from infra.stacks import StackFailed
from tests.deploy.fake_aws import FakeCloudFormation
from tests.deploy.test_mounts import OFF, ON, POINT


class FakeLambda:
    """Functions and their mounts; refuses a change while the last one is not done."""

    def __init__(self, there: dict[str, list[dict[str, str]]]) -> None:
        self.mounted = there
        self._busy: set[str] = set()

    def get_function_configuration(self, FunctionName: str) -> dict[str, Any]:  # noqa: N803
        if FunctionName not in self.mounted:
            told = {"Error": {"Code": "ResourceNotFoundException"}}
            raise ClientError(told, "GetFunctionConfiguration")
        return {"FileSystemConfigs": self.mounted[FunctionName]}

    def update_function_configuration(
        self,
        FunctionName: str,  # noqa: N803
        FileSystemConfigs: list[dict[str, str]],  # noqa: N803
    ) -> None:
        if FunctionName in self._busy:
            raise ClientError({"Error": {"Code": "ResourceConflictException"}}, "Update")
        self._busy.add(FunctionName)
        self.mounted[FunctionName] = FileSystemConfigs

    def get_waiter(self, _: str) -> Any:
        fake = self

        class Waiter:
            def wait(self, FunctionName: str) -> None:  # noqa: N803
                fake._busy.discard(FunctionName)

        return Waiter()

    def put_function_recursion_config(self, **_: Any) -> None:
        """Take it."""

    def put_function_event_invoke_config(self, **_: Any) -> None:
        """Take it."""


NAMES = {"falsework-dev" if n == "api_handler" else f"falsework-dev-{n}" for n in FUNCTIONS}


def test_after_chalice_has_deployed_the_functions_are_given_their_mounts():
    fake = FakeLambda({name: [] for name in NAMES})
    for _ in range(2):
        tuning.prepare(fake, Place("dev", ON))
        tuning.tune(fake, Place("dev", ON))
    mount = [{"Arn": POINT, "LocalMountPath": mounts.FOLDER}]
    assert {name for name, told in fake.mounted.items() if told == mount} == NAMES - {
        "falsework-dev-on_notice"
    }


def test_a_mount_that_is_given_up_goes_before_chalice_takes_the_network_away():
    mount = [{"Arn": POINT, "LocalMountPath": mounts.FOLDER}]
    fake = FakeLambda({"falsework-dev-on_sweep": mount, "falsework-dev": []})
    tuning.prepare(fake, Place("dev", OFF))
    assert fake.mounted == {"falsework-dev-on_sweep": [], "falsework-dev": []}
    tuning.tune(fake, Place("dev", OFF))
    assert not any(fake.mounted.values())


class FakeNetwork:
    """EC2, where interfaces go one by one, each time that somebody looks."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.asked: list[Any] = []

    def describe_network_interfaces(self, Filters: Any) -> dict[str, Any]:  # noqa: N803
        self.asked.append(Filters)
        self._count -= 1
        return {"NetworkInterfaces": [{}] * max(0, self._count)}


def an_account(outputs: dict[str, str], interfaces: int = 0) -> tuple[Aws, FakeNetwork]:
    fake, network = FakeCloudFormation(), FakeNetwork(interfaces)
    told = [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()]
    fake.stack = {"StackName": "s", "StackStatus": "UPDATE_COMPLETE", "Outputs": told}
    return Aws(fake, None, None, None, lambda _: network), network


@pytest.mark.parametrize(
    ("outputs", "told", "leave"),
    [
        (ON, {"FunctionMounts": "false"}, True),
        (ON, {"FunctionMounts": "true"}, False),
        (ON, {}, False),
        (OFF, {"FunctionMounts": "false"}, False),
    ],
    ids=["switched off", "still on", "as before", "was off"],
)
def test_functions_leave_a_network_before_it_goes(outputs, told, leave):
    aws, _ = an_account(outputs)
    found = leaving.outside(aws, "dev", told)
    assert (found is not None) == leave
    if found:
        place, before = found
        assert mounts.configuration(place.outputs) == {}
        assert before == ON


def test_it_is_waited_until_lambda_has_given_the_interfaces_back():
    aws, network = an_account(ON, interfaces=4)
    pauses: list[float] = []
    leaving.wait(aws, ON, pauses.append)
    assert len(pauses) == 3
    assert network.asked[0] == [{"Name": "group-id", "Values": ["sg-0000000c"]}]
    leaving.wait(aws, OFF, pauses.append)
    assert len(pauses) == 3


def test_interfaces_that_stay_are_told_instead_of_leaving_half_a_network():
    aws, _ = an_account(ON, interfaces=10_000)
    with pytest.raises(StackFailed, match=r"sg-0000000c.*again in an hour"):
        leaving.wait(aws, ON, lambda _: None)
