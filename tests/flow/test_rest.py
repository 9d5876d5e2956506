"""The REST routes, through Chalice's own test client, on a real embedded home."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib import bootstrap, engine, intake
from chalicelib.core.errors import Conflict, Unavailable
from chalicelib.core.limits import LAMBDA_PAYLOAD_BYTES
from chalicelib.core.plans.plan import Plan
from chalicelib.core.principals import LOCAL
from chalicelib.core.run import Run, RunState
from chalicelib.settings import Settings
from chalicelib.version import VERSION
from chalicelib.web.chalice_api import Api
from chalicelib.web.gateway import Gateway
from tests.flow.doors import CHECKOUT, TrustedHttp, copying_demand, environment, shell_demand

JSON = {"Content-Type": "application/json"}
AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def home(tmp_path):
    bootstrap.use(Settings(root=tmp_path / "root"))
    yield bootstrap.home()
    bootstrap.use(Settings(root=tmp_path / "gone"))


@pytest.fixture
def http(home):
    return TrustedHttp()


def _post(http, path, document, **headers):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return http.post(path, headers={**JSON, **headers}, body=body)


def _problem(response, status):
    assert response.status_code == status, response.body
    assert response.headers["Content-Type"] == "application/problem+json"
    document = json.loads(response.body)
    assert document["status"] == status
    assert document["detail"]
    return document


def _saved(home, number, state=RunState.PENDING, group="default"):
    return home.ports.runs.save(
        Run(id=f"r{number:03}", uid="a" * 20, kind="demand-execution", group=group, state=state,
            created_at=AT + timedelta(seconds=number), stages=(), plan=Plan(stages=()))
    )  # fmt: skip


def test_a_run_that_is_not_there_is_named_as_it_is_meant(http):
    told = _problem(http.get("/runs/l%C3%A4uft"), 404)
    assert told["detail"] == "there is no run 'läuft'"


def test_health_tells_version_and_home(http):
    response = http.get("/health")
    assert response.status_code == 200
    assert response.json_body == {"status": "ok", "version": VERSION, "home": "embedded"}


def test_in_lambda_without_a_table_nothing_is_silently_embedded(tmp_path, http):
    bootstrap.use(Settings(root=tmp_path / "root", in_lambda=True))
    for path in ("/health", "/runs", "/runs/e1"):
        _problem(http.get(path), 500)
    assert not list((tmp_path / "root").glob("*"))


def test_a_submission_is_accepted_and_found_where_it_says(http):
    response = _post(http, "/demand-executions", shell_demand("e1", "true"))
    assert response.status_code == 202
    assert response.headers["Location"] == "/runs/e1"
    assert response.json_body["id"] == "e1"
    assert http.get("/runs/e1").json_body["stages"]


def test_the_same_submission_again_is_the_same_run(http):
    first = _post(http, "/demand-executions", shell_demand("e1", "true")).json_body
    again = _post(http, "/demand-executions", shell_demand("e1", "true"))
    assert again.status_code == 202
    assert again.json_body["created_at"] == first["created_at"]
    assert len(http.get("/runs").json_body["runs"]) == 1


def test_another_request_under_the_same_id_is_a_conflict(http):
    _post(http, "/demand-executions", shell_demand("e1", "true"))
    _problem(_post(http, "/demand-executions", shell_demand("e1", "false")), 409)


def test_a_repeat_of_an_ended_run_returns_it_and_points_to_resume(http):
    _post(http, "/demand-executions", shell_demand("e1", "true"))
    http.post("/runs/e1/cancel", headers=JSON)
    again = _post(http, "/demand-executions", shell_demand("e1", "true"))
    assert (again.status_code, again.json_body["state"]) == (200, "CANCELED")
    assert again.headers["Link"] == '</runs/e1/resume>; rel="resume"'


def test_a_preview_and_a_check_create_nothing(http, home):
    home.ports.objects.write("s3://bucket/in.txt", b"x")
    preview = _post(http, "/demand-executions/scaffolding", copying_demand("e1"))
    assert preview.status_code == 200
    assert preview.json_body["setup_configs"]["batch_create_request"]["image"] == "none"
    check = _post(http, "/demand-executions/check", copying_demand("e1"))
    assert check.status_code == 200
    assert any("s3://bucket/in.txt" in sentence for sentence in check.json_body["findings"])
    assert http.get("/runs").json_body == {"runs": [], "next_cursor": None}


def test_a_check_refuses_an_input_that_does_not_exist(http):
    _problem(_post(http, "/demand-executions/check", copying_demand("e1")), 400)


def test_a_job_definition_is_found_again(http):
    request = {"image": "busybox", "job_definition_name": "d", "job_queue_name": "default",
               "command": ["true"]}  # fmt: skip
    first, again = (_post(http, "/job-definitions", request) for _ in range(2))
    assert first.status_code == again.status_code == 200
    assert first.json_body["job_definition_arn"] == again.json_body["job_definition_arn"]


def test_runs_are_listed_newest_first_in_pages(http, home):
    for number in range(3):
        _saved(home, number)
    first = http.get("/runs?limit=2").json_body
    rest = http.get(f"/runs?limit=2&cursor={first['next_cursor']}").json_body
    assert [run["id"] for run in first["runs"] + rest["runs"]] == ["r002", "r001", "r000"]
    assert rest["next_cursor"] is None


def test_runs_are_filtered_by_state_and_group(http, home):
    _saved(home, 1, RunState.ERROR, "a")
    _saved(home, 2, RunState.SUCCESS, "a")
    _saved(home, 3, RunState.ERROR, "b")
    listed = http.get("/runs?state=ERROR&group=a").json_body["runs"]
    assert [run["id"] for run in listed] == ["r001"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("state=DONE", "state"),
        ("state=", "state"),
        ("state=error", "state"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("limit=1.5", "limit"),
        ("group=", "group"),
        ("cursor=nonsense", ""),
        ("cursor=", "cursor"),
        ("color=red", "color"),
        ("state=ERROR&state=SUCCESS", "state"),
    ],
)
def test_a_bad_query_names_what_is_wrong(http, query, field):
    problem = _problem(http.get(f"/runs?{query}"), 400)
    if field:
        assert problem["errors"][0]["field"] == field


def test_an_unknown_state_is_answered_with_the_states(http):
    mend = _problem(http.get("/runs?state=DONE"), 400)["errors"][0]["mend"]
    assert all(state in mend for state in RunState)


def test_stages_are_shown_in_order(http):
    _post(http, "/demand-executions", shell_demand("e1", "true"))
    stages = http.get("/runs/e1/stages").json_body
    assert [stage["stage_name"] for stage in stages] == [
        "scaffold", "define-jobs", "stage-in", "execute", "stage-out", "clean-up"
    ]  # fmt: skip


def test_logs_are_text_and_an_unknown_stage_is_not_found(http):
    _post(http, "/demand-executions", shell_demand("e1", "true"))
    response = http.get("/runs/e1/logs")
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert http.get("/runs/e1/logs?stage=execute").status_code == 200
    _problem(http.get("/runs/e1/logs?stage=nope"), 404)
    _problem(http.get("/runs/e1/logs?tail=5"), 400)


def test_why_a_run_waits_and_why_it_ended_is_told_in_sentences(http):
    _post(http, "/demand-executions", shell_demand("e1", "true"))
    waiting = http.get("/runs/e1/why")
    assert waiting.status_code == 200
    document = waiting.json_body
    assert (document["run"], document["state"], set(document)) == (
        "e1", "RUNNING", {"run", "state", "why"}
    )  # fmt: skip
    assert document["why"][0].startswith("Stage execute: job falsework-")
    http.post("/runs/e1/cancel", headers=JSON)
    ended = http.get("/runs/e1/why").json_body
    assert ended["state"] == "CANCELED"
    assert ended["why"][0].startswith("The run was canceled by a request")


def test_a_cancel_is_accepted_and_accepted_again_while_it_is_carried_out(http):
    _post(http, "/demand-executions", shell_demand("e1", "true"))
    for _ in range(2):
        response = http.post("/runs/e1/cancel", headers=JSON)
        assert (response.status_code, response.json_body["state"]) == (202, "CANCELED")


@pytest.mark.parametrize("state", [RunState.SUCCESS, RunState.ERROR])
def test_an_ended_run_cannot_be_canceled(http, home, state):
    _saved(home, 1, state)
    assert state in _problem(http.post("/runs/r001/cancel", headers=JSON), 409)["detail"]


@pytest.mark.parametrize("path", ["", "/stages", "/why", "/logs"])
@pytest.mark.parametrize("run_id", ["nope", "..", "%00", "a" * 3000, "%F0%9F%98%80"])
def test_a_run_that_does_not_exist_is_not_found(http, run_id, path):
    _problem(http.get(f"/runs/{run_id}{path}"), 404)


def test_cancelling_a_run_that_does_not_exist_is_not_found(http):
    _problem(http.post("/runs/nope/cancel", headers=JSON), 404)


@pytest.mark.parametrize("verb", ["resume", "rollback"])
class TestBeginningAgain:
    BODIES = {"resume": {}, "rollback": {"stage": "execute"}}

    def begin_again(self, http, verb, run_id="e1", **body):
        return _post(http, f"/runs/{run_id}/{verb}", {**self.BODIES[verb], **body})

    @pytest.fixture
    def canceled(self, http):
        _post(http, "/demand-executions", shell_demand("e1", "true"))
        http.post("/runs/e1/cancel", headers=JSON)

    @pytest.mark.usefixtures("canceled")
    def test_an_ended_run_is_accepted_in_its_next_generation(self, http, verb):
        response = self.begin_again(http, verb)
        assert response.status_code == 202
        run = response.json_body
        assert (run["id"], run["generation"], run["ended_at"], run["error"]) == (
            "e1", 2, None, None
        )  # fmt: skip
        assert run["state"] in {"PENDING", "RUNNING"}

    @pytest.mark.usefixtures("canceled")
    def test_a_repeat_that_names_the_generation_changes_nothing(self, http, verb):
        first, again = (self.begin_again(http, verb, generation=1) for _ in range(2))
        assert (first.status_code, again.status_code) == (202, 202)
        assert again.json_body["generation"] == 2
        _problem(self.begin_again(http, verb), 409)
        _problem(self.begin_again(http, verb, generation=7), 409)

    def test_one_that_has_not_ended_is_a_conflict(self, http, verb):
        _post(http, "/demand-executions", shell_demand("e1", "true"))
        assert "RUNNING" in _problem(self.begin_again(http, verb), 409)["detail"]

    def test_one_that_does_not_exist_is_not_found(self, http, verb):
        _problem(self.begin_again(http, verb, "nope"), 404)

    @pytest.mark.usefixtures("canceled")
    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"generation": 0}, "generation"),
            ({"generation": True}, "generation"),
            ({"generation": "1"}, "generation"),
            ({"colour": "red"}, "colour"),
        ],
        ids=str,
    )
    def test_a_wrong_field_is_named(self, http, verb, wrong, field):
        error = _problem(self.begin_again(http, verb, **wrong), 400)["errors"][0]
        assert error["field"] == field
        assert http.get("/runs/e1").json_body["generation"] == 1

    @pytest.mark.usefixtures("canceled")
    @pytest.mark.parametrize("body", [b"[]", b"null", b"{", b"\xff"], ids=str)
    def test_a_body_that_is_no_object_is_refused(self, http, verb, body):
        _problem(_post(http, f"/runs/e1/{verb}", body), 400)

    @pytest.mark.usefixtures("canceled")
    @pytest.mark.parametrize(("generation", "status"), [(2, 202), (1, 503)], ids=["saved", "lost"])
    @pytest.mark.usefixtures("home")
    def test_it_is_accepted_once_it_is_saved(self, http, verb, generation, status, monkeypatch):
        """What could not be performed afterwards is owed, and no reason to say no."""

        def handle(event, ports):
            run = ports.runs.load(event.run_id)
            if generation > run.generation:
                ports.runs.save(run.model_copy(update={"generation": generation}))
            raise Unavailable("later")

        monkeypatch.setattr(engine, "handle", handle)
        assert self.begin_again(http, verb).status_code == status


def test_a_resume_needs_no_body(http):
    _post(http, "/demand-executions", shell_demand("e1", "true"))
    http.post("/runs/e1/cancel", headers=JSON)
    again = _post(http, "/demand-executions", shell_demand("e1", "true"))
    path = again.headers["Link"].partition(">")[0].removeprefix("<")
    assert http.post(path).json_body["generation"] == 2


def test_what_succeeded_has_nothing_to_resume(http, home):
    _saved(home, 1, RunState.SUCCESS)
    detail = _problem(http.post("/runs/r001/resume", headers=JSON), 409)["detail"]
    assert "succeeded" in detail


@pytest.mark.parametrize(
    "body",
    [{}, {"stage": None}, {"stage": "nope"}, {"stage": "clean-up"}, {"stage": "x" * 100_000}],
    ids=["missing", "null", "unknown", "closing", "long"],
)
def test_a_rollback_names_a_stage_that_it_can_begin_at(http, body):
    _post(http, "/demand-executions", shell_demand("e1", "true"))
    http.post("/runs/e1/cancel", headers=JSON)
    problem = _problem(_post(http, "/runs/e1/rollback", body), 400)
    assert problem["errors"][0]["field"] == "stage"
    assert problem["errors"][0]["mend"]
    assert len(json.dumps(problem)) < 2000
    assert http.get("/runs/e1").json_body["generation"] == 1


POSTS = ("/demand-executions", "/demand-executions/scaffolding", "/demand-executions/check",
         "/job-definitions")  # fmt: skip
BODIES = {
    "nothing": (b"", 400),
    "cut-off": (b'{"a": ', 400),
    "list": (b"[]", 400),
    "null": (b"null", 400),
    "nan": (b'{"execution_id": NaN}', 400),
    "overflow": (b'{"execution_id": 1e999}', 400),
    "twice": (b'{"execution_id": "a", "execution_id": "b"}', 400),
    "latin-1": (b'{"execution_id": "\xe9"}', 400),
    "half-a-pair": (b'{"execution_id": "\\ud800"}', 400),
    "deep": (b'{"execution_id": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400),
    "rather-deep": (b'{"execution_id": ' + b"[" * 500 + b"]" * 500 + b"}", 400),
    "empty-object": (b"{}", 400),
    "too-large": (b'{"a": "' + b"x" * LAMBDA_PAYLOAD_BYTES + b'"}', 413),
}


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_bad_body_is_a_problem_and_leaves_nothing_behind(http, path, body):
    content, status = body
    _problem(_post(http, path, content), status)
    assert http.get("/runs").json_body["runs"] == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"execution_id": "../x"}, "execution_id"),
        ({"execution_id": "a\x00b"}, "execution_id"),
        ({"execution_platform": {"aws_batch": {"job_queue_name": "nope"}}}, "job_queue_name"),
        ({"options": {"colour": "red"}}, "options.colour"),
        ({"options": {"max_attempts": 0}}, "options.max_attempts"),
        ({"options": {"timeout_seconds": {"nope": 1}}}, "options.timeout_seconds.nope"),
        ({"options": {"retry_policy": "GLOBAL", "max_attempts": 4}}, "options.max_attempts"),
        ({"options": {"fallback_job_queue_name": "no"}}, "options.fallback_job_queue_name"),
        ({"execution_image": 7}, "execution_image"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_field_is_named_with_its_mend(http, change, field):
    document = {**shell_demand("e1", "true"), **change}
    error = _problem(_post(http, "/demand-executions", document), 400)["errors"][0]
    assert error["field"].endswith(field)
    assert error["mend"]
    assert http.get("/runs").json_body["runs"] == []


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
)
def test_another_content_type_is_unsupported(http, content_type):
    headers = {"Content-Type": content_type}
    _problem(_post(http, "/demand-executions", shell_demand("e1", "true"), **headers), 415)


def test_a_charset_behind_the_content_type_is_fine(http):
    headers = {"Content-Type": "application/json; charset=UTF-8"}
    assert (
        _post(http, "/demand-executions", shell_demand("e1", "true"), **headers).status_code == 202
    )


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", "/runs/e1/files", "GET"),
        ("GET", "/demand-executions", "POST"),
        ("PUT", "/runs/e1/stages", "GET"),
        ("GET", "/runs/e1/cancel", "POST"),
        ("GET", "/runs/e1/resume", "POST"),
        ("GET", "/runs/e1/rollback", "POST"),
    ],
)
def test_a_wrong_method_is_told_the_right_one(http, method, path, allowed):
    response = http.request(method, path)
    _problem(response, 405)
    assert response.headers["Allow"] == allowed
    answer = Gateway(trusted=LOCAL).request(method, path, {})
    assert (answer.status, answer.headers["Allow"]) == (405, allowed)


@pytest.mark.parametrize("path", ["/", "/nope", "/runs/e1/nope", "/demand-executions/e1/x/y",
                                  "//evil.example/runs", "/%2e%2e/health", "//["])  # fmt: skip
def test_an_unknown_path_is_a_problem_as_well(home, path):
    answer = Gateway(trusted=LOCAL).request("GET", path, {"Authorization": "Bearer x"})
    assert answer.status == 404
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("error", "status"),
    [(RuntimeError("secret"), 500), (Unavailable("later"), 503), (Conflict("no"), 409)],
)
def test_what_the_engine_raises_is_answered(http, monkeypatch, error, status, caplog):
    def fail(*_):
        raise error

    monkeypatch.setattr(intake, "submit", fail)
    response = _post(http, "/demand-executions", shell_demand("e1", "true"))
    assert "secret" not in json.dumps(_problem(response, status))
    assert ("secret" in caplog.text) == (status == 500)


def test_requests_of_several_threads_never_cross():
    """Each is held inside its view until the other is there too."""
    app = Api("crossing", configure_logs=False, env={})
    meeting = threading.Barrier(2, timeout=20)

    @app.route("/")
    def whose():
        meeting.wait()
        return app.current_request.query_params["who"]

    gateway, seen = Gateway(app), {}

    def ask(who):
        seen[who] = gateway.request("GET", f"/?who={who}", {}).body.decode()

    threads = [threading.Thread(target=ask, args=(who,)) for who in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {"a": "a", "b": "b"}


def test_the_lambda_imports_nothing_that_it_does_not_need():
    code = (
        "import sys, os, app; "
        "print(*[m for m in sys.modules if m.startswith(('chalicelib.local', 'chalicelib.cli',"
        " 'chalicelib.worker.', 'rich', 'chalice.local', 'chalice.config', 'sqlite3', 'boto'))],"
        " os.environ.get('AWS_EXECUTION_ENV', ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          cwd=CHECKOUT, env=environment(), check=True)  # fmt: skip
    assert done.stdout.strip() == ""
