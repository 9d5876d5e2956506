"""One REST request, over HTTP to a deployment or to the same application in this process.

Either way an answer that is not a success becomes a ``Complaint``. Redirects are not followed:
the token must not travel to where we were not sent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from email.message import Message
from http.client import HTTPException
from typing import Any, NamedTuple, NoReturn, Protocol
from urllib.error import HTTPError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import (
    HTTPRedirectHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    build_opener,
)

from chalicelib import bootstrap
from chalicelib.cli.complaints import Complaint, Exit, complaint_of_problem
from chalicelib.cli.places import open_home
from chalicelib.core.errors import Misconfigured
from chalicelib.core.principals import LOCAL
from chalicelib.settings import Settings
from chalicelib.web.gateway import Answer, Gateway
from chalicelib.web.guards import is_loopback

_SECONDS = 60.0

Sign = Callable[[str, str, Mapping[str, str], bytes], dict[str, str]]
"""Method, URL, headers and body → the headers with the signature."""


class Line(Protocol):
    """Something that carries a request to the REST application."""

    def request(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Answer:
        """Return the answer, whatever its status."""
        ...


class Reply(NamedTuple):
    """A successful answer's JSON, and its headers in lower case."""

    document: Any
    headers: dict[str, str]


class Connection:
    """Asks the REST application, and complains about every answer that is not a success."""

    def __init__(self, line: Line, *, is_remote: bool) -> None:
        self._line = line
        self.is_remote = is_remote

    def get(self, path: str, **query: object) -> Any:
        """Return the JSON document at ``path``."""
        return self._ask("GET", _target(path, query)).document

    def text(self, path: str, **query: object) -> str:
        """Return the text at ``path``."""
        return self._send("GET", _target(path, query)).body.decode(errors="replace")

    def post(self, path: str, body: bytes = b"") -> Reply:
        """Post a JSON text."""
        return self._ask("POST", path, body)

    def _ask(self, method: str, target: str, body: bytes = b"") -> Reply:
        answer = self._send(method, target, body)
        try:
            document = json.loads(answer.body)
        except ValueError as exc:
            raise Complaint(
                "this is no Falsework: its answer is not JSON", code=Exit.ERROR
            ) from exc
        return Reply(document, {name.lower(): value for name, value in answer.headers.items()})

    def _send(self, method: str, target: str, body: bytes = b"") -> Answer:
        headers = {"Content-Type": "application/json"} if method == "POST" else {}
        answer = self._line.request(method, target, headers, body)
        if not 200 <= answer.status < 300:
            raise complaint_of_problem(answer.status, _problem(answer))
        return answer


def connect(settings: Settings) -> Connection:
    """Return the connection to the deployment, or to the embedded home of this process."""
    if settings.url:
        return Connection(_Http(settings.url, settings.token), is_remote=True)
    open_home(settings)
    return Connection(Gateway(trusted=LOCAL), is_remote=False)


def run_path(run_id: str, rest: str = "") -> str:
    """Return the path of a run, or of something below it."""
    return f"/runs/{quote(run_id, safe='')}{rest}"


def _signature_of(url: str) -> Sign | None:
    """An API behind AWS_IAM takes signed requests; which URLs those are is known by the host."""
    try:
        signer = bootstrap.signer(url)
    except Misconfigured as exc:
        raise Complaint(
            str(exc), field="url", value=url, mend="give credentials, or FALSEWORK_TOKEN"
        ) from exc
    return signer.sign if signer else None


class _Http:
    """A deployment's address."""

    def __init__(self, url: str, token: str) -> None:
        is_here = is_loopback(_host_of(url))
        if token and url.startswith("http:") and not is_here:
            raise Complaint("the token would travel in clear text", field="url", value=url,
                            mend="use https")  # fmt: skip
        if not re.fullmatch(r"[!-~]*", token):
            raise Complaint("the token holds blanks or letters that no token has",
                            field="FALSEWORK_TOKEN", mend="copy it once more")  # fmt: skip
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._sign = None if token else _signature_of(url)
        self._opener = _opener(is_here=is_here)

    def request(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Answer:
        address, sent = self._url + target, {**headers, **self._headers}
        request = Request(  # noqa: S310  (the scheme was checked)
            address,
            data=body if method == "POST" else None,
            headers=self._sign(method, address, sent, body) if self._sign else sent,
            method=method,
        )
        try:
            with self._opener.open(request, timeout=_SECONDS) as answer:
                return Answer(answer.status, dict(answer.headers), answer.read())
        except HTTPError as exc:
            with exc:
                return Answer(exc.code, dict(exc.headers), exc.read())
        except (OSError, HTTPException) as exc:  # URLError is an OSError
            self._give_up(exc)

    def _give_up(self, error: Exception) -> NoReturn:
        reason = getattr(error, "reason", error)
        raise Complaint(
            f"{self._url} does not answer: {reason}",
            mend="check --url or FALSEWORK_URL, or start it with `falsework serve`",
            code=Exit.ERROR,
        ) from error


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


def _target(path: str, query: Mapping[str, object]) -> str:
    given = {name: value for name, value in query.items() if value is not None}
    return f"{path}?{urlencode(given, quote_via=quote)}" if given else path


def _problem(answer: Answer) -> dict[str, Any]:
    try:
        found = json.loads(answer.body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
