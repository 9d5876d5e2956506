"""Works that are pushed, in the embedded home: real worker processes, files and a webhook."""

from __future__ import annotations

import json
import threading
import time
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from chalicelib import bootstrap
from chalicelib.core.run import RunState
from chalicelib.core.site import Site
from chalicelib.core.work.leases import lease_name
from chalicelib.local.engine_loop import Loop
from chalicelib.run_manager.changes import cancel
from chalicelib.run_manager.files import list_files
from chalicelib.settings import Settings
from chalicelib.works import audits, buckets
from chalicelib.works.pushing import push
from tests.flow.waiting import DEADLINE_SECONDS

PLACE = {"queue": "default", "image": "ghcr.io/somebody/analysis:1"}


class Home:
    """The embedded home of this process, with a site whose works are pushed."""

    def __init__(self, root, **site):
        told = Site.model_validate({"work_sites": {"batch": PLACE}, **site})
        bootstrap.use(Settings(root=root / "root", site=told))
        self.home = bootstrap.home()
        self.works, self.ports = self.home.works, self.home.ports
        self.loop = Loop(self.home)

    def deposit(self, **work):
        document = {"pipeline": "sample", "site": "batch", "user": "tester", **work}
        (work_id,) = buckets.deposit([document], self.works, self.ports.clock())
        return work_id

    def work(self, work_id):
        (kept,) = self.works.works.get([work_id])
        return kept.document

    def run(self, work_id, attempt=1):
        return self.ports.runs.load(lease_name(work_id, attempt))

    def drive(self, work_id, attempt=1):
        """Let the engine work until the attempt's run has settled; return work and run."""
        end = time.monotonic() + DEADLINE_SECONDS

        def is_over():
            runs = self.ports.runs.list().runs
            mine = [run for run in runs if run.id == lease_name(work_id, attempt)]
            return bool(mine and mine[0].settled_at) or time.monotonic() > end

        self.loop.run_until(is_over)
        run = self.run(work_id, attempt)
        assert run.settled_at, run
        return self.work(work_id), run


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


def test_a_command_runs_and_its_output_comes_back(home):
    work, run = home.drive(home.deposit(command=["/bin/echo", "two words", "$HOME"]))
    assert run.state is RunState.SUCCESS, run.error
    assert (work["status"], work["attempt"]) == ("success", 1)
    assert work["results"] == {
        "args": ["/bin/echo", "two words", "$HOME"],
        "stdout": ["two words $HOME"],
        "stderr": [],
        "returncode": 0,
    }
    assert work["start"] <= work["stop"]
    assert run.kind == "work"


FUNCTION = """
from pathlib import Path
def analyse(count, name="none"):
    Path("spectrum.txt").write_text("x" * count)
    Path("plot.png").write_text("picture")
    return {"count": count, "name": name}, ["spectrum.txt"], ["plot.png"]
def burst():
    raise ValueError("no signal")
"""


@pytest.fixture
def with_module(tmp_path):
    """The folder of a module that works can call, as the image would have it."""
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "survey.py").write_text(FUNCTION)
    return {"work_sites": {"batch": {**PLACE, "environment": {"PYTHONPATH": str(folder)}}}}


def test_a_function_runs_and_its_files_are_the_runs(tmp_path, with_module):
    home = Home(tmp_path, **with_module)
    given = {"count": 7, "name": "crab"}
    work, run = home.drive(home.deposit(function="survey.analyse", parameters=given))
    assert work["status"] == "success", run.error
    assert work["results"] == given
    files = {file.key: file for file in list_files(run, home.ports)}
    assert set(files) == {"products/spectrum.txt", "plots/plot.png"}
    assert work["products"] == [files["products/spectrum.txt"].uri]
    assert home.ports.objects.read(work["products"][0]) == b"x" * 7
    assert run.outputs["plots"]["files"] == 1


def test_a_function_that_raises_fails_with_its_error_and_is_tried_as_often_as_it_may(
    tmp_path, with_module
):
    home = Home(tmp_path, **with_module)
    work_id = home.deposit(function="survey.burst", retries=2)
    for attempt in (1, 2):
        work, run = home.drive(work_id, attempt)
        assert (work["status"], work["attempt"]) == ("failure", attempt)
        assert work["results"] == {"error": "ValueError: no signal"}
        assert run.state is RunState.ERROR
        assert run.error.message.endswith("ValueError: no signal")
        assert audits.audit_failed(home.works) == (1 if attempt == 1 else 0)
    assert len(home.ports.runs.list().runs) == 2


def test_a_site_that_requeues_needs_no_audit(tmp_path):
    home = Home(tmp_path, work_sites={"batch": {**PLACE, "requeues": True}})
    work_id = home.deposit(command=["/bin/sh", "-c", "exit 3"], retries=3)
    for attempt in (1, 2, 3):
        work, _ = home.drive(work_id, attempt)
    assert (work["status"], work["attempt"]) == ("failure", 3)
    assert work["results"]["error"] == "it ended with exit code 3"
    assert work["results"]["returncode"] == 3


def test_a_timeout_ends_the_command_and_all_that_it_started(home):
    began = time.monotonic()
    work, run = home.drive(home.deposit(command=["sleep 600 & sleep 600"], timeout=1))
    assert work["status"] == "failure"
    assert "timeout of 1 s" in work["results"]["error"]
    assert run.state is RunState.ERROR
    assert time.monotonic() - began < 60


def test_a_run_that_is_cancelled_fails_its_work(home):
    work_id = home.deposit(command=["sleep", "600"])
    assert push(home.works, home.ports) == 1
    home.loop.run_until(lambda: bool(home.run(work_id).jobs))

    cancel(lease_name(work_id, 1), home.ports, reason="not needed")
    work, run = home.drive(work_id)
    assert run.state is RunState.CANCELED
    assert (work["status"], work["results"]) == ("failure", {"error": "not needed"})


def test_works_of_other_sites_wait_for_somebody_to_withdraw_them(home):
    work_id = home.deposit(site="local", command=["true"])
    assert push(home.works, home.ports) == 0
    assert home.work(work_id)["status"] == "queued"
    assert home.ports.runs.list().runs == ()


def test_the_most_urgent_go_first_and_a_pass_is_bounded(home):
    ids = [home.deposit(command=["true"], priority=p) for p in (1, 5, 3, 5)]
    assert push(home.works, home.ports, most=2) == 2
    states = [home.work(work_id)["status"] for work_id in ids]
    assert states == ["queued", "running", "queued", "running"]


def test_a_waiting_job_does_not_make_its_work_expire(home):
    work_id = home.deposit(command=["true"], timeout=60)
    push(home.works, home.ports)
    later = home.ports.clock() + timedelta(hours=20)
    assert audits.audit_expired(home.works, later) == 0
    assert home.work(work_id)["status"] == "running"
    assert audits.audit_expired(home.works, later + timedelta(days=3)) == 1


class Webhook:
    """An address on this machine that takes messages."""

    def __init__(self, status=200):
        self.messages = []
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                length = int(self.headers["Content-Length"])
                webhook.messages.append(json.loads(self.rfile.read(length)))
                self.send_response(status)
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_port}/services/T0/B0/secret"


@pytest.fixture
def webhook():
    made = Webhook()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_slack_is_told_what_the_work_asks_for(tmp_path, webhook, monkeypatch):
    monkeypatch.setenv("SLACK_FRB", webhook.address)
    home = Home(tmp_path, slack_webhooks={"C02": "env:SLACK_FRB"})
    slack = {"channel_id": "C02", "member_ids": ["U1"], "message": "done", "results": True}
    home.drive(home.deposit(command=["echo hi"], notify={"slack": slack}))
    (message,) = webhook.messages
    assert message["text"].startswith("<@U1> done\n*results*\n")
    assert '"hi"' in message["text"]


def test_nothing_breaks_when_slack_does_not_answer_and_its_address_is_not_logged(
    tmp_path, monkeypatch, caplog
):
    monkeypatch.setenv("SLACK_FRB", "http://127.0.0.1:9/services/T0/B0/secret")
    home = Home(tmp_path, slack_webhooks={"default": "env:SLACK_FRB"})
    slack = {"message": "done"}
    work, run = home.drive(home.deposit(command=["true"], notify={"slack": slack}))
    assert (work["status"], run.state) == ("success", RunState.SUCCESS)
    assert "Slack was not told" in caplog.text
    assert "services" not in caplog.text
