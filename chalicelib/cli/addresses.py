"""A deployment's address, and what is shown there to be let in.

Redirects are not followed: a token must not travel to where we were not sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from email.message import Message
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from typing import Any, Final, NoReturn
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import (
    HTTPRedirectHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    build_opener,
)

from chalicelib import bootstrap
from chalicelib.atomic_files import COPY_BYTES
from chalicelib.cli.complaints import Complaint, Exit
from chalicelib.cli.exchange import Bearer, Exchange, Line
from chalicelib.core.errors import Misconfigured
from chalicelib.web.gateway import Answer
from chalicelib.web.guards import is_loopback

_SECONDS: Final = 60.0


def address_of(url: str, token: str) -> Line:
    """Return the way to the deployment. Raises Complaint where there can be none.

    An API of API Gateway, which is known by its host's name, takes a signature for a token.
    """
    is_here = is_loopback(_host_of(url))
    takes_signatures = bootstrap.takes_signatures(url)
    if (token or takes_signatures) and url.startswith("http:") and not is_here:
        raise Complaint("the token would travel in clear text", field="url", value=url,
                        mend="use https")  # fmt: skip
    if not re.fullmatch(r"[!-~]*", token):
        raise Complaint("the token holds blanks or letters that no token has",
                        field="FALSEWORK_TOKEN", mend="copy it once more")  # fmt: skip
    line = _Http(url.rstrip("/"), is_here=is_here)
    return Exchange(line, _Signature(line.url), token) if takes_signatures else Bearer(line, token)


class _Signature:
    """Signs requests to the deployment; credentials are looked for when they are needed."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __call__(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> dict[str, str]:
        try:
            signer = bootstrap.signer(self._url)
            return signer.sign(method, self._url + target, headers, body)
        except Misconfigured as exc:
            raise Complaint(
                str(exc), field="url", value=self._url, mend="give credentials, or FALSEWORK_TOKEN"
            ) from exc


class _Http:
    """Requests over HTTP; nothing is shown but what they hold."""

    def __init__(self, url: str, *, is_here: bool) -> None:
        self.url = url
        self._opener = _opener(is_here=is_here)

    def request(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Answer:
        request = Request(  # noqa: S310  (the scheme was checked)
            self.url + target,
            data=body if method == "POST" else None,
            headers=dict(headers),
            method=method,
        )
        try:
            return _answer_of(self._opener.open(request, timeout=_SECONDS))
        except HTTPError as exc:
            with exc:
                return Answer(exc.code, dict(exc.headers), exc.read())
        except (OSError, HTTPException) as exc:  # URLError is an OSError
            self._give_up(exc)

    def _give_up(self, error: Exception) -> NoReturn:
        reason = getattr(error, "reason", error)
        raise Complaint(
            f"{self.url} does not answer: {reason}",
            mend="check --url or FALSEWORK_URL, or start it with `falsework serve`",
            code=Exit.ERROR,
        ) from error


def fetched(link: str) -> Answer:
    """Return what is behind a link that opens it by itself; nothing is shown there."""
    host = _host_of(link)
    if link.startswith("http:") and not is_loopback(host):
        raise Complaint("the link would send the archive in clear text", mend="ask the operator")
    parts = urlsplit(link)
    line = _Http(f"{parts.scheme}://{parts.netloc}", is_here=is_loopback(host))
    answer = line.request("GET", link.removeprefix(line.url), {})
    if answer.status != HTTPStatus.OK:
        raise Complaint(
            f"{host} does not hand it out: HTTP status {answer.status}",
            mend="ask again; links are good for some minutes",
            code=Exit.ERROR,
        )
    return answer


def _answer_of(answer: HTTPResponse) -> Answer:
    """Return the answer; of a file its bytes come as they are asked for."""
    headers = dict(answer.headers)
    if "Content-Disposition" not in answer.headers:
        with answer:
            return Answer(answer.status, headers, answer.read())
    length = answer.headers.get("Content-Length")
    size_bytes = None if length is None else int(length)
    return Answer(answer.status, headers, b"", _pieces(answer), size_bytes)


def _pieces(answer: HTTPResponse) -> Iterator[bytes]:
    """Raises OSError where it breaks off."""
    with answer:
        try:
            while piece := answer.read(COPY_BYTES):
                yield piece
        except HTTPException as exc:
            raise OSError(f"{type(exc).__name__}") from exc


def _host_of(url: str) -> str:
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in {"http", "https"} and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or not parts.hostname or not re.fullmatch(r"[!-~]+", url):
        raise Complaint(
            "the URL is none", field="url", value=url, mend="give http(s)://HOST[:PORT]"
        )
    return parts.hostname


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(  # noqa: PLR0913, PLR0917  (the library's)
        self, req: Request, fp: Any, code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        """Leave the redirect as the answer that it is."""


def _opener(*, is_here: bool) -> OpenerDirector:
    """A proxy of the environment is used, but not on the way to this very machine."""
    return build_opener(_NoRedirect(), *([ProxyHandler({})] if is_here else []))
