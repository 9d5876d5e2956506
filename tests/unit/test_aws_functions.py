"""Lambda functions that are called, at the end of the wire."""

from __future__ import annotations

import base64
import json

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from chalicelib.aws.functions import ANSWER_SECONDS, BatchDefinitions, LambdaFunctions
from chalicelib.aws.functions import invoking_client as made
from chalicelib.core.errors import NotFound, Refused, StepFailed, TurnedAway, Unavailable
from chalicelib.core.limits import API_GATEWAY_SECONDS
from chalicelib.core.states.responses import error_of
from tests.unit.aws_wire import Wire, _Raw

URL = {"endpoint_url": "https://lambda"}


@pytest.fixture(autouse=True)
def credentials(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")


def functions(wire):
    return LambdaFunctions(wire.put_on(made("us-east-1")))


class Raising:
    """A function that raises: Lambda says so in a header, and how in the body."""

    def __init__(self, body):
        self.body = body

    def put_on(self, client):
        client.meta.events.register_first("before-send", self._answer)
        return client

    def _answer(self, event_name, request, **_):
        headers = {"X-Amz-Function-Error": "Unhandled"}
        return AWSResponse(request.url, 200, headers, _Raw(self.body))


def test_the_answer_comes_back_as_it_was_and_the_token_goes_along():
    wire, contexts = Wire(Invoke={"a": [1]}), []
    client = wire.put_on(made("us-east-1"))
    client.meta.events.register_first(
        "before-send", lambda request, **_: contexts.append(request.headers)
    )
    assert json.loads(LambdaFunctions(client).invoke("f", b'{"q": 1}', "tok")) == {"a": [1]}
    assert wire.sent("Invoke") == [{"q": 1}]
    told = json.loads(base64.b64decode(contexts[0]["X-Amz-Client-Context"]))
    assert told == {"custom": {"falsework_token": "tok"}}
    assert contexts[0]["X-Amz-Invocation-Type"] in (b"RequestResponse", "RequestResponse")


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        (b'{"errorMessage": "no n", "errorType": "ValueError"}', "ValueError", "no n"),
        (b'{"errorMessage": "Task timed out"}', "Error", "Task timed out"),
        (b"plain", "Error", "plain"),
        (b"[1]", "Error", "[1]"),
    ],
)
def test_a_function_that_raises_is_told_by_its_error(body, error, message):
    with pytest.raises(StepFailed) as failed:
        functions(Raising(body)).invoke("f", b"{}", "t")
    assert failed.value.cause == "function"
    assert error_of(str(failed.value)) == error
    assert str(failed.value).endswith(message)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((404, "ResourceNotFoundException"), NotFound),
        ((403, "AccessDeniedException"), Refused),
        ((400, "InvalidRequestContentException"), Refused),
        ((429, "TooManyRequestsException"), TurnedAway),
        ((500, "ServiceException"), Unavailable),
        ((502, "EC2UnexpectedException"), Unavailable),
        (ConnectTimeoutError(**URL), Unavailable),
        (ReadTimeoutError(**URL), Unavailable),
    ],
)
def test_what_lambda_says_has_its_meaning_and_is_asked_once(answer, error):
    wire = Wire(Invoke=answer)
    with pytest.raises(error, match="f"):
        functions(wire).invoke("f", b"{}", "t")
    assert len(wire.sent("Invoke")) == 1


def test_an_answer_is_waited_for_as_long_as_a_route_may_take():
    assert ANSWER_SECONDS < API_GATEWAY_SECONDS
    config = made("us-east-1").meta.config
    assert config.read_timeout == ANSWER_SECONDS
    assert config.retries["total_max_attempts"] == 1


def test_a_definition_is_taken_back_by_its_arn():
    wire = Wire(DeregisterJobDefinition=[{}, (404, "ClientException"), (500, "ServerException")])
    definitions = BatchDefinitions(wire.put_on(boto3.client("batch", region_name="us-east-1")))
    definitions.deregister("arn:x:1")
    assert wire.sent("DeregisterJobDefinition") == [{"jobDefinition": "arn:x:1"}]
    with pytest.raises(Refused, match="arn:x:1"):
        definitions.deregister("arn:x:1")
