"""Each route that starts a run of its kind: what all of them promise, on a real embedded home."""

from __future__ import annotations

import json

import pytest

from chalicelib.local.folders import OWN_FILE_SYSTEM_ID as FS

ENDS = {"source_path": "s3://bucket/in/", "destination_path": f"{FS}:/scratch/in"}
JOB = {"image": "ghcr.io/lab/tool:1", "payload": {"n": 1}}
ANSWER = (
    'F="$FALSEWORK_ROOT/s3/${AWS_LAMBDA_EVENT_RESPONSE_LOCATION#s3://}"; '
    'mkdir -p "$(dirname "$F")"; printf \'{"n": 2}\' > "$F"'
)
LAMBDA = {**JOB, "handler": "h.h", "command": ["/bin/sh", "-ec", ANSWER]}
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
    "/batch-jobs": ("batch-job", {"image": "ghcr.io/lab/tool:1", "command": ["true"]}),
    "/batch-lambdas": ("batch-lambda", LAMBDA),
    "/batch-executors": ("batch-executor", {**JOB, "executor": "pkg.Run"}),
    "/lambda-functions": ("lambda-function", {"function_name": "list_data_paths"}),
}
each_route = pytest.mark.parametrize("route", ROUTES)


def post(http, path, document):
    body = json.dumps(document).encode()
    return http.post(path, headers={"Content-Type": "application/json"}, body=body)


def problem(response, status):
    assert response.status_code == status, response.body
    assert response.headers["Content-Type"] == "application/problem+json"
    return json.loads(response.body)


@each_route
@pytest.mark.parametrize("is_named", [True, False], ids=["says its kind", "says none"])
def test_a_request_is_accepted_and_found_where_it_says(http, route, is_named):
    kind, document = ROUTES[route]
    response = post(http, route, {**document, "kind": kind} if is_named else document)
    assert response.status_code in (200, 202)
    run = response.json_body
    assert run["kind"] == kind
    assert (run["state"] == "RUNNING") is (response.status_code == 202)
    assert run["id"].startswith(f"{kind}-")
    assert response.headers["Location"] == f"/runs/{run['id']}"
    assert http.get(f"/runs/{run['id']}").json_body["stages"]
    assert http.get(f"/runs/{run['id']}/result").json_body["id"] == run["id"]


@each_route
def test_the_same_request_under_its_id_is_the_same_run(http, route):
    _, document = ROUTES[route]
    told = {**document, "run_id": "mine", "options": {"group": "lab"}}
    first, again = post(http, route, told), post(http, route, told)
    assert again.json_body["created_at"] == first.json_body["created_at"]
    assert [run["id"] for run in http.get("/runs?group=lab").json_body["runs"]] == ["mine"]
    problem(post(http, route, {**told, "options": {}}), 409)


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
        ("/batch-lambdas", {}, "image"),
        ("/batch-lambdas", {**LAMBDA, "job_queue": "none"}, "job_queue"),
        ("/batch-lambdas", {**LAMBDA, "memory": "x"}, "memory"),
        ("/batch-executors", {**JOB}, "executor"),
        ("/lambda-functions", {}, "function_name"),
        ("/batch-jobs", {}, "job_definition"),
        ("/batch-jobs", {"image": "a", "job_definition": "b"}, "image"),
        ("/batch-jobs", {"job_definition": "nobodys:1"}, "job_definition"),
        ("/batch-jobs", {"image": "a", "job_queue": "none"}, "job_queue"),
        (
            "/batch-jobs",
            {"image": "a", "container_overrides": {"Vcpus": 1}},
            "container_overrides.vcpus",
        ),
        ("/batch-jobs", {"image": "a", "memry": 512}, "memry"),
        ("/batch-jobs", {"image": "a", "array_properties": {"size": 3}}, "array_properties"),
        ("/lambda-functions", {"function_name": "f", "kind": "batch-lambda"}, "kind"),
    ],
)
def test_a_bad_request_names_its_field_and_creates_nothing(http, route, document, field):
    told = problem(post(http, route, document), 400)
    assert told["errors"][0]["field"] == field
    assert told["errors"][0]["mend"]
    assert http.get("/runs").json_body["runs"] == []
