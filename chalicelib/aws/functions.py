"""AWS Lambda functions that runs call, and job definitions that are taken back.

A call is sent once: a second one of botocore's own accord would let the function work twice, and
nobody would know. How often it is made at all is the plan's business.
"""

from __future__ import annotations

import base64
import json
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from chalicelib.aws.client_errors import code_of, is_no, translated
from chalicelib.core.errors import NotFound, Refused, StepFailed
from chalicelib.core.limits import API_GATEWAY_SECONDS
from chalicelib.core.plans.plan import JobDefinition
from chalicelib.core.states import responses
from chalicelib.function_ports import Defined

ANSWER_SECONDS: Final = API_GATEWAY_SECONDS - 5
"""How long an answer is waited for. The first call is made while whoever submitted the run waits
for his own answer, which API Gateway cuts off."""


def invoking_client(region: str | None = None) -> Any:
    """Return a Lambda client that sends each request once."""
    config = Config(
        retries={"total_max_attempts": 1}, connect_timeout=3, read_timeout=ANSWER_SECONDS
    )
    return boto3.client("lambda", region_name=region, config=config)


class LambdaFunctions:
    """The Functions of the AWS home. ``client`` is from ``invoking_client``."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def invoke(self, name: str, payload: bytes, token: str) -> bytes:
        """Call the function; it finds the token in its context (client_context.custom)."""
        context = json.dumps({"custom": {"falsework_token": token}}).encode()
        with translated(f"function {name}", is_no):
            try:
                answer = self._client.invoke(
                    FunctionName=name,
                    InvocationType="RequestResponse",
                    ClientContext=base64.b64encode(context).decode(),
                    Payload=payload,
                )
            except ClientError as exc:
                if code_of(exc) != "ResourceNotFoundException":
                    raise
                raise NotFound(f"there is no function {name}") from exc
            content: bytes = answer["Payload"].read()
        if answer.get("FunctionError"):
            raise _raised(name, content)
        return content


class BatchDefinitions:
    """The JobDefinitions of the AWS home."""

    def __init__(self, batch: Any) -> None:
        self._batch = batch

    def describe(self, name: str) -> Defined:
        """Return the definition. Raises NotFound, Refused."""
        is_exact = name.startswith("arn:") or ":" in name
        asked = {"jobDefinitions": [name]} if is_exact else {"jobDefinitionName": name}
        with translated(f"job definition {name}", is_no):
            pages = self._batch.get_paginator("describe_job_definitions").paginate(
                status="ACTIVE", **asked
            )
            found = [each for page in pages for each in page["jobDefinitions"]]
        active = [each for each in found if each.get("status", "ACTIVE") == "ACTIVE"]
        if not active:
            raise NotFound(f"there is no active job definition {name!r:.200}")
        return _defined(max(active, key=lambda each: int(each["revision"])))

    def deregister(self, arn: str) -> None:
        """Take the revision back. Raises Refused."""
        with translated(f"job definition {arn}", is_no):
            self._batch.deregister_job_definition(jobDefinition=arn)


def _defined(told: dict[str, Any]) -> Defined:
    container = told.get("containerProperties")
    if not container:
        raise Refused(
            f"job definition {told['jobDefinitionArn']} is not one of a single container on ECS"
        )
    return Defined(
        told["jobDefinitionArn"],
        JobDefinition(
            name=told["jobDefinitionName"],
            image=container.get("image", ""),
            mount_points=tuple(container.get("mountPoints", ())),
            volumes=tuple(container.get("volumes", ())),
            job_role_arn=container.get("jobRoleArn"),
            privileged=container.get("privileged", False) or _has_devices(container),
            resource_requirements=_requirements(container),
            secrets={each["name"]: each["valueFrom"] for each in container.get("secrets", ())},
        ),
    )


def _has_devices(container: dict[str, Any]) -> bool:
    """Who has a device of the machine, its disk or its memory, has the machine."""
    return bool((container.get("linuxParameters") or {}).get("devices"))


def _requirements(container: dict[str, Any]) -> tuple[dict[str, str], ...]:
    """Old definitions have fields of their own for two of them."""
    old = {"VCPU": container.get("vcpus"), "MEMORY": container.get("memory")}
    told = [{"type": kind, "value": str(value)} for kind, value in old.items() if value]
    return (*told, *container.get("resourceRequirements", ()))


def _raised(name: str, content: bytes) -> StepFailed:
    """Lambda tells it as ``{"errorMessage", "errorType", "stackTrace"}``; a runtime may not."""
    try:
        told = json.loads(content)
    except ValueError:
        told = {"errorMessage": content[:200].decode(errors="replace")}
    told = told if isinstance(told, dict) else {"errorMessage": str(told)}
    return responses.raised(
        name, str(told.get("errorType") or ""), str(told.get("errorMessage") or "")
    )
