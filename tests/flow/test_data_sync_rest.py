"""The REST routes that start jobs over files, on a real embedded home; no job runs here."""

from __future__ import annotations

import json

import pytest

from chalicelib import bootstrap
from chalicelib.core.site import Site
from chalicelib.local.folders import OWN_FILE_SYSTEM_ID as FS
from chalicelib.settings import Settings
from tests.flow.doors import TrustedHttp

ENDS = {"source_path": "s3://bucket/in/", "destination_path": f"{FS}:/scratch/in"}
ROUTES = {
    "/data-syncs": ("data-sync", ENDS),
    "/data-paths/stats": ("data-path-stats", {"path": f"{FS}:/scratch"}),
    "/data-paths/list": ("list-data-paths", {"path": "s3://bucket/in/", "include": ["a.*"]}),
    "/data-paths/outdated": ("outdated-data-paths", {"path": f"{FS}:/scratch"}),
    "/data-paths/remove": ("remove-data-paths", {"paths": [f"{FS}:/scratch/x"]}),
    "/file-system-cleanups": (
        "file-system-cleanup",
        {"path": f"{FS}:/scratch", "days_since_last_accessed": 3.0, "min_depth": 1},
    ),
}
each_route = pytest.mark.parametrize("route", ROUTES)


@pytest.fixture
def http(tmp_path):
    bootstrap.use(Settings(root=tmp_path / "root"))
    yield TrustedHttp()
    bootstrap.use(Settings(root=tmp_path / "gone"))


def post(http, path, document):
    body = json.dumps(document).encode()
    return http.post(path, headers={"Content-Type": "application/json"}, body=body)


def problem(response, status):
    assert response.status_code == status, response.body
    assert response.headers["Content-Type"] == "application/problem+json"
    return json.loads(response.body)


@each_route
def test_a_request_is_accepted_and_found_where_it_says(http, route):
    kind, document = ROUTES[route]
    response = post(http, route, document)
    assert response.status_code == 202
    run = response.json_body
    assert (run["kind"], run["state"]) == (kind, "RUNNING")
    assert run["id"].startswith(f"{kind}-")
    assert response.headers["Location"] == f"/runs/{run['id']}"
    assert http.get(f"/runs/{run['id']}").json_body["stages"]


@each_route
def test_the_same_request_under_its_id_is_the_same_run(http, route):
    _, document = ROUTES[route]
    told = {**document, "run_id": "mine", "options": {"group": "lab"}}
    first, again = post(http, route, told), post(http, route, told)
    assert again.json_body["created_at"] == first.json_body["created_at"]
    assert [run["id"] for run in http.get("/runs?group=lab").json_body["runs"]] == ["mine"]
    problem(post(http, route, {**told, "options": {}}), 409)


def test_an_ended_run_is_returned_with_the_way_to_resume_it(http):
    told = {**ENDS, "run_id": "mine"}
    post(http, "/data-syncs", told)
    http.post("/runs/mine/cancel", headers={"Content-Type": "application/json"})
    again = post(http, "/data-syncs", told)
    assert (again.status_code, again.json_body["state"]) == (200, "CANCELED")
    assert again.headers["Link"] == '</runs/mine/resume>; rel="resume"'


@pytest.mark.parametrize(
    ("route", "document", "field"),
    [
        ("/data-syncs", {}, "source_path"),
        ("/data-syncs", {**ENDS, "run_id": "a b"}, "run_id"),
        ("/data-syncs", {**ENDS, "options": {"max_attempts": 0}}, "options.max_attempts"),
        ("/data-syncs", {**ENDS, "options": {"secrets": {"A": "b"}}}, "options.secrets"),
        (
            "/data-syncs",
            {**ENDS, "destination_path": "fs-0b2000000000000b:/x"},
            "destination_path",
        ),
        ("/data-paths/remove", {"paths": [""]}, "paths.0"),
        ("/file-system-cleanups", {"path": "s3://bucket/in/"}, "path"),
    ],
)
def test_a_bad_request_names_its_field_and_creates_nothing(http, route, document, field):
    told = problem(post(http, route, document), 400)
    assert told["errors"][0]["field"] == field
    assert told["errors"][0]["mend"]
    assert http.get("/runs").json_body["runs"] == []


def test_there_are_no_other_operations(http):
    problem(post(http, "/data-paths/rename", {"path": f"{FS}:/x"}), 404)


def test_a_path_of_the_host_is_refused_where_the_host_is_not_the_users(tmp_path):
    site = Site(has_local_paths=False)
    bootstrap.use(Settings(root=tmp_path / "root", site=site))
    http = TrustedHttp()
    told = problem(post(http, "/data-syncs", {**ENDS, "source_path": "/etc"}), 400)
    assert told["errors"][0]["field"] == "source_path"
    bootstrap.use(Settings(root=tmp_path / "gone"))
