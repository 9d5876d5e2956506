"""How a token is come by where none was given: AWS credentials are exchanged for one.

``POST /tokens`` of a deployment on AWS takes a signed request and answers a token that is good
for an hour. It is kept in memory only; when the deployment does not take it any more, it is
exchanged for a new one, once for each request.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final, Protocol

from chalicelib.web.gateway import Answer

Sign = Callable[[str, str, Mapping[str, str], bytes], dict[str, str]]
"""Method, URL, headers and body → the headers with the signature."""
_TOKENS: Final = ("POST", "/tokens")
_JSON: Final = {"Content-Type": "application/json"}


class Line(Protocol):
    """Something that carries a request to the REST application."""

    def request(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Answer:
        """Return the answer, whatever its status."""
        ...


class Bearer:
    """Shows the token that was given; none if it is empty."""

    def __init__(self, line: Line, token: str) -> None:
        self._line = line
        self._shown = {"Authorization": f"Bearer {token}"} if token else {}

    def request(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Answer:
        """Return the answer."""
        return self._line.request(method, target, {**headers, **self._shown}, body)


class Exchange:
    """Shows a token; where none was given, one that was exchanged for a signature.

    ``sign`` is given the target in the place of the URL. ``POST /tokens`` itself is signed
    whether there is a token or not: API Gateway lets nothing else in there.
    """

    def __init__(self, line: Line, sign: Sign, token: str = "") -> None:
        self._line = line
        self._sign = sign
        self._given = token
        self._exchanged = ""

    def request(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Answer:
        """Return the answer; that of the exchange, where it fails."""
        if (method, target) == _TOKENS:
            return self._signed(headers, body)
        if self._given:
            return Bearer(self._line, self._given).request(method, target, headers, body)
        was_kept = bool(self._exchanged)
        refused = None if was_kept else self._renew()
        answer = refused or self._shown(method, target, headers, body)
        if answer.status == HTTPStatus.UNAUTHORIZED and was_kept:
            return self._renew() or self._shown(method, target, headers, body)
        return answer

    def _shown(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        return Bearer(self._line, self._exchanged).request(method, target, headers, body)

    def _renew(self) -> Answer | None:
        """Get a new token; return the answer of who gives none."""
        answer = self._signed(_JSON, b"{}")
        if answer.status != HTTPStatus.CREATED:
            return answer
        self._exchanged = str(json.loads(answer.body)["token"])
        return None

    def _signed(self, headers: Mapping[str, str], body: bytes) -> Answer:
        method, target = _TOKENS
        return self._line.request(method, target, self._sign(method, target, headers, body), body)
