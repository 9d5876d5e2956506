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
from chalicelib.core.errors import NotFound, StepFailed
from chalicelib.core.limits import API_GATEWAY_SECONDS
from chalicelib.core.states import responses

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

    def deregister(self, arn: str) -> None:
        """Take the revision back. Raises Refused."""
        with translated(f"job definition {arn}", is_no):
            self._batch.deregister_job_definition(jobDefinition=arn)


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
