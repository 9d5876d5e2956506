"""What is wrong with one message disturbs no other, and is not lost."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from chalicelib.aws.submissions import AT_ONCE
from chalicelib.core.errors import Unavailable
from tests.flow.aws_worlds import a_request, aws_account, messages


@pytest.fixture
def world():
    with aws_account() as world:
        yield world


class Outage:
    """A botocore hook that answers an operation with an error, as often as it is told."""

    def __init__(self, client, operation, times=1_000, code="InternalFailure"):
        self.times = times
        self._code = code
        client.meta.events.register_first(f"before-call.{operation}", self)

    def __call__(self, model, **_):
        if self.times > 0:
            self.times -= 1
            response = {"Error": {"Code": self._code, "Message": "down"}}
            raise ClientError(
                {**response, "ResponseMetadata": {"HTTPStatusCode": 500}}, model.name
            )


def run_ids(world):
    return {run.id for run in world.home.ports.runs.list().runs}


def letters(world):
    return [
        (json.loads(letter["Body"]), letter["MessageAttributes"])
        for letter in world.received("dead")
    ]


BAD = {
    "not JSON": ("Test message.", 400),
    "empty": ("", 400),
    "a number": ("1", 400),
    "an empty list": ("[]", 400),
    "a key twice": ('{"execution_id": "a", "execution_id": "b"}', 400),
    "a field missing": ({"execution_id": "e1"}, 400),
    "an unknown queue": (
        a_request(execution_platform={"aws_batch": {"job_queue_name": "none"}}),
        400,
    ),
    "not allowed": (a_request(options={"privileged": True}), 403),
    "an image that is not there": (a_request(execution_type="t") | {"execution_image": "no"}, 404),
    "a surrogate": ('{"execution_id": "\\ud800"}', 400),
}


@pytest.mark.parametrize("is_reported", [False, True], ids=["raises", "reports"])
@pytest.mark.parametrize("name", sorted(BAD))
def test_a_bad_message_among_good_ones_becomes_a_dead_letter(world, name, is_reported):
    world.restart(reports_batch_item_failures=is_reported)
    bad, status = BAD[name]
    answer = world.submit_by_queue(a_request("good1"), bad, a_request("good2"))
    assert answer == ({"batchItemFailures": []} if is_reported else None)
    assert run_ids(world) == {"good1", "good2"}
    ((letter, attributes),) = letters(world)
    assert letter["reason"]["status"] == status
    assert letter["message_id"] == "message-1"
    assert letter["body"] == (bad if isinstance(bad, str) else json.dumps(bad))
    assert attributes["status"]["StringValue"] == str(status)
    assert attributes["reason"]["StringValue"] in letter["reason"]["detail"].replace("\n", " ")


def test_an_id_in_use_is_a_dead_letter_and_the_run_goes_on(world):
    world.submit_by_queue(a_request("e1"))
    world.submit_by_queue(a_request("e1", execution_type="other"))
    ((letter, _),) = letters(world)
    assert letter["reason"]["status"] == 409
    assert world.accepted("e1") == {"stage-in": 1}


def test_each_bad_document_of_a_message_is_a_letter_of_its_own(world):
    world.submit_by_queue([a_request("a"), {"x": 1}, a_request("b"), 7])
    assert run_ids(world) == {"a", "b"}
    found = {letter["number"]: letter["body"] for letter, _ in letters(world)}
    assert found == {2: '{"x": 1}', 4: "7"}


def test_a_large_refused_document_is_kept_beside_its_letter(world):
    body = json.dumps({"execution_id": "x" * 70_000})
    world.submit_by_queue(body)
    ((letter, _),) = letters(world)
    assert "body" not in letter
    assert world.home.ports.objects.read(letter["body_uri"]).decode() == body


@pytest.mark.parametrize("is_reported", [False, True], ids=["raises", "reports"])
def test_an_outage_brings_only_that_message_again_or_all_of_them(world, is_reported):
    world.restart(reports_batch_item_failures=is_reported)
    world.submit_by_queue(a_request("first"))  # the facilities are known now
    outage = Outage(world.clients.get("dynamodb"), "dynamodb.GetItem", times=2)
    bodies = [a_request("first"), {"x": 1}, a_request("second")]
    if is_reported:
        answer = world.submit_by_queue(*bodies)
        assert answer == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}
    else:
        with pytest.raises(Unavailable, match="1 of 3"):
            world.submit_by_queue(*bodies)
    assert outage.times == 0
    assert run_ids(world) == {"first", "second"}
    assert len(letters(world)) == 1
    world.submit_by_queue(*bodies)
    assert world.accepted("first") == world.accepted("second") == {"stage-in": 1}


@pytest.mark.parametrize("is_reported", [False, True], ids=["raises", "reports"])
def test_a_dead_letter_that_cannot_be_sent_brings_its_message_again(world, is_reported):
    world.restart(reports_batch_item_failures=is_reported)
    Outage(world.clients.get("sqs"), "sqs.SendMessage", times=1)
    if is_reported:
        answer = world.submit_by_queue({"x": 1}, {"y": 1})
        assert answer == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}
    else:
        with pytest.raises(Unavailable):
            world.submit_by_queue({"x": 1}, {"y": 1})
    assert [letter["body"] for letter, _ in letters(world)] == ['{"y": 1}']


def test_without_a_dead_letter_queue_the_message_stays_in_its_own(world):
    world.restart(dead_letter_queue_url="")
    with pytest.raises(Unavailable):
        world.submit_by_queue({"x": 1}, a_request("good"))
    assert run_ids(world) == {"good"}


def test_a_broken_first_line_takes_no_other_with_it(world):
    lines = ['{"broken', json.dumps(a_request("good")), json.dumps(a_request("better"))]
    world.submit_by_queue("\n".join(lines))
    assert run_ids(world) == {"good", "better"}
    assert [letter["body"] for letter, _ in letters(world)] == ['{"broken']


def test_more_documents_than_one_message_may_hold_are_sent_on(world):
    lines = [json.dumps(a_request(f"e{number}")) for number in range(AT_ONCE + 1)]
    world.submit_by_queue("\n".join([*lines, "7"]))
    assert run_ids(world) == set()
    sent = [message["Body"] for message in world.received("submissions")]
    assert [len(body.splitlines()) for body in sent] == [AT_ONCE, 1]
    assert "\n".join(sent).splitlines() == lines
    assert [(letter["number"], letter["body"]) for letter, _ in letters(world)] == [
        (AT_ONCE + 2, "7")
    ]


def test_a_bug_in_one_document_stops_no_other(world, monkeypatch):
    submissions = world.home._submissions
    good = submissions._submit

    def submit(document, ports, origin):
        if document["execution_id"] == "bug":
            raise ZeroDivisionError
        return good(document, ports, origin)

    monkeypatch.setattr(submissions, "_submit", submit)
    with pytest.raises(Unavailable):
        world.invoke("on_submission", messages([a_request("bug"), a_request("a")], a_request("b")))
    assert run_ids(world) == {"a", "b"}
    assert letters(world) == []
