"""The routes and the verb that start functions, on a real embedded home."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chalicelib import bootstrap
from chalicelib.core.site import Site
from chalicelib.local.engine_loop import Loop
from chalicelib.settings import Settings
from tests.flow.doors import TrustedHttp, falsework
from tests.flow.test_data_sync_rest import post, problem

JOB = {"image": "ghcr.io/lab/tool:1", "payload": {"n": 1}}
ANSWER = (
    'F="$FALSEWORK_ROOT/s3/${AWS_LAMBDA_EVENT_RESPONSE_LOCATION#s3://}"; '
    'mkdir -p "$(dirname "$F")"; printf \'{"n": 2}\' > "$F"'
)
LAMBDA = {**JOB, "handler": "h.h", "command": ["/bin/sh", "-ec", ANSWER]}
ROUTES = {
    "/batch-jobs": ("batch-job", {"image": "ghcr.io/lab/tool:1", "command": ["true"]}),
    "/batch-lambdas": ("batch-lambda", LAMBDA),
    "/batch-executors": ("batch-executor", {**JOB, "executor": "pkg.Run"}),
    "/lambda-functions": ("lambda-function", {"function_name": "list_data_paths"}),
}
each_route = pytest.mark.parametrize("route", ROUTES)


@pytest.fixture
def http(tmp_path):
    bootstrap.use(Settings(root=tmp_path / "root"))
    yield TrustedHttp()
    bootstrap.use(Settings(root=tmp_path / "gone"))


@each_route
def test_a_request_is_accepted_and_found_where_it_says(http, route):
    kind, document = ROUTES[route]
    response = post(http, route, {**document, "kind": kind})
    assert response.status_code in (200, 202)
    run = response.json_body
    assert run["kind"] == kind
    assert run["id"].startswith(f"{kind}-")
    assert response.headers["Location"] == f"/runs/{run['id']}"
    assert http.get(f"/runs/{run['id']}/result").json_body["id"] == run["id"]


@each_route
def test_the_same_request_under_its_id_is_the_same_run(http, route):
    _, document = ROUTES[route]
    told = {**document, "run_id": "mine", "options": {"group": "lab"}}
    first, again = post(http, route, told), post(http, route, told)
    assert again.json_body["created_at"] == first.json_body["created_at"]
    problem(post(http, route, {**told, "options": {}}), 409)


def test_the_result_is_the_response(http):
    run_id = post(http, "/batch-lambdas", LAMBDA).json_body["id"]
    before = http.get(f"/runs/{run_id}/result").json_body
    assert before == {"id": run_id, "state": "RUNNING", "output": None, "error": None}
    home = bootstrap.home()
    Loop(home).run_until(lambda: home.ports.runs.load(run_id).settled_at)
    after = http.get(f"/runs/{run_id}/result").json_body
    assert after == {"id": run_id, "state": "SUCCESS", "output": {"n": 2}, "error": None}
    assert http.get(f"/runs/{run_id}").json_body["stages"][-1]["result"] == {"n": 2}


def test_the_result_of_a_failure_is_its_error_and_cause(http):
    body = {"function_name": "nobody"}
    run_id = post(http, "/lambda-functions", body).json_body["id"]
    told = http.get(f"/runs/{run_id}/result").json_body
    assert (told["state"], told["output"]) == ("ERROR", None)
    assert told["error"]["Error"] == "InvalidRequest"
    assert "there is no handler 'nobody'" in told["error"]["Cause"]


@pytest.mark.parametrize(
    ("route", "document", "field"),
    [
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
        ("/lambda-functions", {"function_name": "f", "kind": "batch-lambda"}, "kind"),
    ],
)
def test_a_bad_request_names_its_field_and_creates_nothing(http, route, document, field):
    told = problem(post(http, route, document), 400)
    assert told["errors"][0]["field"] == field
    assert told["errors"][0]["mend"]
    assert http.get("/runs").json_body["runs"] == []


def test_a_function_that_the_site_does_not_allow_is_forbidden(tmp_path):
    site = Site(allowed_functions=("lab-",))
    bootstrap.use(Settings(root=tmp_path / "root", site=site))
    told = problem(post(TrustedHttp(), "/lambda-functions", {"function_name": "x"}), 403)
    assert told["errors"][0]["field"] == "function_name"
    bootstrap.use(Settings(root=tmp_path / "gone"))


class TestRun:
    def request(self, folder, **document):
        (folder / "request.json").write_text(json.dumps(document))
        return "request.json"

    def test_a_file_that_says_its_kind_is_run_and_its_result_printed(self, tmp_path):
        file = self.request(tmp_path, kind="batch-lambda", **LAMBDA)
        done = falsework("run", file, "--wait", cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.endswith('{\n  "n": 2\n}\n')

    def test_the_example_of_the_documentation_runs(self, tmp_path):
        text = (Path(__file__).parents[2] / "docs/functions.md").read_text()
        document = json.loads(text.split("```json")[1].split("```")[0])
        reads = tmp_path / ".falsework/s3/data/reads/a"
        reads.parent.mkdir(parents=True)
        reads.write_text("a")
        done = falsework("run", self.request(tmp_path, **document), "--wait", cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        assert json.loads(done.stdout[done.stdout.rindex("\n{") :]) == {
            "paths": ["reads/", "reads/a"]
        }

    def test_a_kind_that_nobody_knows_is_refused(self, tmp_path):
        file = self.request(tmp_path, kind="lambda", **LAMBDA)
        done = falsework("run", file, cwd=tmp_path)
        assert done.returncode == 2
        assert "batch-lambda" in done.stderr

    def test_only_demands_are_validated(self, tmp_path):
        file = self.request(tmp_path, kind="batch-lambda", **LAMBDA)
        done = falsework("validate", file, cwd=tmp_path)
        assert done.returncode == 2
        assert "falsework run" in done.stderr
