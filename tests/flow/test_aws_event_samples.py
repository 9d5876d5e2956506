"""Every handler takes AWS's own samples, and the rules let pass what is meant for them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from moto.events.models import EventPattern

import app
from chalicelib.aws.inbound import (
    DroppedObject,
    Message,
    ids_of,
    read_messages,
    read_object_created,
    read_wake,
)
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.principals import LOCAL
from chalicelib.web.asked import trusting
from tests.flow.aws_worlds import aws_account

EVENTS = Path(__file__).parents[1] / "events"
JOBS = {path.stem for path in EVENTS.glob("batch-job-*.json")}
OBJECTS = {path.stem for path in EVENTS.glob("object-*.json")}


def sample(name):
    return json.loads((EVENTS / f"{name}.json").read_text("utf-8"))["event"]


def patterns():
    return {
        config.name: EventPattern(None, config.event_pattern)
        for config in app.app.event_sources
        if hasattr(config, "event_pattern")
    }


@pytest.fixture(scope="module")
def world():
    with aws_account() as world:
        yield world


@pytest.mark.parametrize("name", sorted(path.stem for path in EVENTS.glob("*.json")))
def test_every_sample_names_its_source(name):
    told = json.loads((EVENTS / f"{name}.json").read_text("utf-8"))
    assert told["source"].startswith("https://docs.aws.amazon.com/")


@pytest.mark.parametrize("name", sorted(JOBS | OBJECTS | {"scheduled"}))
def test_the_rules_let_pass_what_is_meant_for_a_handler(name):
    wanted = {
        **{name: {"on_job_change"} for name in JOBS},
        **{name: {"on_object_created"} for name in OBJECTS},
        "object-created-receipt": set(),
        "batch-job-array-child": set(),
        "batch-job-array-parent": set(),  # PENDING
        "batch-job-unknown-properties": set(),  # STARTING
    }
    passed = {handler for handler, rule in patterns().items() if rule.matches_event(sample(name))}
    assert passed == wanted.get(name, set())


@pytest.mark.parametrize(
    ("key", "passes"),
    [
        ("requests/a.json", True),
        ("requests/a/b.jsonl", True),
        ("requests/a.json.part", False),
        ("requests/a.txt", False),
        ("a/requests/a.json", False),
    ],
)
def test_only_request_files_cost_an_invocation(key, passes):
    event = sample("object-created")
    event["detail"]["object"]["key"] = key
    assert patterns()["on_object_created"].matches_event(event) is passes


def test_jobs_of_others_cost_no_invocation():
    event = sample("batch-job-running")
    event["detail"]["jobName"] = "somebody-elses"
    assert not patterns()["on_job_change"].matches_event(event)


@pytest.mark.parametrize(
    ("handler", "name"),
    [
        *(("on_job_change", name) for name in sorted(JOBS)),
        *(("on_object_created", name) for name in sorted(OBJECTS)),
        ("on_wake", "sqs-wake"),
        ("on_submission", "sqs-submissions"),
    ],
)
def test_a_handler_takes_the_sample_though_nothing_in_it_is_known(world, handler, name):
    assert world.invoke(handler, sample(name)) is None
    assert world.home.ports.runs.list().runs == ()


def test_the_sweep_takes_its_sample(world):
    parts = ("runs", "request_files", "recounted", "pushed_works", "configs", "schedules")
    nothing = dict.fromkeys(parts, 0)
    assert world.invoke("on_sweep", sample("scheduled")) == nothing


def test_rest_takes_the_sample(world):
    answer = app.app(sample("rest-iam"), None)
    assert (answer["statusCode"], json.loads(answer["body"])["status"]) == (401, 401)
    with trusting(LOCAL):
        answer = app.app(sample("rest-iam"), None)
    assert (answer["statusCode"], json.loads(answer["body"])["status"]) == (404, 404)


def test_samples_are_read():
    assert read_object_created(sample("object-created")) == DroppedObject(
        "requests",
        "requests/team/a b%.json",
        "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e",
        "b1946ac92492d2347c6235b4d2611184",
    )
    assert read_messages(sample("sqs-submissions"))[0] == Message(
        "059f36b4-87a3-44ab-83d2-661975830a7d", '{"execution_id": "e1"}'
    )
    assert read_wake(read_messages(sample("sqs-wake"))[0].body) == "e1"


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("scheduled", {"event_id": "89d1a02d-5ec7-412e-82f5-13505f849b41"}),
        ("sqs-wake", {"event_id": "059f36b4-87a3-44ab-83d2-661975830a7d"}),
        (
            "batch-job-running",
            {"event_id": sample("batch-job-running")["id"], "run_id": "r1"},
        ),
    ],
)
def test_an_events_ids_are_found(name, ids):
    assert ids_of(sample(name)) == ids


@pytest.mark.parametrize("body", ["", "x", "[]", "{}", '{"run_id": ""}', '{"run_id": 1}', "null"])
def test_what_is_no_wake_up_call_goes_to_the_dead_letters_with_its_reason(world, body):
    with pytest.raises(InvalidRequest):
        read_wake(body)
    event = sample("sqs-wake")
    event["Records"][0]["body"] = body
    world.received("dead")  # the account is shared: what others have left there
    assert world.invoke("on_wake", event) is None
    (letter,) = [json.loads(message["Body"]) for message in world.received("dead")]
    assert letter["body"] == body
    assert letter["reason"]["detail"]


@pytest.mark.parametrize("detail", [None, {}, {"bucket": "x"}, {"bucket": {"name": "requests"}}])
def test_an_object_event_that_cannot_be_read_is_left(world, detail):
    event = {**sample("object-created"), "detail": detail}
    assert world.invoke("on_object_created", event) is None


def test_a_job_event_that_cannot_be_read_is_left(world):
    event = {**sample("batch-job-running"), "detail": {"jobName": "falsework-x"}}
    assert world.invoke("on_job_change", event) is None
