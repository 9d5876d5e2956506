"""Who asked what of a run is kept beside it, whichever door the request came through."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from chalicelib import bootstrap, engine, tokens
from chalicelib.core.errors import Unavailable
from chalicelib.core.events import CancelRequested
from chalicelib.core.principals import LOCAL, Scope
from chalicelib.settings import Settings
from chalicelib.web.gateway import Gateway
from tests.flow.doors import TrustedHttp, shell_demand
from tests.flow.worlds import World

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def home(tmp_path):
    bootstrap.use(Settings(root=tmp_path / "root", runner="host"))
    yield bootstrap.home()
    bootstrap.use(Settings(root=tmp_path / "gone"))


def entries(run_id, query=""):
    answer = TrustedHttp().get(f"/runs/{run_id}/audit{query}")
    assert answer.status_code == 200, answer.body
    return answer.json_body["entries"]


def words(run_id):
    return [(entry["what"], entry["who"], entry["source"]) for entry in entries(run_id)]


def test_each_change_by_rest_leaves_who_and_from_where(home):
    wanted = tokens.Wanted("ada", frozenset(Scope), None, timedelta(days=1))
    made = tokens.create(wanted, home.ports)
    gateway = Gateway()
    headers = {**JSON, "Authorization": f"Bearer {made.text}"}

    def ask(method, path, document=None):
        body = b"" if document is None else json.dumps(document).encode()
        answer = gateway.request(method, path, headers, body)
        assert answer.status in {202, 204}, answer.body

    ask("POST", "/demand-executions", shell_demand("e1", "true"))
    ask("POST", "/runs/e1/cancel")
    who = f"ada ({made.token.id})"
    assert words("e1") == [("submit", who, "127.0.0.1"), ("cancel", who, "127.0.0.1")]


def test_who_takes_the_id_of_a_deleted_run_learns_nothing_of_that(home):
    gateway = Gateway()

    def made_by(name):
        wanted = tokens.Wanted(name, frozenset(Scope), frozenset({name}), timedelta(days=1))
        token = tokens.create(wanted, home.ports).text
        headers = {**JSON, "Authorization": f"Bearer {token}"}
        demand = {**shell_demand("e1", "true"), "options": {"group": name}}
        body = json.dumps(demand).encode()
        assert gateway.request("POST", "/demand-executions", headers, body).status == 202
        return json.loads(gateway.request("GET", "/runs/e1/audit?cursor=2", headers).body)

    ours = made_by("lab")["entries"]
    run = engine.handle(CancelRequested(run_id="e1", at=home.ports.clock()), home.ports)
    home.ports.runs.save(run.model_copy(update={"settled_at": home.ports.clock()}))
    home.ports.runs.delete("e1")
    theirs = made_by("other")["entries"]
    assert [each["who"].split()[0] for each in (*ours, *theirs)] == ["lab", "other"]
    assert [each["what"] for each in entries("e1")] == ["submit", "cancel", "submit"]


def test_an_event_that_comes_twice_is_entered_once(tmp_path):
    world = World(tmp_path)
    world.submit(shell_demand("e1", "true"))
    world.pass_time()
    for _ in range(2):
        engine.handle(CancelRequested(run_id="e1", at=world.now), world.ports)
    found = world.ports.documents.list("audit#e1")
    assert [each.content["what"] for each in found] == ["submit", "cancel"]


def test_what_changes_nothing_is_not_entered(home):
    TrustedHttp().post("/runs/none/cancel")
    assert home.ports.documents.list("audit#none") == ()


def test_nothing_is_changed_that_cannot_be_entered(tmp_path):
    world = World(tmp_path)

    class Down:
        """Documents that do not answer."""

        def save(self, *_: object, **__: object) -> None:
            raise Unavailable("documents")

    world.ports = world.ports._replace(documents=Down())
    with pytest.raises(Unavailable, match="nothing was accepted"):
        world.submit(shell_demand("e1", "true"))
    assert world.runs.list().runs == ()


def test_the_list_has_pages(home):
    TrustedHttp().post(
        "/demand-executions", headers=JSON, body=json.dumps(shell_demand("e1", "true")).encode()
    )
    TrustedHttp().post("/runs/e1/cancel")
    answer = TrustedHttp().get("/runs/e1/audit?limit=1").json_body
    assert [entry["what"] for entry in answer["entries"]] == ["submit"]
    (entry,) = entries(
        "e1", f"?limit=1&cursor={answer['next_cursor'].replace('+', '%2B').replace('#', '%23')}"
    )
    assert (entry["what"], entry["who"]) == ("cancel", LOCAL.name)
    assert TrustedHttp().get("/runs/none/audit").status_code == 404
