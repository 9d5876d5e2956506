"""One REST request, over HTTP to a deployment or to the same application in this process.

Either way an answer that is not a success becomes a ``Complaint``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, NamedTuple
from urllib.parse import quote, unquote, urlencode

from chalicelib.cli.addresses import address_of
from chalicelib.cli.complaints import Complaint, Exit, complaint_of_problem
from chalicelib.cli.exchange import Line
from chalicelib.cli.places import open_home
from chalicelib.core.principals import LOCAL
from chalicelib.settings import Settings
from chalicelib.web.gateway import Answer, Gateway


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

    def answer(self, path: str) -> Answer:
        """Return the answer as it is: a file's bytes, a redirect, or that it is being made."""
        return self._send("GET", path, is_file=True)

    def delete(self, path: str, name: str, **query: object) -> None:
        """Delete what has that name below the path."""
        self._send("DELETE", _target(f"{path}/{quote(name, safe='')}", query))

    def _ask(self, method: str, target: str, body: bytes = b"") -> Reply:
        answer = self._send(method, target, body)
        try:
            document = json.loads(answer.body)
        except ValueError as exc:
            raise Complaint(
                "this is no Falsework: its answer is not JSON", code=Exit.ERROR
            ) from exc
        return Reply(document, {name.lower(): value for name, value in answer.headers.items()})

    def _send(
        self, method: str, target: str, body: bytes = b"", *, is_file: bool = False
    ) -> Answer:
        headers = {"Content-Type": "application/json"} if method == "POST" else {}
        answer = self._line.request(method, target, headers, body)
        is_link = is_file and answer.status == HTTPStatus.TEMPORARY_REDIRECT
        if not (200 <= answer.status < 300 or is_link):
            raise complaint_of_problem(answer.status, _problem(answer), _run_in(target))
        return answer


class _Own:
    """The application in this process; files come in pieces."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def request(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Answer:
        """Return the answer."""
        return self._gateway.request(method, target, headers, body, is_streaming=True)


def connect(settings: Settings) -> Connection:
    """Return the connection to the deployment, or to the embedded home of this process."""
    if settings.url:
        return Connection(address_of(settings.url, settings.token), is_remote=True)
    open_home(settings)
    return Connection(_Own(Gateway(trusted=LOCAL)), is_remote=False)


def run_path(run_id: str, rest: str = "") -> str:
    """Return the path of a run, or of something below it. Raises Complaint for no id at all,
    whose path would be that of all runs."""
    if not run_id:
        raise Complaint("a run's id is empty", field="RUN", value=run_id,
                        mend="give one that `falsework list` shows")  # fmt: skip
    return f"{_RUNS}{quote(run_id, safe='')}{rest}"


_RUNS: Final = "/runs/"


def _run_in(target: str) -> str | None:
    """Return the id of the run that a request is about, as the user wrote it."""
    name = target.removeprefix(_RUNS).partition("?")[0].partition("/")[0]
    return unquote(name) if target.startswith(_RUNS) else None


def _target(path: str, query: Mapping[str, object]) -> str:
    given = {name: value for name, value in query.items() if value is not None}
    return f"{path}?{urlencode(given, quote_via=quote)}" if given else path


def _problem(answer: Answer) -> dict[str, Any]:
    try:
        found = json.loads(answer.body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
