"""Every line that a function writes has the ids by which it is found, whoever writes it."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading

import pytest

from chalicelib.log_ids import ID_CHARACTERS, about, ids
from tests.flow.doors import CHECKOUT, environment

PROGRAM = """
import json, logging, pathlib
from contextlib import contextmanager

import app
from chalicelib import bootstrap
from chalicelib.aws.home import open_home
from chalicelib.tracing import notes_nothing
from tests.flow.aws_worlds import a_request, aws_account, job_event, messages


@contextmanager
def chatty(what, run_id):
    "A library that has something to say in the middle of our work."
    logging.getLogger("urllib3.connectionpool").warning("library at work")
    yield notes_nothing

with aws_account() as world:
    settings = world.settings.model_copy(update={"in_lambda": True})
    home = open_home(settings, world.clients, lambda: world.now)
    home.ports = home.ports._replace(trace=chatty)
    home._submissions._ports = home.ports
    bootstrap.use(settings, home)
    app.on_submission(messages(a_request("e1"), "{", a_request("e2")), None)
    (job_id,) = world.waiting("e1")
    app.on_job_change(job_event(world.jobs[job_id], "RUNNING"), None)
    world.pass_time(4000)
    scheduled = json.loads(pathlib.Path("tests/events/scheduled.json").read_text())["event"]
    app.on_sweep(scheduled, None)
    wake = {"messageId": "m-wake", "body": '{"run_id": "gone"}'}
    app.on_wake({"Records": [{**wake, "eventSourceARN": "arn:aws:sqs:us-east-1:1:wake"}]}, None)
    request = json.loads(pathlib.Path("tests/events/rest-iam.json").read_text())["event"]
    request |= {"resource": "/runs/{run_id}", "path": "/runs/e1", "httpMethod": "GET"}
    request["pathParameters"] = {"run_id": "e1"}
    request["requestContext"] |= {"resourcePath": "/runs/{run_id}", "httpMethod": "GET",
                                  "requestId": "request-7"}
    from chalicelib.web import asked
    def stumble(*_):
        logging.getLogger("botocore.credentials").warning("a library in a route")
        raise RuntimeError("unforeseen")
    asked._identified = stumble
    print(app.app(request, None)["statusCode"])
"""


@pytest.fixture(scope="module")
def lines() -> list[dict]:
    """What the handlers wrote."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=CHECKOUT, env=environment(PYTHONWARNINGS="ignore"),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    *told, status = done.stdout.splitlines()
    assert status == "500"
    return [json.loads(line) for line in told]


def of(lines: list[dict], words: str) -> list[dict]:
    found = [each for each in lines if words in str(each.get("message", ""))]
    assert found, words
    return found


def test_every_line_tells_its_event_and_what_it_belongs_to(lines):
    assert len(lines) > 10
    assert not [each for each in lines if not (each["event_id"] and each["correlation_id"])]


def test_a_library_that_speaks_while_a_run_is_told_something_names_the_run(lines):
    assert {each.get("run_id") for each in of(lines, "library at work")} == {"e1", "e2", "gone"}


def test_a_message_of_many_is_known_by_its_own_id_and_its_event_by_all_of_them(lines):
    (first,) = [each for each in of(lines, "is accepted") if each["run_id"] == "e1"]
    (second,) = [each for each in of(lines, "is accepted") if each["run_id"] == "e2"]
    assert first["event_id"] == second["event_id"]
    assert {first["correlation_id"], second["correlation_id"]} < set(first["event_id"].split(","))
    (refused,) = of(lines, "is refused")
    assert refused["correlation_id"] not in {first["correlation_id"], second["correlation_id"]}


def test_what_is_left_names_its_run(lines):
    (left,) = of(lines, "is left")
    assert (left["run_id"], left["correlation_id"]) == ("gone", "m-wake")


@pytest.mark.parametrize("words", ["a library in a route", "unforeseen"])
def test_a_request_names_the_run_of_its_path(lines, words):
    (line,) = of(lines, words)
    assert (line["run_id"], line["correlation_id"]) == ("e1", "request-7")


def test_a_metric_can_be_found_by_the_run_that_it_is_of(lines):
    metrics = [each for each in lines if "_aws" in each]
    assert {each.get("run_id") for each in metrics if "Submissions" in each} == {"e1", "e2"}
    for each in metrics:
        (directive,) = each["_aws"]["CloudWatchMetrics"]
        assert not {"run_id", "event_id", "correlation_id"} & set(directive["Dimensions"][0])


def test_ids_end_with_what_they_are_about_and_empty_ones_say_nothing():
    with about(run_id="r1", event_id="e"), about(run_id="r2", event_id=""):
        assert ids() == {"run_id": "r2", "event_id": "e"}
    assert ids() == {}


def test_an_id_from_outside_is_no_longer_than_a_line_should_be():
    with about(run_id="x" * 10_000):
        assert len(ids()["run_id"]) == ID_CHARACTERS


def test_what_goes_on_beside_it_has_no_ids_of_another():
    seen: list[dict] = []

    def look() -> None:
        seen.append(dict(ids()))

    with about(run_id="r1"):
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert seen == [{}]


@pytest.fixture
def record() -> logging.LogRecord:
    return logging.LogRecord("x", logging.INFO, "f", 1, "words", None, None)


def test_who_writes_a_line_knows_better_which_run_it_is_about(record):
    from chalicelib.web.logs import _has_ids

    record.run_id = "own"
    with about(run_id="other", event_id="e"):
        assert _has_ids(record)
    assert (record.run_id, record.event_id) == ("own", "e")
