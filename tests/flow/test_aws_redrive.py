"""Dead letters go back to where they came from, each as it came, and none is lost."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from moto.sqs import sqs_backends

from chalicelib import bootstrap
from chalicelib.aws import dead_letters, queues
from chalicelib.aws.home import open_home
from chalicelib.cli import main, redriving
from chalicelib.cli.connection import Connection
from chalicelib.core.errors import Refused, Unavailable
from chalicelib.core.principals import LOCAL
from chalicelib.settings import Settings
from chalicelib.web.gateway import Gateway
from tests.contract.aws_places import ACCOUNT, REGION, make_queue
from tests.flow.aws_worlds import a_request, aws_account
from tests.flow.doors import TrustedHttp
from tests.flow.test_aws_submissions import Outage

ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT}:"


@pytest.fixture
def world(monkeypatch):
    """An account whose empty queues say so at once."""
    monkeypatch.setattr(queues, "WAIT_SECONDS", 0)
    with aws_account() as world:
        yield world


@pytest.fixture
def moved(world):
    """Move a message as SQS does after too many receives; moto does not tell of its source."""
    sources = {}

    def tell(parsed, **_):
        for message in parsed.get("Messages", []):
            if (source := sources.get(message["MessageId"])) is not None:
                message.setdefault("Attributes", {})["DeadLetterQueueSourceArn"] = ARN + source

    world.clients.get("sqs").meta.events.register_first("after-call.sqs.ReceiveMessage", tell)

    def move(body, source, **attributes):
        told = {
            name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()
        }
        sent = world.sqs.send_message(
            QueueUrl=world.queues["dead"], MessageBody=body, MessageAttributes=told
        )
        sources[sent["MessageId"]] = source

    return move


def redrive(world):
    """Later than whatever was sent: the queues go by their own clock, not by the world's."""
    world.pass_time()
    return world.home.ports.dead_letters.redrive()


def bodies(world, queue):
    return [message["Body"] for message in world.received(queue)]


def wakes(world):
    return [json.loads(body)["run_id"] for body in bodies(world, "wake")]


def visible_again(world):
    """Let what a redrive has seen and left be seen again, as it is after a minute."""
    for message in sqs_backends[ACCOUNT][REGION].queues["dead"]._messages:
        message.visible_at = 0


def test_what_sqs_moved_goes_back_to_its_own_queue_as_it_was(world, moved):
    document = json.dumps(a_request("e1"))
    moved(document, "submissions", traced="x")
    moved('{"run_id": "e2", "at": "2026-05-01T00:00:00+00:00"}', "wake")
    assert redrive(world) == ({"submissions": 1, "wake": 1}, 0, False)
    (message,) = world.received("submissions")
    assert message["Body"] == document
    assert message["MessageAttributes"]["traced"]["StringValue"] == "x"
    assert wakes(world) == ["e2"]
    assert bodies(world, "dead") == []


def test_a_refused_document_goes_back_out_of_its_envelope_and_runs_when_it_is_mended(world):
    platform = {"aws_batch": {"job_queue_name": "later"}}
    request = json.dumps(a_request("e1", execution_platform=platform))
    world.submit_by_queue(request)
    make_queue("later")
    world.restart()
    assert redrive(world) == ({"submissions": 1}, 0, False)
    assert bodies(world, "dead") == []
    (again,) = bodies(world, "submissions")
    assert again == request
    world.submit_by_queue(again)
    assert world.accepted("e1") == {"stage-in": 1}


def test_a_document_that_was_put_beside_its_letter_goes_back_whole(world):
    body = json.dumps({"execution_id": "ü" * 70_000}, ensure_ascii=False)
    world.submit_by_queue(body)
    assert redrive(world).sent_back == {"submissions": 1}
    assert bodies(world, "submissions") == [body]


def test_an_unreadable_wake_up_call_goes_back_to_the_wake_queue(world):
    world.invoke("on_wake", {"Records": [{"messageId": "m", "body": "not JSON"}]})
    assert redrive(world).sent_back == {"wake": 1}
    assert bodies(world, "wake") == ["not JSON"]


def test_what_is_refused_again_is_the_same_letter_again(world):
    world.submit_by_queue('{"x": 1}')
    for _ in range(3):
        assert redrive(world).sent_back == {"submissions": 1}
        world.submit_by_queue(*bodies(world, "submissions"))
    (letter,) = bodies(world, "dead")
    assert json.loads(letter)["body"] == '{"x": 1}'


def test_a_document_that_looks_like_a_letter_is_not_opened(world, moved):
    document = json.dumps({"reason": {}, "message_id": "m", "number": 1, "body": "inside"})
    moved(document, "submissions")
    world.submit_by_queue(document)
    assert redrive(world).sent_back == {"submissions": 2}
    assert bodies(world, "submissions") == [document, document]


LEFT = {
    "nobody knows its queue": '{"detail-type": "Scheduled Event"}',
    "not JSON": "what",
    "a queue that is gone": json.dumps(
        {"reason": {}, "message_id": "m", "number": 1, "origin": "gone", "body": "{}"}
    ),
    "a document that is gone": json.dumps(
        {"reason": {}, "message_id": "m", "number": 1,
         "body_uri": "s3://falsework/dead-letters/m-1.json"}
    ),
    "a document of somebody else": json.dumps(
        {"reason": {}, "message_id": "m", "number": 1, "body_uri": "s3://requests/secret"}
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(LEFT))
def test_a_letter_that_cannot_go_back_stays_and_keeps_no_other(world, moved, name):
    world.s3.put_object(Bucket="requests", Key="secret", Body=b"{}")
    world.sqs.send_message(QueueUrl=world.queues["dead"], MessageBody=LEFT[name])
    moved("{}", "submissions")
    assert redrive(world) == ({"submissions": 1}, 1, False)
    assert bodies(world, "submissions") == ["{}"]
    visible_again(world)
    assert bodies(world, "dead") == [LEFT[name]]


def test_a_source_that_is_no_queue_of_ours_gets_nothing(world, moved):
    moved("{}", "foreign")
    assert redrive(world) == ({}, 1, False)


def test_a_redrive_that_dies_between_sending_and_removing_loses_nothing(world, moved):
    moved("{}", "submissions")
    outage = Outage(world.clients.get("sqs"), "sqs.DeleteMessageBatch")
    with pytest.raises(Unavailable):
        redrive(world)
    outage.times = 0
    visible_again(world)
    assert redrive(world).sent_back == {"submissions": 1}
    assert bodies(world, "submissions") == ["{}", "{}"]
    assert bodies(world, "dead") == []


def test_a_redrive_that_cannot_send_removes_nothing(world, moved):
    moved("{}", "submissions")
    moved("[]", "submissions")
    outage = Outage(world.clients.get("sqs"), "sqs.SendMessage", times=1)
    assert redrive(world) == ({"submissions": 1}, 1, False)
    assert outage.times == 0
    visible_again(world)
    assert redrive(world) == ({"submissions": 1}, 0, False)
    assert sorted(bodies(world, "submissions")) == ["[]", "{}"]


def test_two_redrives_at_once_share_the_letters(world, moved):
    documents = [str(number) for number in range(25)]
    for document in documents:
        moved(document, "submissions")
    second = []

    def meanwhile(**_):
        if not second:
            second.append(None)
            second.append(redrive(world))

    world.clients.get("sqs").meta.events.register_first("before-call.sqs.SendMessage", meanwhile)
    first = redrive(world)
    assert first.sent_back["submissions"] + second[1].sent_back["submissions"] == 25
    assert sorted(bodies(world, "submissions")) == sorted(documents)


def test_what_is_buried_while_a_redrive_goes_on_waits_for_the_next(world):
    """Each message is refused as soon as it is back, and the redrive ends all the same."""
    real = open_home(world.settings, world.clients, lambda: datetime.now(UTC))
    bootstrap.use(world.settings, real)
    world.submit_by_queue('{"x": 1}', '{"y": 1}')

    def refuse(**_):
        for body in bodies(world, "submissions"):
            world.submit_by_queue(body)

    world.clients.get("sqs").meta.events.register_last(
        "before-call.sqs.DeleteMessageBatch", refuse
    )
    assert redrive(world) == ({"submissions": 2}, 0, False)
    visible_again(world)
    found = [json.loads(letter)["body"] for letter in bodies(world, "dead")]
    assert sorted(found) == ['{"x": 1}', '{"y": 1}']


def test_a_call_takes_so_many_and_says_that_there_are_more(world, moved, monkeypatch):
    monkeypatch.setattr(dead_letters, "AT_ONCE", 10)
    for number in range(15):
        moved(str(number), "submissions")
    assert redrive(world) == ({"submissions": 10}, 0, True)
    assert redrive(world) == ({"submissions": 5}, 0, False)
    assert redrive(world) == ({}, 0, False)


def test_without_a_queue_there_is_nothing_to_redrive(world):
    world.restart(dead_letter_queue_url="")
    with pytest.raises(Refused, match="FALSEWORK_DEAD_LETTER_QUEUE_URL"):
        redrive(world)


def test_the_route_tells_how_many_went_where(world, moved):
    moved("{}", "submissions")
    world.pass_time()
    answer = TrustedHttp().post("/dead-letters/redrive")
    assert answer.status_code == 202, answer.body
    assert answer.json_body == {"sent_back": {"submissions": 1}, "left": 0, "has_more": False}


def test_the_command_says_how_many_went_where(world, moved, capsys, monkeypatch):
    """Over the deployment's own application: HTTP and signatures have tests of their own."""
    monkeypatch.setattr(
        redriving, "connect", lambda _: Connection(Gateway(trusted=LOCAL), is_remote=True)
    )
    monkeypatch.setattr(dead_letters, "AT_ONCE", 1)
    moved("{}", "submissions")
    world.pass_time()
    assert main(["redrive", "--url", "http://127.0.0.1:1"]) == 0
    assert main(["redrive", "--url", "http://127.0.0.1:1"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "1 sent back to submissions",
        "there may be more: run it again",
        "no dead letters were sent back",
    ]
    world.sqs.send_message(QueueUrl=world.queues["dead"], MessageBody="what")
    world.pass_time()
    assert main(["redrive", "--json", "--url", "http://127.0.0.1:1"]) == 0
    assert json.loads(capsys.readouterr().out) == {"sent_back": {}, "left": 1, "has_more": True}


def test_a_deployment_without_a_dead_letter_queue_says_so(world, capsys, monkeypatch):
    monkeypatch.setattr(
        redriving, "connect", lambda _: Connection(Gateway(trusted=LOCAL), is_remote=True)
    )
    world.restart(dead_letter_queue_url="")
    assert main(["redrive", "--url", "http://127.0.0.1:1"]) == 2
    assert "FALSEWORK_DEAD_LETTER_QUEUE_URL" in capsys.readouterr().err


def test_one_machine_has_no_dead_letters(tmp_path, capsys):
    try:
        assert main(["redrive", "--root", str(tmp_path / "root")]) == 0
    finally:
        bootstrap.use(Settings())
    assert capsys.readouterr().out == "no dead letters were sent back\n"
