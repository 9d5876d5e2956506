"""Runs that go on after a failure, in a real home with real jobs: retries, resume, rollback."""

from __future__ import annotations

import json

import pytest

from chalicelib import bootstrap
from chalicelib.settings import Settings
from tests.flow.doors import TrustedHttp, copying_demand, shell_demand, until

JSON = {"Content-Type": "application/json"}
STAGES = ("scaffold", "define-jobs", "stage-in", "execute", "stage-out", "clean-up")
DEADLINE_LOOKS = 3000


class Desk:
    """One home, asked over REST and driven by its loop."""

    def __init__(self, root):
        bootstrap.use(Settings(root=root, runner="host"))
        self.objects = bootstrap.home().ports.objects
        self.objects.write("s3://bucket/in.txt", b"hello\n")
        self._http = TrustedHttp()

    def post(self, path, document=None):
        body = b"" if document is None else json.dumps(document).encode()
        answer = self._http.post(path, headers=JSON, body=body)
        return answer.status_code, json.loads(answer.body)

    def get(self, path):
        return self._http.get(path).json_body

    def submit(self, document, **options):
        status, run = self.post("/demand-executions", {**document, "options": options})
        assert status == 202, run
        return run

    def drive(self, is_so):
        """Drive the engine until the run is so; return the run."""
        looks = iter(range(DEADLINE_LOOKS))

        def is_over():
            assert next(looks, None) is not None, self.get("/runs/e1/why")
            return is_so(self.get("/runs/e1"))

        bootstrap.local_loop().run_until(is_over)
        return self.get("/runs/e1")

    def settle(self):
        return self.drive(lambda run: run["settled_at"])

    def stages(self):
        return {stage["stage_name"]: stage for stage in self.get("/runs/e1")["stages"]}

    def executions(self):
        """How often each stage was executed, in all generations."""
        return [len(self.stages()[name]["history"]) for name in STAGES]

    def outputs(self):
        prefix = "s3://bucket/results/e1/res/"
        found = {each.uri.removeprefix(prefix) for each in self.objects.list(prefix)}
        return {name for name in found if not name.startswith(".falsework")}


@pytest.fixture
def desk(tmp_path):
    yield Desk(tmp_path / "root")
    bootstrap.use(Settings(root=tmp_path / "gone"))


def failing_once(marker):
    """Leaves half an output and a spoilt input the first time; works the second, on clean ones."""
    return copying_demand(
        "e1",
        f"if [ -e {marker} ]; then [ ! -e ${{OUT}}/half ] && cp ${{IN}} ${{OUT}}/copy; "
        f"else touch {marker}; echo x > ${{OUT}}/half; echo spoilt > ${{IN}}; exit 3; fi",
    )


def running(stage):
    def is_so(run):
        found = {each["stage_name"]: each for each in run["stages"]}[stage]
        return found["status"] == "RUNNING"

    return is_so


def test_a_job_that_fails_is_tried_again_in_a_clean_directory(desk, tmp_path):
    desk.submit(failing_once(tmp_path / "marker"), max_attempts=2)
    run = desk.settle()
    assert (run["state"], run["generation"]) == ("SUCCESS", 1), run["error"]
    execute = desk.stages()["execute"]
    assert execute["attempts"] == 2
    assert [(e["begin_status"], e["end_status"]) for e in execute["history"]] == [
        ("CREATED", "RETRY"), ("RETRY", "COMPLETE")
    ]  # fmt: skip
    assert "exit code 3" in execute["history"][0]["message"]
    assert desk.outputs() == {"copy"}
    assert desk.objects.read("s3://bucket/results/e1/res/copy") == b"hello\n"
    assert desk.executions() == [1, 1, 1, 2, 1, 1]


def test_without_a_policy_one_failure_is_the_end_until_somebody_resumes_the_run(desk, tmp_path):
    desk.submit(failing_once(tmp_path / "marker"))
    run = desk.settle()
    assert (run["state"], run["error"]["cause"]) == ("ERROR", "user")
    assert desk.executions() == [1, 1, 1, 1, 0, 0]
    status, resumed = desk.post("/runs/e1/resume", {"generation": 1})
    assert (status, resumed["generation"], resumed["error"]) == (202, 2, None)
    assert resumed["settled_at"] is None
    assert desk.settle()["state"] == "SUCCESS"
    assert desk.executions() == [1, 1, 1, 2, 1, 1]
    assert desk.outputs() == {"copy"}


def test_a_job_that_never_works_fails_after_its_last_attempt(desk):
    desk.submit(shell_demand("e1", "exit 7"), retry_policy="STAGE", max_attempts=2)
    assert desk.settle()["state"] == "ERROR"
    ends = [entry["end_status"] for entry in desk.stages()["execute"]["history"]]
    assert ends == ["RETRY", "ERROR"]
    told = desk.get("/runs/e1/why")["why"]
    assert "It was tried 2 times: falsework show e1" in told


def test_attempts_that_all_stages_share_are_used_up_by_all_of_them(desk, tmp_path):
    desk.submit(failing_once(tmp_path / "marker"), retry_policy="GLOBAL", max_attempts=5)
    run = desk.settle()
    assert (run["error"]["stage"], run["error"]["cause"]) == ("stage-out", "attempts_exhausted")
    assert desk.stages()["stage-out"]["attempts"] == 0
    status, problem = desk.post("/runs/e1/resume")
    assert (status, "5 attempts" in problem["detail"]) == (409, True)


@pytest.mark.parametrize(
    ("cleanup", "executions"),
    [("on_success", [1, 1, 2, 2, 2, 2]), ("never", [1, 1, 1, 2, 2, 0])],
)
def test_a_rollback_runs_the_stage_and_all_that_depends_on_it_again(desk, cleanup, executions):
    desk.submit(copying_demand("e1"), cleanup=cleanup)
    assert desk.settle()["state"] == "SUCCESS"
    assert desk.post("/runs/e1/resume")[0] == 409
    desk.objects.remove("s3://bucket/results/e1/res/copy")
    status, run = desk.post("/runs/e1/rollback", {"stage": "execute"})
    assert (status, run["generation"], run["outputs"]) == (202, 2, {})
    run = desk.settle()
    assert (run["state"], desk.executions()) == ("SUCCESS", executions)
    assert desk.outputs() == {"copy"}
    assert run["outputs"]["out"]["files"] == 1


def test_a_canceled_run_is_resumed_and_waits_for_its_old_job(desk, tmp_path):
    gate = tmp_path / "gate"
    desk.submit(shell_demand("e1", until(gate)))
    desk.drive(running("execute"))
    assert desk.post("/runs/e1/cancel")[0] == 202
    assert desk.post("/runs/e1/resume")[0] == 202
    gate.touch()
    run = desk.settle()
    assert (run["state"], run["generation"]) == ("SUCCESS", 2)
    ends = [entry["end_status"] for entry in desk.stages()["execute"]["history"]]
    assert ends == ["CANCELED", "COMPLETE"]


def test_a_job_that_takes_too_long_is_stopped_and_the_run_says_whose_limit_it_was(desk):
    desk.submit(shell_demand("e1", "sleep 300"), timeout_seconds={"execute": 1})
    run = desk.settle()
    assert run["error"] == {
        "stage": "execute",
        "cause": "timeout",
        "message": "attempt 1 took longer than 1 seconds",
    }


def test_a_run_that_takes_too_long_ends_with_its_jobs(desk):
    desk.submit(shell_demand("e1", "sleep 300"), timeout_seconds=2, retry_policy="STAGE")
    run = desk.settle()
    assert (run["error"]["cause"], run["error"]["message"]) == (
        "timeout", "the run has not ended within 2 seconds"
    )  # fmt: skip
