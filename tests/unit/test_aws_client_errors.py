"""Every kind of trouble with AWS, and what it becomes under each rule of refusal."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, NoCredentialsError, ParamValidationError

from chalicelib.aws.client_errors import is_denied, is_no, never, translated
from chalicelib.core.errors import NotFound, Refused, TurnedAway, Unavailable


def answered(status, code):
    told = {
        "Error": {"Code": code, "Message": "its words"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(told, "SomeCall")


YES, NO = Refused, Unavailable


@pytest.mark.parametrize(
    ("error", "denied", "no", "nothing"),
    [
        (answered(403, "AccessDenied"), YES, YES, NO),
        (answered(400, "AccessDeniedException"), YES, YES, NO),
        (answered(400, "ClientException"), NO, YES, NO),
        (answered(400, "ValidationException"), NO, YES, NO),
        (answered(429, "TooManyRequestsException"), NO, NO, NO),
        (answered(400, "ThrottlingException"), NO, NO, NO),
        (answered(400, "ProvisionedThroughputExceededException"), NO, NO, NO),
        (answered(400, "ExpiredTokenException"), NO, NO, NO),
        (answered(403, "SignatureDoesNotMatch"), NO, NO, NO),
        (answered(408, "RequestTimeout"), NO, NO, NO),
        (answered(409, "OperationAborted"), NO, NO, NO),
        (answered(500, "ServerException"), NO, NO, NO),
        (answered(503, "SlowDown"), NO, NO, NO),
        (ClientError({}, "SomeCall"), NO, NO, NO),
        (NoCredentialsError(), NO, NO, NO),
        (ParamValidationError(report="x"), YES, YES, YES),
    ],
    ids=lambda value: (
        value.response.get("Error", {}).get("Code", "no words")
        if isinstance(value, ClientError)
        else getattr(value, "__name__", type(value).__name__)
    ),
)
def test_what_becomes_of_an_error(error, denied, no, nothing):
    for rule, expected in ((None, denied), (is_denied, denied), (is_no, no), (never, nothing)):
        with pytest.raises(expected, match="the thing: ") as caught, translated("the thing", rule):
            raise error
        assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    ("status", "code", "is_certain"),
    [
        (429, "TooManyRequestsException", True),
        (400, "ExpiredTokenException", True),
        (500, "ServerException", False),
        (408, "RequestTimeout", False),
    ],
)
def test_only_what_was_not_looked_at_certainly_had_no_effect(status, code, is_certain):
    with pytest.raises(Unavailable) as caught, translated("the thing", is_no):
        raise answered(status, code)
    assert isinstance(caught.value, TurnedAway) is is_certain


def test_our_own_errors_pass():
    with pytest.raises(NotFound, match="mine"), translated("the thing"):
        raise NotFound("mine")
