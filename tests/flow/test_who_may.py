"""Every route, by everybody who may not: new ones are walked as soon as they are there.

One real run of the group ``lab`` has files, and the work queue, which is ``lab``'s, holds a work.
Each kind of stranger asks every route for them: who shows no good token is answered 401, who has
the wrong scope 403, and who is of another group 404 or nothing. The owner is the control: what
strangers are refused is there.
"""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from typing import NamedTuple

import pytest
from chalice.app import Blueprint

from chalicelib import bootstrap
from chalicelib.core.errors import Misconfigured
from chalicelib.core.principals import Scope
from chalicelib.settings import Settings
from chalicelib.web import api
from chalicelib.web.asked import OPEN, scope_of
from chalicelib.web.problems import takes_key
from tests.flow.doors import shell_demand
from tests.flow.lab import MARK, Lab

OPEN_TO_ALL = {("GET", "/health"), ("GET", "/openapi.json"), ("GET", "/docs")}
PROBES = {("HEAD", f"/{base}/version") for base in ("buckets", "results-api", "pipelines/v2")}
OF_ONE_RUN = ("/runs/{run_id}", "/flowserv/runs/{run_id}")
OF_THE_GROUP = ("/groups/{group}", "/flowserv/groups/{group}", "/flowserv/workflows/{workflow_id}")
OF_THE_QUEUE = ("/buckets/", "/results-api/", "/pipelines/v2/")
JOB = {"image": "ghcr.io/lab/tool:1", "payload": {"n": 1}}
SUBMISSIONS = {
    "/demand-executions": shell_demand("r2", "true"),
    "/data-syncs": {"source_path": "s3://bkt/a/", "destination_path": "s3://bkt/b/"},
    "/data-paths/{operation}": {"path": "s3://bkt/a/"},
    "/file-system-cleanups": {
        "path": "fs-0000000000000001:/scratch", "days_since_last_accessed": 3.0, "min_depth": 1,
    },
    "/batch-jobs": {"image": "ghcr.io/lab/tool:1", "command": ["true"]},
    "/batch-lambdas": {**JOB, "handler": "h.h"},
    "/batch-executors": {**JOB, "executor": "pkg.Run"},
    "/lambda-functions": {"function_name": "list_data_paths"},
    "/pipelines": {"stages": [{"name": "one", "kind": "value", "value": {"n": 1}}]},
}  # fmt: skip
NO_NEW_RUNS = {
    "/job-definitions", "/buckets/work", "/results-api/results", "/runs/{run_id}/cancel",
    "/runs/{run_id}/resume", "/runs/{run_id}/rollback", "/pipelines/v2/configs",
    "/pipelines/v2/configs/migrate", "/pipelines/v2/configs/retry", "/pipelines/v2/schedule",
}  # fmt: skip
BY_THEIR_PATH = {"/flowserv/groups/{group}/runs", "/flowserv/workflows/{workflow_id}/runs"}
"""Whose the run will be stands in the path, or in the site."""
ANOTHER = {Scope.READ: {Scope.SUBMIT}, Scope.SUBMIT: {Scope.READ},
           Scope.ADMIN: {Scope.READ, Scope.SUBMIT}}  # fmt: skip


class Route(NamedTuple):
    method: str
    path: str
    scope: Scope | None

    @property
    def is_flowserv(self):
        return self.path.startswith("/flowserv/")


ALL = [
    Route(method, path, scope_of(entry.view_function))
    for path, methods in sorted(api.rest_app().routes.items())
    for method, entry in methods.items()
]
CLOSED = [route for route in ALL if route.scope is not OPEN and route[:2] not in PROBES]


def walked(routes):
    return pytest.mark.parametrize("route", routes, ids=lambda r: f"{r.method} {r.path}")


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    yield Lab(folder / "root")
    bootstrap.use(Settings(root=folder / "gone"))


def refused(answer, route, status):
    """The refusal has its form: a problem, or flowserv's message, and tells nothing."""
    document = json.loads(answer.body)
    if route.is_flowserv:
        assert (answer.status, list(document)) == (403, ["message"])
    else:
        assert (answer.status, document["status"]) == (status, status)
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert (answer.headers.get("WWW-Authenticate") == "Bearer") is (status == 401)
    assert MARK not in str(answer)


def test_only_these_routes_take_anybody():
    assert {route[:2] for route in ALL if route.scope is OPEN} == OPEN_TO_ALL
    assert {route[:2] for route in ALL} >= PROBES


def test_a_route_that_does_not_say_who_may_call_it_keeps_the_application_from_starting(
    monkeypatch,
):
    routes = Blueprint("forgetful")
    routes.route("/forgotten")(dict)
    monkeypatch.setattr(api, "ROUTES", (SimpleNamespace(routes=routes),))
    with pytest.raises(Misconfigured, match="GET /forgotten"):
        api.rest_app.__wrapped__()


@walked([route for route in ALL if route not in CLOSED])
def test_what_is_open_needs_no_token(lab, route):
    answer = lab.walk(route, None)
    assert answer.status == 200
    assert MARK not in str(answer)


@walked(CLOSED)
def test_without_a_token_every_route_is_closed(lab, route):
    before = lab.state()
    for token, header in [(None, ""), ("", "Authorization"), ("", "x-access-token")]:
        refused(lab.walk(route, token, header), route, 401)
    assert lab.state() == before


@walked(CLOSED)
@pytest.mark.parametrize("kind", ["wrong", "foreign", "cut-off", "expired", "revoked"])
def test_with_a_bad_token_every_route_is_closed(lab, route, kind):
    token = {
        "wrong": lambda: lab.owner[:-4] + "AAAA",
        "foreign": lambda: "ghp_somebody_elses",
        "cut-off": lambda: lab.owner[:-1],
        "expired": lab.expired,
        "revoked": lab.revoked,
    }[kind]()
    before = lab.state()
    for header in ("Authorization", "x-access-token", "api_key"):
        refused(lab.walk(route, token, header), route, 401)
    assert lab.state() == before


@walked(CLOSED)
def test_with_another_scope_every_route_is_closed(lab, route):
    token = lab.token(*ANOTHER[route.scope], groups={"lab"})
    before = lab.state()
    refused(lab.walk(route, token), route, 403)
    assert lab.state() == before


@walked(CLOSED)
@pytest.mark.parametrize(
    "groups", [{"other"}, set(), {"other", "more"}], ids=["one", "none", "two"]
)
def test_a_stranger_to_the_group_gets_no_data_and_changes_nothing(lab, route, groups):
    token = lab.token(*Scope, groups=groups)
    before = lab.state()
    answer = lab.walk(route, token)
    assert MARK not in str(answer)
    assert "{group}" in route.path or not re.search(r"\blab\b", answer.body.decode())
    if route.path.startswith((*OF_ONE_RUN, *OF_THE_QUEUE)) and "version" not in route.path:
        assert answer.status == 404
    else:
        assert answer.status < 500
    if route[:2] != ("POST", "/tokens"):  # who is an admin of another group makes tokens of it
        assert lab.state() == before


@walked([r for r in CLOSED if r.method == "GET" and r.path.startswith((*OF_ONE_RUN, *OF_THE_GROUP))
         and "/downloads/" not in r.path.removeprefix("/flowserv/runs")])  # fmt: skip
def test_the_owner_finds_what_strangers_do_not(lab, route):
    answer = lab.walk(route, lab.owner)
    assert answer.status == 200, answer


def test_the_owner_sees_the_mark(lab):
    for target in ("/runs/r1", "/runs/r1/files", "/runs/r1/logs", "/buckets/status"):
        assert lab.ask("GET", target, None, lab.owner).status == 200
    assert MARK in str(lab.ask("GET", "/runs/r1/files", None, lab.owner))
    assert MARK in str(lab.ask("POST", "/buckets/view", {"query": {}}, lab.owner))
    assert MARK in str(lab.ask("GET", "/runs/r1/logs", None, lab.owner))


@pytest.mark.parametrize("header", ["Authorization", "authorization", "x-access-token", "API_KEY"])
def test_a_good_token_is_taken_in_each_header(lab, header):
    name = "Authorization" if header.lower() == "authorization" else header
    assert lab.ask("GET", "/runs/r1", None, lab.owner, header=name).status == 200


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/runs", 200),
        ("/runs?group=lab", 404),
        ("/runs?created_before=2099-01-01", 200),
        ("/runs?created_before=2099-01-01&group=lab", 404),
    ],
)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_lists_and_deletions_by_age_keep_to_ones_own_groups(lab, method, target, status):
    before = lab.state()
    token = lab.token(*Scope)
    answer = lab.ask(method, target, None, token)
    is_without_age = method == "DELETE" and "created_before" not in target
    assert answer.status == (400 if is_without_age else status)
    assert MARK not in str(answer)
    assert b"r1" not in answer.body
    assert lab.state()[:3] == before[:3]


def test_it_is_known_of_every_route_that_creates_whether_it_creates_runs():
    creating = {
        route.path
        for route in ALL
        if route.scope is Scope.SUBMIT
        and takes_key(api.rest_app().routes[route.path][route.method].view_function)
    }
    # A new one gets a body in SUBMISSIONS that it takes, or a place in one of the others.
    assert creating == {*SUBMISSIONS, *NO_NEW_RUNS, *BY_THEIR_PATH}


@pytest.mark.parametrize("path", SUBMISSIONS)
def test_nobody_starts_a_run_of_another_group(lab, path):
    before = lab.ports.runs.list(group="lab")
    foreign = {**SUBMISSIONS[path], "options": {"group": "lab"}}
    target = path.format(operation="stats")
    answer = lab.ask("POST", target, foreign, lab.token(Scope.SUBMIT, Scope.READ))
    assert (answer.status, json.loads(answer.body)["errors"][0]["field"]) == (403, "options.group")
    assert lab.ports.runs.list(group="lab") == before


def test_nobody_starts_a_run_under_another_groups_id(lab):
    token = lab.token(Scope.SUBMIT, Scope.READ)
    taken = {**shell_demand("r1", "true"), "options": {"group": "other"}}
    answer = lab.ask("POST", "/demand-executions", taken, token)
    assert answer.status == 409
    assert MARK not in str(answer)
    assert b"lab" not in answer.body


def test_who_is_bound_to_groups_has_no_say_over_all_of_them(lab):
    token = lab.token(*Scope, groups={"lab"})
    for method, path in [("GET", "/tokens"), ("DELETE", f"/tokens/{lab.parts['token_id']}"),
                         ("POST", "/dead-letters/redrive")]:  # fmt: skip
        assert lab.ask(method, path, None, token).status == 403
    assert lab.ask("GET", "/runs/r1", None, lab.owner).status == 200
