"""A document of any kind comes in by every way: dropped as a file, through the queue, by REST."""

from __future__ import annotations

import json

import pytest

from chalicelib import bootstrap, kinds
from chalicelib.cli.request_kinds import ROUTES
from chalicelib.core.plans.demand_execution import KIND as DEMAND
from chalicelib.local.request_files import RequestFiles
from chalicelib.settings import Settings
from tests.flow.aws_worlds import IMAGE, a_request, aws_account, messages
from tests.flow.doors import TrustedHttp
from tests.flow.test_kinds_rest import post

VALUE = {"stages": [{"name": "v", "kind": "value", "value": 1}]}
DOCUMENTS = {
    DEMAND: {"execution_image": IMAGE} | a_request(),
    "pipeline": VALUE,
    "batch-job": {"image": IMAGE},
    "batch-lambda": {"image": IMAGE, "handler": "h", "payload": 1},
    "batch-executor": {"image": IMAGE, "executor": "e", "payload": 1},
    "lambda-function": {"function_name": "list_data_paths"},
    "data-sync": {"source_path": "s3://aaa/b", "destination_path": "s3://ccc/d"},
    "data-path-stats": {"path": "s3://aaa/b"},
    "list-data-paths": {"path": "s3://aaa/b"},
    "outdated-data-paths": {"path": "s3://aaa/b"},
    "remove-data-paths": {"paths": []},
    "file-system-cleanup": {"path": "/tmp/nothing", "days_since_last_accessed": 1},
}
each_kind = pytest.mark.parametrize("kind", DOCUMENTS)


def of(kind, **more):
    return {"kind": kind, **DOCUMENTS[kind], **more}


@pytest.fixture
def ports(tmp_path):
    bootstrap.use(Settings(root=tmp_path / "root", runner="host"))
    yield bootstrap.ports()
    bootstrap.use(Settings(root=tmp_path / "gone"))


def known(ports):
    return {run.kind for run in ports.runs.list().runs}


def test_every_kind_has_a_document_here_and_a_route():
    assert set(DOCUMENTS) == set(kinds.KINDS) == set(ROUTES)


@each_kind
def test_a_request_file_may_hold_it(ports, tmp_path, kind):
    file = tmp_path / "root/s3/requests/requests/a.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(of(kind)))
    watched = RequestFiles(tmp_path / "root", ports)
    while not watched.scan():
        pass
    receipt = json.loads((tmp_path / "root/s3/requests/receipts/a.json").read_text())
    (entry,) = receipt["versions"]
    assert "error" not in entry, entry
    (run,) = ports.runs.list().runs
    assert run.kind == kind


@each_kind
def test_a_route_takes_it_with_its_kind(ports, kind):
    response = post(TrustedHttp(), ROUTES[kind], of(kind))
    assert response.json_body["kind"] == kind, response.json_body


def test_a_message_that_comes_again_is_the_same_run():
    with aws_account() as world:
        body = [of("pipeline"), of("batch-job"), VALUE, of("pipeline", run_id="mine"), of(DEMAND)]
        world.submit_by_queue(body)
        world.submit_by_queue(body)
        runs = world.home.ports.runs.list().runs
        assert sorted(run.kind for run in runs) == [
            "batch-job", DEMAND, "pipeline", "pipeline", "pipeline",
        ]  # fmt: skip
        assert {"mine", "e1"} < {run.id for run in runs}
        assert world.received("dead") == []


def test_what_is_sent_on_twice_is_the_same_run():
    with aws_account() as world:
        body = [{**VALUE, "input": number} for number in range(30)]
        for time in range(2):
            world.submit_by_queue(body)
            for number, message in enumerate(world.received("submissions")):
                sent_on = messages(message["Body"])
                sent_on["Records"][0]["messageId"] = f"sent-on-{time}-{number}"
                world.invoke("on_submission", sent_on)
        assert len(world.home.ports.runs.list(limit=100).runs) == 30


def test_a_kind_that_nobody_knows_is_a_dead_letter():
    with aws_account() as world:
        world.submit_by_queue({"kind": "nothing"}, {"kind": 7})
        for letter in world.received("dead"):
            assert "there is no kind" in json.loads(letter["Body"])["reason"]["detail"]


def test_the_lines_of_a_dropped_file_are_runs_of_their_own():
    with aws_account() as world:
        lines = [VALUE, VALUE, of("batch-job")]
        event = world.drop("requests/m.jsonl", "\n".join(map(json.dumps, lines)).encode())
        for _ in range(2):
            world.invoke("on_object_created", event)
        kinds_of = sorted(run.kind for run in world.home.ports.runs.list().runs)
        assert kinds_of == ["batch-job", "pipeline", "pipeline"]


def test_a_demand_may_have_a_key_that_is_called_kind(ports):
    document = {**DOCUMENTS[DEMAND], "kind": "of my own"}
    assert kinds.submit(document, ports, "here").kind == DEMAND
