"""API Gateway's part, in this process: from a method and a path to the application's answer.

Both the HTTP server and the embedded command line come in here, so that there is one code path
for each. Chalice's own local gateway does the work; what API Gateway would refuse in its own
words (an unknown path is "Missing Authentication Token" there) is a problem document here.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from chalice.config import Config
from chalice.local import LocalGateway, LocalGatewayException, RouteMatcher

from chalicelib.core.errors import FalseworkError
from chalicelib.core.limits import LAMBDA_PAYLOAD_BYTES
from chalicelib.core.principals import Principal
from chalicelib.web.api import rest_app
from chalicelib.web.asked import trusting
from chalicelib.web.chalice_api import Api
from chalicelib.web.downloads import Download, open_door
from chalicelib.web.problems import from_error, problem


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes
    chunks: Iterable[bytes] | None = None
    """A file's, in the place of ``body``."""
    size_bytes: int | None = None
    """Of the chunks together, if somebody knows."""


class Gateway:
    """Hands requests to the application; several threads may share it."""

    def __init__(self, app: Api | None = None, trusted: Principal | None = None) -> None:
        """``trusted`` is who a caller without a token is; None: everybody needs one."""
        self._app = app or rest_app()
        self.trusted = trusted
        self._matcher = RouteMatcher(list(self._app.routes))
        self._gateway = LocalGateway(self._app, Config.create(app_name=self._app.app_name))

    def request(  # noqa: PLR0913 -- it is what a server knows of a request
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        *,
        source: str = "",
        is_streaming: bool = False,
    ) -> Answer:
        """Return the answer; ``target`` is a path with its query. Never raises on purpose.

        ``source`` is the sender's address, for audits. A file comes in chunks to who is streaming,
        and as a body to others: 413 for a large one.
        """
        allowed = self._methods(target)
        if allowed is None:
            return problem_answer(404, f"There is nothing at {target.partition('?')[0]:.200}")
        if method == "HEAD" and "HEAD" not in allowed:
            method = "GET"  # whoever sends the answer leaves its body out
        if method not in allowed:
            return problem_answer(
                405, f"{method} is not possible here", headers={"Allow": ", ".join(allowed)}
            )
        try:
            with open_door() as door, trusting(self.trusted, source):
                answer = _answer(self._gateway.handle_request(method, target, dict(headers), body))
            if door.left is None:
                return answer
            return _streamed(door.left) if is_streaming else _collected(door.left)
        except LocalGatewayException as exc:  # an authorizer's no
            return problem_answer(exc.CODE, "This is not yours to do")

    def _methods(self, target: str) -> list[str] | None:
        """Return what the path can be asked for; None if there is nothing."""
        if target.startswith("//"):  # a host for urlparse, and /runs behind it
            return None
        try:
            return sorted(self._app.routes[self._matcher.match_route(target).route])
        except ValueError:
            return None


def problem_answer(status: int, detail: str, headers: dict[str, str] | None = None) -> Answer:
    """Return a problem document as the answer to a request that never reached a route."""
    return _answer(problem(status, detail, headers=headers).to_dict())


def _streamed(download: Download) -> Answer:
    status, headers, size_bytes, chunks = download
    return Answer(status, headers, b"", chunks, size_bytes)


def _collected(download: Download) -> Answer:
    body = bytearray()
    try:
        for chunk in download.chunks:
            body += chunk
            if len(body) > LAMBDA_PAYLOAD_BYTES:
                return problem_answer(413, f"The file has more than {LAMBDA_PAYLOAD_BYTES} bytes.")
    except FalseworkError as exc:
        return _answer(from_error(exc).to_dict())
    return Answer(download.status, download.headers, bytes(body))


def _answer(response: dict[str, Any]) -> Answer:
    body = response["body"]
    if response.get("isBase64Encoded"):
        content = base64.b64decode(body)
    else:
        content = body if isinstance(body, bytes) else body.encode()
    repeated = {name: ", ".join(values) for name, values in response["multiValueHeaders"].items()}
    return Answer(response["statusCode"], {**response["headers"], **repeated}, content)
