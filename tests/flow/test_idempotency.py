"""Idempotency-Key on the routes that create, over the stores of either home."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest

from chalicelib import bootstrap, file_intake, tokens
from chalicelib.core.errors import Unavailable
from chalicelib.core.grants import TokenRequest, wanted_by
from chalicelib.core.idempotency import KEPT, LONGEST_TRY
from chalicelib.core.limits import DOCUMENT_CHARACTERS
from chalicelib.core.principals import LOCAL, Principal, Scope
from chalicelib.document_ports import StaleDocument
from chalicelib.local.folders import OWN_FILE_SYSTEM_ID as FS
from chalicelib.settings import Settings
from chalicelib.web.api import rest_app
from chalicelib.web.gateway import Gateway
from chalicelib.web.problems import takes_key
from tests.contract.openers import nimble_threads
from tests.flow.aws_worlds import aws_account
from tests.flow.doors import shell_demand
from tests.flow.worlds import Killed

STATS = {"path": f"{FS}:/scratch"}
WORK = {"pipeline": "p", "user": "u", "site": "local"}


class Door:
    """The gateway, the home behind it, and its clock."""

    def __init__(self, set_ports):
        self._set_ports = set_ports
        self.gateway = Gateway(trusted=LOCAL)
        self.after = timedelta(0)

    def post(self, path, document=None, key="k", **headers):
        told = {"Content-Type": "application/json", **headers}
        if key is not None:
            told["Idempotency-Key"] = key
        body = document if isinstance(document, bytes) else json.dumps(document or {}).encode()
        return self.gateway.request("POST", path, told, body)

    def runs(self):
        answer = self.gateway.request("GET", "/runs", {})
        return [run["id"] for run in json.loads(answer.body)["runs"]]

    def change(self, **ports):
        """Put others in the place of some of the home's ports."""
        self._set_ports(bootstrap.ports()._replace(**ports))

    def wait(self, time):
        """Let time pass for whoever asks the ports."""
        clock = bootstrap.ports().clock
        self.change(clock=lambda: clock() + time)


@pytest.fixture(params=["local", "aws"])
def door(request, tmp_path, monkeypatch):
    def set_ports(ports):
        monkeypatch.setattr(bootstrap, "ports", lambda: ports)

    if request.param == "aws":
        with aws_account():
            yield Door(set_ports)
        return
    bootstrap.use(Settings(root=tmp_path / "root"))
    yield Door(set_ports)
    monkeypatch.undo()
    bootstrap.use(Settings(root=tmp_path / "gone"))


def problem(answer, status):
    assert answer.status == status, answer.body
    return json.loads(answer.body)["type"].rpartition(":")[2]


def is_replayed(answer):
    return answer.headers.get("Idempotency-Replayed") == "true"


def test_the_same_request_gets_the_same_answer_and_does_nothing(door):
    first = door.post("/data-paths/stats", STATS)
    again = door.post("/data-paths/stats", STATS)
    assert first.status == 202, first.body
    assert (again.status, again.body) == (first.status, first.body)
    assert again.headers == {**first.headers, "Idempotency-Replayed": "true"}
    assert not is_replayed(first)
    assert len(door.runs()) == 1


def test_without_a_key_or_with_another_one_there_is_another_run(door):
    for key in (None, None, "a", "b"):
        assert door.post("/data-paths/stats", STATS, key).status == 202
    assert len(door.runs()) == 4


def test_a_key_belongs_to_who_sends_it_and_to_the_path(door):
    stranger = Principal(name="stranger", scopes=frozenset(Scope), groups=None)
    door.post("/data-paths/stats", STATS)
    assert not is_replayed(door.post("/data-paths/list", STATS))
    door.gateway = Gateway(trusted=stranger)
    assert not is_replayed(door.post("/data-paths/stats", STATS))
    assert len(door.runs()) == 3


def a_token(name="alice", scopes=("submit",), groups=("lab",)):
    """Make a token; return the header that shows it."""
    told = {"name": name, "scopes": scopes, "groups": groups}
    made = tokens.create(wanted_by(LOCAL, TokenRequest.model_validate(told)), bootstrap.ports())
    return {"Authorization": f"Bearer {made.text}"}


def test_a_key_outlives_the_token_that_it_was_sent_with(door):
    request = {**STATS, "options": {"group": "lab"}}
    first = door.post("/data-paths/stats", request, **a_token())
    again = door.post("/data-paths/stats", request, **a_token())
    assert (first.status, again.body, is_replayed(again)) == (202, first.body, True)
    assert len(door.runs()) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"name": "bob"},
        {"groups": ("lab", "zoo")},
        {"groups": None},
        {"scopes": ("read", "submit")},
    ],
    ids=lambda told: next(iter(told)),
)
def test_a_key_is_not_for_whoever_bears_the_name_but_is_somebody_else(door, other):
    request = {**STATS, "options": {"group": "lab"}}
    door.post("/data-paths/stats", request, **a_token())
    assert not is_replayed(door.post("/data-paths/stats", request, **a_token(**other)))
    assert len(door.runs()) == 2


def test_a_token_that_was_made_by_showing_another_is_the_same_users(door):
    request = {**STATS, "options": {"group": "lab"}}
    shown = a_token()
    door.post("/data-paths/stats", request, **shown)
    asker = tokens.principal_of(
        shown["Authorization"].split()[1], bootstrap.ports().documents, bootstrap.ports().clock()
    )
    made = tokens.create(wanted_by(asker, TokenRequest()), bootstrap.ports())
    assert made.token.name == "alice"
    shown = {"Authorization": f"Bearer {made.text}"}
    assert is_replayed(door.post("/data-paths/stats", request, **shown))


def test_another_request_with_the_key_is_refused(door):
    door.post("/data-paths/stats", STATS)
    answer = door.post("/data-paths/stats", {"path": f"{FS}:/shared"})
    assert problem(answer, 422) == "idempotency-key-reused"
    assert len(door.runs()) == 1


def test_another_query_is_another_request(door):
    assert door.post("/buckets/work", [WORK]).body == b"true"
    assert problem(door.post("/buckets/work?return_ids=True", [WORK]), 422)


@pytest.mark.parametrize("key", ["", "k" * 256, "ü"])
def test_what_is_no_key_is_refused(door, key):
    assert problem(door.post("/data-paths/stats", STATS, key), 400) == "bad-request"
    assert door.runs() == []


def test_a_refusal_is_repeated_too(door):
    first = door.post("/data-paths/stats", b"{")
    again = door.post("/data-paths/stats", b"{")
    assert problem(first, 400) == problem(again, 400)
    assert is_replayed(again)


def test_who_cannot_get_in_learns_nothing(door):
    door.post("/data-paths/stats", STATS)
    door.gateway = Gateway()
    assert problem(door.post("/data-paths/stats", STATS), 401)


class Failing:
    """A submission that fails in some way before or after it is done, as often as it is told."""

    def __init__(self, error, *, is_after=True, times=1):
        self.error, self.is_after, self.times = error, is_after, times
        self._submit = file_intake.submit_file_job

    def __call__(self, *args, **kwargs):
        if self.times and not self.is_after:
            self.times -= 1
            raise self.error
        run = self._submit(*args, **kwargs)
        if self.times:
            self.times -= 1
            raise self.error
        return run


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("error", [Unavailable("x"), RuntimeError("x")], ids=["503", "500"])
def test_what_failed_is_tried_again_at_once_and_finds_the_same_run(
    door, monkeypatch, error, is_after
):
    monkeypatch.setattr(file_intake, "submit_file_job", Failing(error, is_after=is_after))
    assert door.post("/data-paths/stats", STATS).status >= 500
    before = door.runs()
    answer = door.post("/data-paths/stats", STATS)
    assert answer.status == 202
    assert not is_replayed(answer)
    assert door.runs() == [json.loads(answer.body)["id"]]
    assert before in ([], door.runs())
    assert is_replayed(door.post("/data-paths/stats", STATS))


def test_after_a_crash_a_repeat_waits_and_then_finds_the_same_run(door, monkeypatch):
    monkeypatch.setattr(file_intake, "submit_file_job", Failing(Killed()))
    with pytest.raises(Killed):
        door.post("/data-paths/stats", STATS)
    (run_id,) = door.runs()
    under_way = door.post("/data-paths/stats", STATS)
    assert problem(under_way, 409) == "idempotency-key-in-use"
    assert int(under_way.headers["Retry-After"]) > 0
    door.wait(LONGEST_TRY)
    answer = door.post("/data-paths/stats", STATS)
    assert json.loads(answer.body)["id"] == run_id
    assert door.runs() == [run_id]
    assert is_replayed(door.post("/data-paths/stats", STATS))


def test_after_a_week_the_answer_is_still_there_and_later_the_key_is_new():
    with aws_account() as world:
        door = Door(None)
        first = door.post("/data-paths/stats", STATS)
        world.pass_time(KEPT.total_seconds() - 9)
        assert is_replayed(door.post("/data-paths/stats", STATS))
        world.pass_time(10)
        again = door.post("/data-paths/stats", STATS)
        assert not is_replayed(again)
        assert json.loads(again.body)["id"] != json.loads(first.body)["id"]


class Dying:
    """A work store whose process dies in the middle of a deposit, once."""

    def __init__(self, works):
        self._works, self._is_alive = works, True

    def __getattr__(self, name):
        return getattr(self._works, name)

    def add(self, works):
        if self._is_alive:
            self._is_alive = False
            self._works.add(works[:2])
            raise Killed
        self._works.add(works)


def test_a_deposit_that_died_half_way_is_completed_and_nothing_is_queued_twice(door, monkeypatch):
    works = bootstrap.work_ports()
    dying = works._replace(works=Dying(works.works))
    monkeypatch.setattr(bootstrap, "work_ports", lambda: dying)
    deposit = [{**WORK, "priority": priority} for priority in (1, 5, 2, 3)]
    with pytest.raises(Killed):
        door.post("/buckets/work?return_ids=True", deposit)
    withdrawn = json.loads(door.post("/buckets/work/withdraw", {"pipeline": "p"}, key=None).body)
    assert withdrawn["priority"] == 5
    door.wait(LONGEST_TRY)
    answer = door.post("/buckets/work?return_ids=True", deposit)
    ids = json.loads(answer.body)
    assert withdrawn["id"] == ids[1]
    viewed = door.post("/buckets/view", {"query": {"pipeline": "p"}, "projection": {}}, key=None)
    states = {work["id"]: work["status"] for work in json.loads(viewed.body)}
    assert states == {**dict.fromkeys(ids, "queued"), ids[1]: "running"}


@pytest.mark.parametrize(
    "count",
    [1, 3, pytest.param(5, marks=pytest.mark.campaign)],
    ids=lambda count: f"{count} parts",
)
def test_an_answer_of_any_size_is_repeated_byte_for_byte(door, count):
    works = [{**WORK, "pipeline": f"p{count}"} for _ in range(count * DOCUMENT_CHARACTERS // 27)]
    first = door.post("/buckets/work?return_ids=True", works)
    again = door.post("/buckets/work?return_ids=True", works)
    assert first.status == 200, first.body[:300]
    assert len(first.body) > (count - 1) * DOCUMENT_CHARACTERS
    assert again.body == first.body
    assert is_replayed(again)


def test_of_many_at_once_one_is_answered_and_the_others_wait(door):
    count = 6
    barrier = Barrier(count)

    def one(_):
        barrier.wait()
        return door.post("/data-paths/stats", STATS)

    with nimble_threads(), ThreadPoolExecutor(count) as pool:
        answers = list(pool.map(one, range(count)))
    assert {answer.status for answer in answers} <= {202, 409, 503}
    assert len(door.runs()) == 1
    bodies = {answer.body for answer in answers if answer.status == 202}
    assert len(bodies | {door.post("/data-paths/stats", STATS).body}) == 1


def test_a_token_is_made_once_and_its_text_is_kept_nowhere(door):
    wanted = {"name": "me", "scopes": ["read"]}
    first = door.post("/tokens", wanted)
    assert first.status == 201, first.body
    text = json.loads(first.body)["token"]
    again = door.post("/tokens", wanted)
    assert problem(again, 409) == "conflict"
    assert is_replayed(again)
    shelf = bootstrap.ports().documents
    kept = [each for n in range(256) for each in shelf.list(f"idempotency#{n:02x}")]
    assert len(kept) == 1
    assert text not in json.dumps(kept[0].content)


class Full:
    """Documents that take no answer: only what is saved first, under version 0."""

    def __init__(self, documents, error):
        self._documents, self._error = documents, error

    def __getattr__(self, name):
        return getattr(self._documents, name)

    def save(self, partition, key, content, *, version=0, expires_at=None):
        if version and partition.startswith("idempotency"):
            raise self._error
        return self._documents.save(
            partition, key, content, version=version, expires_at=expires_at
        )


@pytest.mark.parametrize("error", [Unavailable("x"), StaleDocument("x")], ids=["down", "stale"])
def test_an_answer_that_cannot_be_kept_is_given_all_the_same(door, error):
    door.change(documents=Full(bootstrap.ports().documents, error))
    assert door.post("/data-paths/stats", STATS).status == 202


@pytest.mark.parametrize("word", ["cancel", "resume", "rollback"])
def test_what_is_asked_of_a_run_is_done_once(door, word):
    run_id = json.loads(door.post("/data-paths/stats", STATS).body)["id"]
    if word != "cancel":
        door.post(f"/runs/{run_id}/cancel", key=None)
    body = {"stage": "stats"} if word == "rollback" else {}
    first = door.post(f"/runs/{run_id}/{word}", body)
    again = door.post(f"/runs/{run_id}/{word}", body)
    assert first.status == 202, first.body
    assert (again.status, again.body) == (202, first.body)


def test_a_demand_is_repeated_as_it_was_answered_first(door):
    if "aws" in type(bootstrap.ports().runs).__module__:
        pytest.skip("its image is in no registry there")
    first = door.post("/demand-executions", shell_demand("e1", "true"))
    door.post("/runs/e1/cancel", key=None)
    assert door.post("/demand-executions", shell_demand("e1", "true")).body == first.body


MUST = {
    "/demand-executions", "/job-definitions", "/data-syncs", "/data-paths/{operation}",
    "/file-system-cleanups", "/buckets/work", "/results-api/results", "/tokens",
    "/runs/{run_id}/cancel", "/runs/{run_id}/resume", "/runs/{run_id}/rollback",
    "/flowserv/groups/{group}/runs", "/flowserv/workflows/{workflow_id}/runs",
}  # fmt: skip
CREATE_NOTHING = {
    "/demand-executions/scaffolding", "/demand-executions/check", "/buckets/work/withdraw",
    "/buckets/view", "/results-api/view", "/results-api/view/count", "/dead-letters/redrive",
}  # fmt: skip


def test_every_post_that_creates_takes_a_key():
    posts = {
        path: takes_key(methods["POST"].view_function)
        for path, methods in rest_app().routes.items()
        if "POST" in methods
    }
    assert {path for path, takes in posts.items() if not takes} <= CREATE_NOTHING
    assert {path for path, takes in posts.items() if takes} >= MUST
