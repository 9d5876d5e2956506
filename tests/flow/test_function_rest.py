"""The routes and the verb that start functions, on a real embedded home."""

from __future__ import annotations

import json
from pathlib import Path

from chalicelib import bootstrap
from chalicelib.core.site import Site
from chalicelib.local.engine_loop import Loop
from chalicelib.settings import Settings
from tests.flow.doors import TrustedHttp, falsework
from tests.flow.test_kinds_rest import LAMBDA, post, problem


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
