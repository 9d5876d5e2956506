"""Request files in S3: receipts, versions, keys, files of very many, and those missed."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from urllib.parse import quote, quote_plus

import pytest

from chalicelib.aws import dropped_files
from chalicelib.aws.submissions import AT_ONCE
from chalicelib.core.errors import StaleRun, Unavailable
from tests.flow.aws_worlds import a_request, aws_account, object_created
from tests.flow.test_aws_submissions import Outage, run_ids


@pytest.fixture
def world():
    with aws_account() as world:
        yield world


def request(run_id):
    return json.dumps(a_request(run_id)).encode()


def take(world, key, content):
    world.invoke("on_object_created", world.drop(key, content))


def statuses(world, name):
    return [entry["status"] for entry in world.receipt(name)["versions"]]


def test_a_refused_version_hides_none_that_was_accepted(world):
    take(world, "requests/a.json", request("r1"))
    take(world, "requests/a.json", b"{")
    take(world, "requests/a.json", b'{"execution_id": "r1"}')
    assert statuses(world, "a.json") == ["accepted", "refused", "refused"]
    assert world.receipt("a.json")["versions"][1]["problem"]["status"] == 400


def test_versions_of_a_versioned_bucket_are_told_apart_and_each_is_read(world):
    world.s3.put_bucket_versioning(
        Bucket="requests", VersioningConfiguration={"Status": "Enabled"}
    )
    events = [world.drop("requests/a.json", content) for content in (request("r1"), b"{", b"{")]
    for event in reversed(events):
        world.invoke("on_object_created", event)
        world.invoke("on_object_created", event)
    versions = [entry["version"] for entry in world.receipt("a.json")["versions"]]
    told = [event["detail"]["object"]["version-id"] for event in reversed(events)]
    assert versions == told
    assert statuses(world, "a.json") == ["refused", "refused", "accepted"]


def test_a_file_that_was_replaced_before_it_was_read_is_answered_once(world):
    first = world.drop("requests/a.json", request("r1"))
    second = world.drop("requests/a.json", request("r2"))
    world.invoke("on_object_created", first)
    world.invoke("on_object_created", second)
    assert [entry["run_id"] for entry in world.receipt("a.json")["versions"]] == ["r2"]


def test_a_file_that_was_removed_before_it_was_read_is_left(world):
    event = world.drop("requests/a.json", request("r1"))
    world.s3.delete_object(Bucket="requests", Key="requests/a.json")
    assert world.invoke("on_object_created", event) is None
    assert run_ids(world) == set()


@pytest.mark.parametrize(
    "encode",
    [str, quote, lambda key: quote_plus(key, safe="/")],
    ids=["as it is", "%20", "plus"],
)
@pytest.mark.parametrize(
    "name", ["a b.json", "a+b.json", "a%20b.json", "ü/100%.json", "a//b.json"]
)
def test_a_key_is_found_however_the_event_spells_it(world, name, encode):
    event = world.drop(f"requests/{name}", request("r1"))
    event["detail"]["object"]["key"] = encode(f"requests/{name}")
    world.invoke("on_object_created", event)
    assert statuses(world, name) == ["accepted"]


def test_a_key_is_never_taken_for_another_one(world):
    """``a%20b`` was removed; ``a b`` is somebody else's."""
    event = world.drop("requests/a%20b.json", request("r1"))
    world.s3.delete_object(Bucket="requests", Key="requests/a%20b.json")
    world.drop("requests/a b.json", request("r2"))
    world.invoke("on_object_created", event)
    assert run_ids(world) == set()


@pytest.mark.parametrize(
    "key", ["receipts/a.json", "requests/a.txt", "requests/.json", "elsewhere/a.json"]
)
def test_what_is_no_request_file_is_left(world, key):
    take(world, key, request("r1"))
    assert run_ids(world) == set()


def test_another_buckets_object_is_left(world):
    event = world.drop("requests/a.json", request("r1"))
    event["detail"]["bucket"]["name"] = "falsework"
    world.invoke("on_object_created", event)
    assert run_ids(world) == set()


def test_a_file_that_is_too_large_is_refused_and_not_read(world):
    take(world, "requests/a.json", b" " * (6 * 1024 * 1024 + 1))
    (entry,) = world.receipt("a.json")["versions"]
    assert (entry["status"], entry["problem"]["status"]) == ("refused", 413)


@pytest.mark.parametrize(
    ("operation", "times"), [("s3.GetObject", 1), ("s3.PutObject", 9), ("dynamodb.GetItem", 2)]
)
def test_after_an_outage_the_event_comes_again(world, operation, times):
    event = world.drop("requests/a.json", request("r1"))
    outage = Outage(world.clients.get(operation.partition(".")[0]), operation, times)
    with pytest.raises(Unavailable):
        world.invoke("on_object_created", event)
    outage.times = 0
    world.invoke("on_object_created", event)
    assert statuses(world, "a.json") == ["accepted"]
    assert world.accepted("r1") == {"stage-in": 1}


def test_two_versions_that_are_answered_at_once_are_both_in_the_receipt(world):
    world.s3.put_bucket_versioning(
        Bucket="requests", VersioningConfiguration={"Status": "Enabled"}
    )
    events = [world.drop("requests/a.json", b"{" * n) for n in range(1, 5)]
    barrier = threading.Barrier(len(events))

    def answer(event):
        barrier.wait()
        world.home.on_object_created(event)

    threads = [threading.Thread(target=answer, args=(event,)) for event in events]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = {event["detail"]["object"]["version-id"] for event in events}
    assert {entry["version"] for entry in world.receipt("a.json")["versions"]} == told


def test_a_receipt_that_others_keep_writing_brings_the_event_again(world):
    event = world.drop("requests/a.json", b"{")
    Outage(world.clients.get("s3"), "s3.PutObject", code="PreconditionFailed")
    with pytest.raises(StaleRun):
        world.home.on_object_created(event)


def test_a_receipt_whose_answer_was_lost_is_not_written_twice(world):
    """The SDK sends it again, meets its own effect, and is told that the receipt has changed."""
    event = world.drop("requests/a.json", b"{")
    client = world.clients.get("s3")
    lost = []

    def lose(**_):
        if not lost:
            lost.append(True)
            error = {"Error": {"Code": "PreconditionFailed", "Message": ""}}
            from botocore.exceptions import ClientError

            raise ClientError(error, "PutObject")

    client.meta.events.register("after-call.s3.PutObject", lose)
    world.invoke("on_object_created", event)
    assert lost
    assert statuses(world, "a.json") == ["refused"]


# Files of very many.


def many(count):
    lines = [json.dumps(a_request(f"e{number}")) for number in range(count)]
    return ["{", "", *lines]


def test_a_file_of_very_many_is_taken_in_by_parts(world):
    lines = many(AT_ONCE + 5)
    event = world.drop("requests/m.jsonl", "\r\n".join(lines).encode())
    world.invoke("on_object_created", event)
    assert run_ids(world) == set()
    (entry,) = world.receipt("m.jsonl")["versions"]
    assert (entry["status"], entry["requests"], len(entry["parts"])) == ("split", AT_ONCE + 6, 2)
    sent = [message["Body"] for message in world.received("submissions")]
    assert len(sent) == 2
    world.submit_by_queue(*sent)
    accepted = len(world.jobs)
    world.submit_by_queue(*sent)
    assert len(world.jobs) == accepted == AT_ONCE + 5
    answers = [json.loads(world.home.ports.objects.read(uri)) for uri in entry["parts"]]
    told = [(line["line"], line["status"]) for part in answers for line in part["lines"]]
    assert told == [(1, "refused"), *((number, "accepted") for number in range(3, AT_ONCE + 8))]
    world.invoke("on_object_created", event)
    assert world.received("submissions") == []


def test_parts_of_a_file_that_was_replaced_say_so(world):
    world.invoke("on_object_created", world.drop("requests/m.jsonl", "\n".join(many(30)).encode()))
    (entry,) = world.receipt("m.jsonl")["versions"]
    world.drop("requests/m.jsonl", b"{}")
    world.submit_by_queue(*(message["Body"] for message in world.received("submissions")))
    assert run_ids(world) == set()
    for uri in entry["parts"]:
        assert json.loads(world.home.ports.objects.read(uri))["status"] == "refused"


def test_without_the_queue_all_of_a_file_is_taken_in_at_once(world):
    world.restart(submissions_queue_url="")
    take(world, "requests/m.jsonl", "\n".join(["{"] * (AT_ONCE + 1)).encode())
    (entry,) = world.receipt("m.jsonl")["versions"]
    assert (entry["status"], entry["refused"]) == ("read", AT_ONCE + 1)


@pytest.mark.parametrize(
    "part", [{}, {"name": "a.json"}, None, 1], ids=["empty", "short", "null", "number"]
)
def test_a_part_that_is_none_is_a_dead_letter(world, part):
    world.submit_by_queue({"falsework_request_file_part": part})
    assert len(world.received("dead")) == 1


# What was missed.


def test_the_sweep_finds_files_without_a_receipt(world):
    for name in ("a.json", "b/c.json", "d.txt"):
        world.drop(f"requests/{name}", request(name.replace("/", "-")))
    assert world.sweep()["request_files"] == 0, "they may be on their way"
    world.pass_time(dropped_files.AT_REST.total_seconds())
    assert world.sweep()["request_files"] == 2
    assert world.sweep()["request_files"] == 0
    assert run_ids(world) == {"a.json", "b-c.json"}


def test_the_sweep_leaves_what_was_answered_and_what_is_old(world):
    take(world, "requests/a.json", request("r1"))
    world.pass_time(200)
    assert world.sweep()["request_files"] == 0
    world.drop("requests/b.json", request("r2"))
    world.pass_time(timedelta(days=1).total_seconds() + 10)
    assert world.sweep()["request_files"] == 0
    assert run_ids(world) == {"r1"}


def test_the_sweep_sees_that_a_later_version_was_missed(world):
    take(world, "requests/a.json", request("r1"))
    world.drop("requests/a.json", b"{")
    world.pass_time(200)
    assert world.sweep()["request_files"] == 1
    assert statuses(world, "a.json") == ["accepted", "refused"]


def test_the_sweep_looks_at_a_stretch_at_a_time_and_comes_round(world, monkeypatch):
    monkeypatch.setattr(dropped_files, "LISTED", 3)
    monkeypatch.setattr(dropped_files, "LOOKED_AT", 2)
    for number in range(7):
        world.drop(f"requests/{number}.json", b"{")
    world.pass_time(200)
    taken = [world.sweep()["request_files"] for _ in range(4)]
    assert taken == [2, 2, 2, 1]
    world.drop("requests/0.json", b"{}")
    assert [world.sweep()["request_files"] for _ in range(4)].count(1) == 1


def test_one_files_trouble_does_not_stop_the_others(world):
    for number in range(2):
        world.drop(f"requests/{number}.json", request(f"r{number}"))
    world.pass_time(200)
    Outage(world.clients.get("dynamodb"), "dynamodb.GetItem", times=2)
    assert world.sweep()["request_files"] == 1
    assert world.sweep()["request_files"] == 1
    assert run_ids(world) == {"r0", "r1"}


def test_an_event_of_an_object_that_is_not_there_at_all_is_left(world):
    assert world.invoke("on_object_created", object_created("requests/x.json", "e")) is None
