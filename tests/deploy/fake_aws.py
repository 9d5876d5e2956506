"""Fakes of the clients that deploying asks, where moto does not know what is asked."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError


class FakeCloudFormation:
    """Takes every stack for made at once, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.stack: dict[str, Any] | None = None
        self.outputs = {"EndpointURL": "https://api/"}
        self.template: dict[str, Any] | str = {}
        self.error: str | None = None

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803  (boto3's)
        if self.stack is None:
            told = {"Code": "ValidationError", "Message": f"Stack {StackName} does not exist"}
            raise ClientError({"Error": told}, "DescribeStacks")
        return {"Stacks": [self.stack]}

    def get_template_summary(self, **_: Any) -> dict[str, Any]:
        return {"Parameters": [{"ParameterKey": "Name"}, {"ParameterKey": "Kept"}]}

    def create_stack(self, **asked: Any) -> None:
        self.asked.append(("create", asked))
        self.stack = {
            "StackName": asked["StackName"],
            "StackStatus": "CREATE_COMPLETE",
            "Parameters": [
                *asked["Parameters"],
                {"ParameterKey": "Kept", "ParameterValue": "1"},
                {"ParameterKey": "Old", "ParameterValue": "1"},
            ],
            "Outputs": [
                {"OutputKey": key, "OutputValue": value} for key, value in self.outputs.items()
            ],
        }

    def get_template(self, StackName: str) -> dict[str, Any]:  # noqa: N803
        return {"TemplateBody": self.template}

    def delete_stack(self, StackName: str) -> None:  # noqa: N803
        self.asked.append(("delete", {"StackName": StackName}))
        self.stack = None

    def create_change_set(self, **asked: Any) -> None:
        self.asked.append(("import", asked))

    def execute_change_set(self, **asked: Any) -> None:
        told = {"StackName": asked["StackName"], "StackStatus": "IMPORT_COMPLETE"}
        self.stack = {**told, "Parameters": []}

    def update_stack(self, **asked: Any) -> None:
        if self.error:
            told = {"Code": "ValidationError", "Message": self.error}
            raise ClientError({"Error": told}, "UpdateStack")
        self.asked.append(("update", asked))
        outputs = [{"OutputKey": key, "OutputValue": each} for key, each in self.outputs.items()]
        self.stack = {**(self.stack or {}), "Outputs": outputs}

    def get_waiter(self, _: str) -> Any:
        class Waiter:
            def wait(self, **_: Any) -> None:
                return

        return Waiter()


class FakeS3:
    """Keeps what is put."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put_object(self, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803
        self.objects[f"{Bucket}/{Key}"] = Body


class FakeLogs:
    """An account without log groups."""

    def get_paginator(self, _: str) -> Any:
        return SimpleNamespace(paginate=lambda **_: [{"logGroups": []}])
