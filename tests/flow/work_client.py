"""The calls of CHIME/FRB's ``workflow`` client, as ``requests`` calls with its own headers.

Written from specs: work, sections 1 to 6. It knows nothing of ``chalicelib``.
"""

from __future__ import annotations

import json
import time
from email.utils import formatdate
from typing import Any, Self

import requests

TOKEN = {"x-access-token": "not-a-token"}


def headers() -> dict[str, str]:
    """What the client sends with every request, GET and DELETE without a body included."""
    return {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "workflow-client",
        "Accept": "*/*",
        "Date": formatdate(usegmt=True),
        "X-Workflow-Core-Version": "1.12.3",
        "X-Workflow-Client-Python-Version": "3.11.7",
        "X-Workflow-Client-Arch": "x86_64",
        "X-Workflow-Client-OS": "Linux",
        "X-Workflow-Client-OS-Version": "6.1",
        "X-Workflow-Client-Platform": "Linux-6.1-x86_64",
    }


def a_work(pipeline: str, **changes: Any) -> dict[str, Any]:
    """What ``Work(pipeline=…, site="local", user="tester").payload`` is."""
    archive = {"results": True, "products": "copy", "plots": "copy", "logs": "move"}
    slack = ("channel_id", "member_ids", "message", "results", "products", "plots", "blocks")
    return {
        "pipeline": pipeline, "site": "local", "user": "tester", "function": None,
        "parameters": None, "command": None, "results": None, "products": None, "plots": None,
        "tags": None, "event": None, "id": None, "creation": time.time(), "start": None,
        "stop": None, "attempt": 0, "status": "created", "timeout": 3600, "retries": 2,
        "priority": 3,
        "config": {
            "archive": archive, "metrics": False, "parent": None, "orgs": ["chimefrb"],
            "teams": None,
        },
        "notify": {"slack": dict.fromkeys((*slack, "reply"))},
        **changes,
    }  # fmt: skip


class Service:
    """A base URL; every call checks that the answer is one that the client takes."""

    place = ""
    """Where it is, below the server's own address."""

    @classmethod
    def at(cls, server: str) -> Self:
        """Return the client of the service of that server."""
        return cls(f"{server}/{cls.place}")

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.update(headers())

    def probe(self) -> requests.Response:
        """What constructing a client asks, five seconds at most and without a token."""
        return self._session.head(f"{self.url}/version", timeout=5)

    def ask(self, method: str, path: str, **parts: Any) -> requests.Response:
        """Ask with the token."""
        return self._session.request(method, self.url + path, headers=TOKEN, timeout=15, **parts)

    def told(self, method: str, path: str, **parts: Any) -> Any:
        """Ask; return the JSON of an answer that is well."""
        answer = self.ask(method, path, **parts)
        assert answer.status_code in {200, 201}, answer.text
        assert answer.headers["Content-Type"] == "application/json"
        return answer.json()

    def version(self) -> Any:
        return self.told("GET", "/version")

    def view(
        self, query: dict[str, Any], projection: Any = None, skip: int = 0, limit: int | None = 100
    ) -> Any:
        body = {"query": query, "projection": projection or {}, "skip": skip, "limit": limit}
        return self.told("POST", "/view", json=body)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()


class Buckets(Service):
    """B2 to B10."""

    place = "buckets"

    def deposit(self, works: list[dict[str, Any]], *, return_ids: bool = False) -> Any:
        twice = [("return_ids", return_ids), ("return_ids", return_ids)]
        return self.told("POST", "/work", json=works, params=twice)

    def withdraw(self, *pipelines: str, **filters: Any) -> Any:
        """Lists become ``$in``, as in the client; ``parent`` is ``config.parent``."""
        query: dict[str, Any] = {"pipeline": {"$in": list(pipelines)}}
        for name, value in filters.items():
            field = "config.parent" if name == "parent" else name
            query[field] = {"$in": value} if isinstance(value, list) else value
        return self.told("POST", "/work/withdraw", json=query)

    def update(self, works: list[dict[str, Any]]) -> Any:
        return self.told("PUT", "/work", json=works)

    def delete_ids(self, ids: list[str]) -> Any:
        return self.told("DELETE", "/work", params={"ids": ids})

    def delete_many(self, pipeline: str, **query: Any) -> Any:
        """Look for ids, then delete them: what ``rm`` does."""
        told = {"id": True, "_id": False}
        found = self.view({"pipeline": pipeline, **query}, told, limit=None)
        return self.delete_ids([work["id"] for work in found])

    def status(self, pipeline: str | None = None) -> Any:
        return self.told("GET", f"/status/details/{pipeline}" if pipeline else "/status")

    def pipelines(self) -> Any:
        return self.told("GET", "/status/pipelines")

    def audit(self) -> dict[str, int]:
        """What the daemon asks, in its order."""
        paths = {"failed": "failed", "expired": "expired", "stale": "stale/7.0"}
        return {name: self.told("GET", f"/audit/{path}") for name, path in paths.items()}


class Results(Service):
    """R2 to R7."""

    place = "results-api"

    def deposit(self, works: list[dict[str, Any]]) -> Any:
        return self.told("POST", "/results", json=works)

    def update(self, works: list[dict[str, Any]]) -> Any:
        return self.told("PUT", "/results", json=works)

    def delete_ids(self, pipeline: str, ids: list[str]) -> Any:
        return self.told("DELETE", "/results", params={pipeline: ids})

    def count(self, pipeline: str, query: dict[str, Any]) -> Any:
        body = {"query": {**query, "pipeline": pipeline}}
        return self.told("POST", "/view/count", json=body)

    def status(self) -> Any:
        return self.told("GET", "/status")


class Pipelines(Service):
    """Section 6: ``query`` and ``projection`` are JSON texts."""

    place = "pipelines/v2"

    def configs(self, **told: Any) -> Any:
        return self.told("GET", "/configs", params=as_texts(told))

    def pipelines(self, **told: Any) -> Any:
        return self.configs(database="pipelines", **told)

    def deploy(self, config: dict[str, Any]) -> Any:
        return self.told("POST", "/configs", json=config)

    def schedules(self, **told: Any) -> Any:
        return self.told("GET", "/schedule", params=as_texts(told))


def as_texts(told: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of a call, those that are JSON as text."""
    return {
        name: json.dumps(value) if name in {"query", "projection"} else value
        for name, value in told.items()
    }
