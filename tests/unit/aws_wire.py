"""AWS at the end of the wire: real clients, whose requests are answered from a list.

What botocore does itself (its retries, its checks, its reading of errors) is thus really done.
"""

from __future__ import annotations

import io
import json
from collections import defaultdict
from typing import Any

from botocore.awsrequest import AWSResponse

Answer = dict[str, Any] | tuple[int, str] | Exception
"""A result; (HTTP status, error code); or what happens to the connection."""


class Wire:
    """Answers the clients that it is put on. The last answer of a list is given again and again.

    ``requests`` holds what was sent: (operation, JSON body).
    """

    def __init__(self, **answers: Answer | list[Answer]) -> None:
        self._answers = {
            operation: each if isinstance(each, list) else [each]
            for operation, each in answers.items()
        }
        self._asked: dict[str, int] = defaultdict(int)
        self.requests: list[tuple[str, Any]] = []

    def put_on(self, client: Any) -> Any:
        """Take the place of the network behind ``client``, and return it."""
        client.meta.events.register_first("before-send", self._answer)
        return client

    def sent(self, operation: str) -> list[Any]:
        """Return the bodies of the requests of that operation."""
        return [body for name, body in self.requests if name == operation]

    def _answer(self, event_name: str, request: Any, **_: Any) -> AWSResponse:
        operation = event_name.rpartition(".")[2]
        body = request.body or b""
        self.requests.append((operation, json.loads(body) if body else None))
        answers = self._answers[operation]
        answer = answers[min(self._asked[operation], len(answers) - 1)]
        self._asked[operation] += 1
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, dict):
            return _response(request.url, 200, {}, answer)
        status, code = answer
        headers = {"x-amzn-ErrorType": code}
        return _response(request.url, status, headers, {"__type": code, "message": f"no: {code}"})


class _Raw(io.BytesIO):
    """What botocore reads a body from."""

    def stream(self, **_: Any) -> Any:
        yield self.read()


def _response(url: str, status: int, headers: dict[str, str], body: Any) -> AWSResponse:
    return AWSResponse(url, status, headers, _Raw(json.dumps(body).encode()))
