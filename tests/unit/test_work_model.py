"""Works, their ids and what becomes of them: specs, work, sections 2, 3.2 and 5."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.core.errors import InvalidRequest
from chalicelib.core.work.answers import ANSWER_BYTES, answer_bytes, carried
from chalicelib.core.work.ids import is_id, mint_ids, partition_of
from chalicelib.core.work.model import Work, WorkStatus
from chalicelib.core.work.reading import read_ended_works, read_stored_works, read_works
from chalicelib.core.work.transitions import deposited, expired, requeued, taken, updated

NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
SENT = {
    "pipeline": "sample-0", "site": "local", "user": "tester", "function": None,
    "parameters": None, "command": None, "results": None, "products": None, "plots": None,
    "tags": ["0"], "event": [0, 1], "id": None, "creation": 1795200239.076316, "start": None,
    "stop": None, "attempt": 0, "status": "created", "timeout": 3600, "retries": 2, "priority": 3,
    "config": {
        "archive": {"results": True, "products": "copy", "plots": "copy", "logs": "move"},
        "metrics": False, "parent": None, "orgs": ["chimefrb"], "teams": None,
    },
    "notify": {
        "slack": {
            "channel_id": None, "member_ids": None, "message": None, "results": None,
            "products": None, "plots": None, "blocks": None, "reply": None,
        }
    },
}  # fmt: skip
LEAST = {"pipeline": "sample-0", "site": "local", "user": "tester"}


def read(**fields):
    (work,) = read_works([{**SENT, **fields}])
    return work


def test_what_a_client_sends_is_what_it_gets():
    assert read().document() == SENT
    assert list(read().document()) == list(SENT)


def test_what_is_left_out_has_the_clients_defaults():
    (work,) = read_works([LEAST])
    assert work.document() == {**SENT, "tags": None, "event": None, "creation": None}


TAKEN = {
    "letters of any script": {"pipeline": "Größe-7-東"},
    "128 characters": {"pipeline": "a" * 128},
    "a whole float": {"priority": 5.0, "event": [7.0]},
    "negative retries": {"retries": -3},
    "five retries": {"retries": 5},
    "the longest timeout": {"timeout": 259200},
    "an empty command beside a function": {"function": "f", "command": []},
    "foreign keys": {"foreign": 1, "config": {"strategy": "relaxed"}, "notify": {"mail": 1}},
    "an integer as time": {"creation": 5, "start": -1},
}


@pytest.mark.parametrize("fields", TAKEN.values(), ids=TAKEN)
def test_a_work_is_taken(fields):
    assert isinstance(read(**fields), Work)


def test_an_old_documents_pass_is_a_bypass():
    work = read(config={"archive": {"plots": "pass"}})
    assert work.document()["config"]["archive"]["plots"] == "bypass"


REFUSED = {
    "no pipeline": ({"pipeline": ""}, "0.pipeline"),
    "129 characters": ({"pipeline": "a" * 129}, "0.pipeline"),
    "an underscore": ({"pipeline": "a_b"}, "0.pipeline"),
    "a line's end": ({"pipeline": "a\n"}, "0.pipeline"),
    "no site": ({"site": None}, "0.site"),
    "no user": ({"user": 7}, "0.user"),
    "function and command": ({"function": "f", "command": ["c"]}, "0.command"),
    "parameters in a list": ({"parameters": []}, "0.parameters"),
    "a tag that is a number": ({"tags": [1]}, "0.tags.0"),
    "an event that is text": ({"event": ["1"]}, "0.event.0"),
    "half an event": ({"event": [1.5]}, "0.event.0"),
    "an id that is none": ({"id": "x"}, "0.id"),
    "an id with a line's end": ({"id": "a" * 24 + "\n"}, "0.id"),
    "a time that is text": ({"creation": "now"}, "0.creation"),
    "a negative attempt": ({"attempt": -1}, "0.attempt"),
    "a status of no kind": ({"status": "pending"}, "0.status"),
    "no timeout": ({"timeout": 0}, "0.timeout"),
    "too long a timeout": ({"timeout": 259201}, "0.timeout"),
    "six retries": ({"retries": 6}, "0.retries"),
    "priority 0": ({"priority": 0}, "0.priority"),
    "priority 6": ({"priority": 6}, "0.priority"),
    "priority true": ({"priority": True}, "0.priority"),
    "an archive of no kind": ({"config": {"archive": {"logs": "burn"}}}, "0.config.archive.logs"),
    "foreign in slack": ({"notify": {"slack": {"x": 1}}}, "0.notify.slack.x"),
    "NaN": ({"results": {"x": float("nan")}}, "0.results.x"),
    "half a surrogate pair": ({"results": {"x": "\ud800"}}, "0.results.x"),
    "no JSON": ({"results": {"x": {1}}}, "0.results.x"),
}


@pytest.mark.parametrize(("fields", "field"), REFUSED.values(), ids=REFUSED)
def test_a_work_is_refused_by_the_name_of_its_field(fields, field):
    with pytest.raises(InvalidRequest) as caught:
        read(**fields)
    assert caught.value.field == field


def test_a_deep_document_is_refused():
    deep = {}
    for _ in range(70):
        deep = {"x": deep}
    with pytest.raises(InvalidRequest, match="deeper"):
        read(results=deep)


@pytest.mark.parametrize("documents", [{}, None, "x", [1], [[]], [None]], ids=str)
def test_works_come_in_a_list_of_objects(documents):
    with pytest.raises(InvalidRequest):
        read_works(documents)


def test_an_update_names_every_work_once():
    work = {**SENT, "id": "a" * 24}
    assert len(read_stored_works([work])) == 1
    for wrong in ([SENT], [work, work]):
        with pytest.raises(InvalidRequest, match="id"):
            read_stored_works(wrong)
    with pytest.raises(InvalidRequest, match="created"):
        read_ended_works([work])


def test_results_are_measured_as_text_in_utf_8_without_blanks():
    fits, does_not = {"x": "ü" * 1_999_996}, {"x": "ü" * 1_999_996 + "y"}
    assert (read(results=fits).results, read(results=does_not).results) == (fits, None)
    assert read(results={"x": {"y": ["z" * 5_000_000]}}).results is None


def test_ids_sort_by_time_and_within_a_deposit():
    moments = [NOON + timedelta(microseconds=each) for each in (0, 1, 999_999, 1_000_000)]
    entropies = (9, 5, 2**32, 0)
    ids = [
        mint_ids(at, ["b", "a", "b"], entropy)
        for at, entropy in zip(moments, entropies, strict=True)
    ]
    flat = [each for some in ids for each in some]
    assert flat == sorted(flat)
    assert all(map(is_id, flat))
    assert len(set(flat)) == 12
    assert flat[0].endswith(partition_of("b"))
    assert int(flat[0][:8], 16) == NOON.timestamp()


def test_a_work_goes_round():
    queued = deposited(read(start=1.0, stop=2.0, attempt=4, creation=None), "a" * 24, NOON)
    seen = (queued.status, queued.attempt, queued.creation, queued.start, queued.stop)
    assert seen == ("queued", 0, NOON.timestamp(), None, None)
    running = taken(queued.model_copy(update={"stop": 1.0}), NOON)
    seen = (running.status, running.attempt, running.start, running.stop)
    assert seen == ("running", 1, NOON.timestamp(), None)
    assert taken(running, NOON) is None
    in_time = NOON + timedelta(seconds=3600)
    assert expired(running, in_time) is None
    failed = expired(running, in_time + timedelta(microseconds=1))
    assert failed.status == "failure"
    assert expired(failed, in_time + timedelta(days=9)) is None
    again = requeued(failed)
    assert (again.status, again.attempt) == ("queued", 1)
    assert requeued(failed.model_copy(update={"attempt": 2})) is None
    assert requeued(running) is None


def test_a_running_work_without_a_start_expires_by_its_creation():
    running = read(status="running", creation=0.0)
    assert expired(running, NOON).status == "failure"


def test_an_update_keeps_the_creation_that_it_leaves_out():
    old = read(status="running", attempt=1)
    new = read(status="success", attempt=1, creation=None)
    assert updated(old, new).creation == old.creation
    assert updated(old, new.model_copy(update={"attempt": 0})) is None
    assert updated(old, read(attempt=7, creation=3.0)).attempt == 7


def test_what_no_answer_could_carry_is_left_out_of_it():
    light, dense = {"a": "x" * 3_900_000}, {"a": ["x"] * 999_000}
    assert carried(read(results=light).document())["results"] == light
    document = read(results=dense).document()
    assert answer_bytes(document) > ANSWER_BYTES
    assert carried(document) == {**document, "results": None}


def test_statuses_are_the_clients():
    assert list(WorkStatus) == ["created", "queued", "running", "success", "failure"]
