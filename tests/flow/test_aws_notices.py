"""Who wants to be told of a run is told, on AWS: mail, topics, events and webhooks, on moto."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress

import boto3
import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.ses.models import ses_backends
from moto.sqs.models import sqs_backends

from chalicelib.core.errors import Misconfigured
from chalicelib.core.notice import SIGNATURE, TIMESTAMP, Notice, signature
from chalicelib.core.plans.announcements import Target
from chalicelib.core.site import Site
from chalicelib.notice_ports import LONGEST_REST_SECONDS
from tests.contract.aws_places import REGION
from tests.flow.aws_worlds import SITE, a_request, aws_account, play
from tests.flow.doors import TrustedHttp
from tests.flow.receiver import Receiver
from tests.flow.worlds import Killed
from tests.unit.test_notifications import told

SECRET = "open sesame"
SENDER, ANN = "falsework@example.org", "ann@example.org"
EVERYTHING = {"webhooks": ["ci"], "topics": ["lab"], "mail": [ANN]}


@pytest.fixture
def receiver():
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def world(receiver):
    with aws_account() as world:
        Deployment(world, receiver)
        yield world


class Deployment:
    """What a deployment with notifications has besides."""

    def __init__(self, world, receiver):
        def client(service):
            return boto3.client(service, region_name=REGION)

        for name in ("notices", "notices-dead", "heard", "events"):
            world.queues[name] = world.sqs.create_queue(QueueName=name)["QueueUrl"]
        client("sesv2").create_email_identity(EmailIdentity=SENDER)
        sns, events, secrets = client("sns"), client("events"), client("secretsmanager")
        topic = sns.create_topic(Name="lab")["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn(world, "heard"))
        pattern = {"source": ["falsework.run"]}
        events.put_rule(Name="ours", EventPattern=json.dumps(pattern))
        events.put_targets(Rule="ours", Targets=[{"Id": "q", "Arn": arn(world, "events")}])
        secret = secrets.create_secret(Name="ci", SecretString=SECRET)["ARN"]
        hook = {"url": receiver.url("/hook"), "secret": secret, "is_private": True}
        notifications = {
            "webhooks": {"ci": hook},
            "topics": {"lab": topic},
            "mail_from": SENDER,
            "event_bus": "default",
        }
        site = Site.model_validate(
            {**SITE.model_dump(exclude_unset=True), "notifications": notifications}
        )
        world.restart(
            site=site,
            notices_queue_url=world.queues["notices"],
            notice_dead_letter_queue_url=world.queues["notices-dead"],
            reports_batch_item_failures=True,
        )


def arn(world, queue):
    asked = {"QueueUrl": world.queues[queue], "AttributeNames": ["QueueArn"]}
    return world.sqs.get_queue_attributes(**asked)["Attributes"]["QueueArn"]


def taken(world, count=10):
    """Take messages as Lambda's poller does: they stay in the queue until they are deleted."""
    answer = world.sqs.receive_message(
        QueueUrl=world.queues["notices"],
        MaxNumberOfMessages=count,
        MessageSystemAttributeNames=["ApproximateReceiveCount"],
    )
    return [
        {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"],
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": arn(world, "notices"),
            "awsRegion": REGION,
        }
        for message in answer.get("Messages", [])
    ]


def deliver(world):
    """Let the handler have what waits, and remove what it took; return how many come again."""
    failed = 0
    while records := taken(world):
        answer = world.invoke("on_notice", {"Records": records})
        again = {each["itemIdentifier"] for each in answer["batchItemFailures"]}
        failed += len(again)
        for record in records:
            if record["messageId"] not in again:
                handle = record["receiptHandle"]
                world.sqs.delete_message(QueueUrl=world.queues["notices"], ReceiptHandle=handle)
    return failed


def mails():
    return ses_backends[DEFAULT_ACCOUNT_ID][REGION].sent_messages


def waiting(world):
    """Who is to be told what, as it waits in the queue."""
    found = [Notice.model_validate_json(each["Body"]) for each in world.received("notices")]
    return Counter((each.target.kind, each.told.state) for each in found)


def test_everybody_is_told_once_of_the_end(world, receiver):
    world.submit_by_queue(a_request(options={"notify": EVERYTHING}))
    run = play(world, "e1")
    assert deliver(world) == 0
    (mail,) = mails()
    assert mail.destinations["ToAddresses"] == [ANN]
    assert (mail.source, mail.subject) == (SENDER, "[falsework] Run e1: SUCCESS")
    (message,) = world.received("heard")
    envelope = json.loads(message["Body"])
    assert envelope["MessageAttributes"]["status"]["Value"] == "SUCCESS"
    assert json.loads(envelope["Message"])["id"] == f"{run.uid}:1:SUCCESS"
    (request,) = receiver.requests
    assert json.loads(request.body) == json.loads(envelope["Message"])
    timestamp = request.headers[TIMESTAMP]
    assert request.headers[SIGNATURE] == signature(SECRET, timestamp, request.body)


def test_the_event_bus_hears_of_every_run(world):
    world.submit_by_queue(a_request())
    play(world, "e1")
    assert deliver(world) == 0
    events = [json.loads(each["Body"]) for each in world.received("events")]
    assert {(e["source"], e["detail-type"]) for e in events} == {
        ("falsework.run", "Run State Change")
    }
    assert sorted(e["detail"]["state"] for e in events) == ["PENDING", "RUNNING", "SUCCESS"]


def test_a_demands_own_list_is_mailed(world):
    metadata = {"notify_list": [ANN, "bob@example.org"], "notify_on": {"IN_PROGRESS": True}}
    world.submit_by_queue(a_request(execution_metadata=metadata))
    deliver(world)
    assert sorted(mail.destinations["ToAddresses"][0] for mail in mails()) == [
        ANN,
        "bob@example.org",
    ]
    assert "Run e1 is RUNNING" in mails()[0].body


def test_one_that_fails_comes_again_and_the_others_do_not(world, receiver):
    receiver.answers = [503]
    world.submit_by_queue(a_request(options={"notify": EVERYTHING}))
    play(world, "e1")
    assert deliver(world) == 1
    assert len(mails()) == 1
    assert taken(world) == []  # put off, not given up
    wake(world)
    assert deliver(world) == 0
    assert (len(mails()), len(receiver.requests)) == (1, 2)


def wake(world):
    """Half an hour later, as SQS counts it."""
    for message in sqs_backends[DEFAULT_ACCOUNT_ID][REGION].queues["notices"]._messages:
        message.change_visibility(0)


@pytest.mark.parametrize(
    ("received", "asked", "seconds"),
    [(1, "", 30), (2, "", 60), (5, "", 480), (6, "", 900), (50, "", 900), (1, "5", 30),
     (1, "3600", 3600), (6, "3600", 3600), (1, "999999", LONGEST_REST_SECONDS)],
    ids=str,
)  # fmt: skip
def test_the_pause_doubles_up_to_a_quarter_of_an_hour_unless_the_receiver_asks_for_more(
    world, receiver, received, asked, seconds
):
    receiver.answers, receiver.headers = [503], {"Retry-After": asked}
    notice = Notice(target=Target(kind="webhook", name="ci"), told=told())
    body = notice.model_dump_json(exclude_none=True)
    world.sqs.send_message(QueueUrl=world.queues["notices"], MessageBody=body)
    (record,) = taken(world)
    record["attributes"]["ApproximateReceiveCount"] = str(received)
    hidden = []
    world.home._notices._queue.hide = lambda _, pause: hidden.append(pause)
    world.invoke("on_notice", {"Records": [record]})
    assert hidden == [seconds]


def test_what_is_hopeless_goes_to_its_own_dead_letters_and_comes_back(world, receiver):
    receiver.answers = [404]
    world.submit_by_queue(a_request(options={"notify": {"webhooks": ["ci"]}}))
    play(world, "e1")
    assert deliver(world) == 0
    assert world.received("dead") == []
    world.pass_time()  # SQS goes by its own clock, not by the world's
    answer = TrustedHttp().post("/dead-letters/redrive")
    assert (answer.status_code, answer.json_body["sent_back"]) == (202, {"notices": 1})
    deliver(world)
    assert len(receiver.requests) == 2
    assert world.received("notices-dead") == []


@pytest.mark.parametrize("body", ["{", "{}", "[]", '{"target": {"kind": "pigeon"}}'], ids=str)
def test_what_is_no_notice_is_a_dead_letter(world, body):
    world.sqs.send_message(QueueUrl=world.queues["notices"], MessageBody=body)
    assert deliver(world) == 0
    (letter,) = world.received("notices-dead")
    assert json.loads(letter["Body"])["origin"] == "notices"


@pytest.mark.parametrize(
    "target",
    [("mail", "not an address"), ("topic", "none"), ("webhook", "none"), ("events", "none")],
    ids=lambda target: target[0],
)
def test_what_aws_will_never_take_is_a_dead_letter_with_its_reason(world, target):
    notice = Notice(target=Target(kind=target[0], name=target[1]), told=told())
    if target[0] == "mail":
        # moto takes any address; the site's own rule does not.
        notifications = world.settings.site.notifications.model_copy(
            update={"mail_domains": ("example.org",)}
        )
        site = world.settings.site.model_copy(update={"notifications": notifications})
        world.restart(site=site)
    body = notice.model_dump_json(exclude_none=True)
    world.sqs.send_message(QueueUrl=world.queues["notices"], MessageBody=body)
    assert deliver(world) == 0
    (letter,) = world.received("notices-dead")
    assert json.loads(letter["Body"])["reason"]["detail"]


def test_a_deployment_without_the_queue_refuses_to_promise_notices(world):
    with pytest.raises(Misconfigured, match="FALSEWORK_NOTICES_QUEUE_URL"):
        world.restart(notices_queue_url="")


def test_what_a_program_wrote_as_it_failed_is_taken_by_the_queue_whatever_it_is(world):
    """SQS takes no U+FFFF, and a change that it refused would be owed for ever."""
    notice = Notice(target=Target(kind="webhook", name="ci"), told=told(why="\uffff \x00 \u00e4"))
    world.home.ports.announcer.announce(notice)
    (message,) = world.received("notices")
    assert message["Body"].isascii()
    assert Notice.model_validate_json(message["Body"]) == notice


def test_without_partial_failures_the_whole_batch_comes_again(world, receiver):
    world.restart(reports_batch_item_failures=False)
    receiver.answers = [503]
    world.submit_by_queue(a_request(options={"notify": {"webhooks": ["ci"]}}))
    play(world, "e1")
    with pytest.raises(Exception, match="could not be taken in yet"):
        world.invoke("on_notice", {"Records": taken(world)})


def live(world, run_id):
    """Play a run whose events are lost now and then, through at most one death."""
    for _ in range(2):
        with suppress(Killed):
            world.restart()
            world.submit_by_queue(a_request(run_id, options={"notify": {"webhooks": ["ci"]}}))
            break
    for _ in range(12):
        with suppress(Killed):
            for job_id in world.waiting(run_id):
                world.finish(job_id)
                world.tell(job_id, "SUCCEEDED")
            run = world.run(run_id)
            if run.settled_at is not None and run.next_check_at is None:
                return run
            world.pass_time()
            world.sweep()
            continue
        world.restart()
    return world.run(run_id)


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
def test_whoever_dies_wherever_it_is_told_of_the_end_and_of_each_change(world, is_after):
    live(world, "warm")
    waiting(world)
    world.dying.reset()
    live(world, "dry")
    trace = world.dying.trace
    expected = {("events", "PENDING"), ("events", "RUNNING"), ("events", "SUCCESS"),
                ("webhook", "SUCCESS")}  # fmt: skip
    assert set(waiting(world)) == expected
    notable = [at for at, name in enumerate(trace, 1) if name == "sqs.SendMessage"]
    assert len(notable) >= len(expected)
    for at in notable:  # before the next save is after this one
        world.dying.reset(at, is_after=is_after)
        run = live(world, f"run{at}")
        where = f"call {at}, {trace[at - 1]}"
        assert run.next_check_at is None, where
        assert set(waiting(world)) == expected, where
