"""Tokens over REST: made by the user of this machine and by admins, on AWS by who signs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import app
from chalicelib import bootstrap
from chalicelib.cli.complaints import Complaint
from chalicelib.cli.connection import Connection
from chalicelib.cli.exchange import Exchange
from chalicelib.core.principals import LOCAL
from chalicelib.core.site import Site
from chalicelib.settings import Settings
from chalicelib.web.api import rest_app
from chalicelib.web.chalice_api import deployed_app
from chalicelib.web.gateway import Answer, Gateway
from tests.flow.aws_worlds import SITE, a_request, aws_account

JSON = {"Content-Type": "application/json"}
SAMPLE = json.loads(Path("tests/events/rest-iam.json").read_text("utf-8"))["event"]
ROLE = "arn:aws:iam::123456789012:role/{}"
SESSION = "arn:aws:sts::123456789012:assumed-role/{}/alice"
IDENTITIES = {
    ROLE.format("Lab"): {"scopes": ["read", "submit"], "groups": ["lab"]},
    ROLE.format("Ops"): {"scopes": ["admin"], "groups": None},
    ROLE.format("*"): {"scopes": ["read"], "groups": []},
}


@pytest.fixture
def home(tmp_path):
    site = Site.model_validate({"identities": IDENTITIES})
    bootstrap.use(Settings(root=tmp_path / "root", site=site))
    yield bootstrap.home()
    bootstrap.use(Settings(root=tmp_path / "gone"))


@pytest.fixture
def ask(home):
    """Ask as the user of this machine, or with a token where everybody needs one."""
    trusting, strict = Gateway(trusted=LOCAL), Gateway()

    def request(method, target, document=None, token=None):
        body = b"" if document is None else json.dumps(document).encode()
        shown = {} if token is None else {"Authorization": f"Bearer {token}"}
        gateway = trusting if token is None else strict
        answer = gateway.request(method, target, {**JSON, **shown}, body)
        return answer.status, json.loads(answer.body) if answer.body else None

    return request


def culprit(document):
    return document["errors"][0]["field"]


# --- on one machine


def test_a_token_is_made_shown_used_and_revoked(ask):
    status, made = ask("POST", "/tokens", {"name": "alice", "scopes": ["read"], "groups": ["lab"]})
    assert status == 201
    text, token_id = made.pop("token"), made["id"]
    assert re.fullmatch(rf"fw_{token_id}_[A-Za-z0-9_-]{{43}}", text)
    assert (made["name"], made["scopes"], made["groups"]) == ("alice", ["read"], ["lab"])
    assert ask("GET", "/tokens") == (200, {"tokens": [made], "next_cursor": None})
    assert ask("GET", "/runs", token=text) == (200, {"runs": [], "next_cursor": None})
    (used,) = ask("GET", "/tokens")[1]["tokens"]
    assert used == {**made, "last_used_at": used["last_used_at"]}
    assert used["last_used_at"] is not None
    assert ask("DELETE", f"/tokens/{token_id}") == (204, None)
    assert ask("GET", "/runs", token=text)[0] == 401
    assert ask("DELETE", f"/tokens/{token_id}")[0] == 404


def test_the_answer_with_the_text_is_not_to_be_kept(home):
    answer = Gateway(trusted=LOCAL).request("POST", "/tokens", JSON, b"{}")
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_repeat_under_a_key_makes_no_second_token_and_shows_none(home):
    headers, gateway = {**JSON, "Idempotency-Key": "k1"}, Gateway(trusted=LOCAL)
    first, again = (gateway.request("POST", "/tokens", headers, b"{}") for _ in range(2))
    assert (first.status, again.status) == (201, 409)
    assert b"fw_" not in again.body
    tokens = json.loads(gateway.request("GET", "/tokens", {}).body)["tokens"]
    assert [token["id"] for token in tokens] == [json.loads(first.body)["id"]]
    secret = json.loads(first.body)["token"][24:]
    assert secret.encode() not in (home.root / "falsework.db").read_bytes()
    assert secret.encode() not in (home.root / "falsework.db-wal").read_bytes()


def test_who_says_nothing_gets_what_they_are_for_an_hour(ask):
    _, made = ask("POST", "/tokens")
    assert (made["name"], made["groups"]) == ("local", None)
    assert made["scopes"] == ["admin", "read", "submit"]


def test_an_admins_token_makes_tokens_but_none_that_is_more(ask):
    admin = {"scopes": ["admin"], "groups": ["lab"], "name": "boss"}
    boss = ask("POST", "/tokens", admin)[1]
    text = boss["token"]
    status, made = ask("POST", "/tokens", {"name": "bob", "scopes": ["submit"]}, text)
    assert (status, made["groups"], made["created_by"]) == (201, ["lab"], f"boss ({boss['id']})")
    for groups in (None, ["lab", "other"]):
        status, problem = ask("POST", "/tokens", {"groups": groups}, text)
        assert (status, culprit(problem)) == (403, "groups")


def test_a_token_without_the_scope_makes_none(ask):
    text = ask("POST", "/tokens", {"scopes": ["read", "submit"]})[1]["token"]
    status, problem = ask("POST", "/tokens", {}, text)
    assert (status, culprit(problem)) == (403, "token")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["all"]}, "scopes.0"),
        ({"groups": "lab"}, "groups"),
        ({"lifetime_seconds": 40_000_000}, "lifetime_seconds"),
        ({"lifetime_seconds": "9"}, "lifetime_seconds"),
        ({"name": "a\tb"}, "name"),
        ({"days": 4}, "days"),
    ],
    ids=str,
)
def test_a_wrong_field_is_named(ask, body, field):
    status, problem = ask("POST", "/tokens", body)
    assert (status, culprit(problem)) == (400, field)
    assert ask("GET", "/tokens")[1]["tokens"] == []


def test_tokens_come_in_pages(ask):
    ids = sorted(ask("POST", "/tokens", {"name": str(n)})[1]["id"] for n in range(5))
    found, cursor = [], ""
    while cursor is not None:
        more = f"&cursor={cursor}" if cursor else ""
        _, page = ask("GET", f"/tokens?limit=2{more}")
        found += [token["id"] for token in page["tokens"]]
        cursor = page["next_cursor"]
    assert found == ids


# --- who a request says that it is


CLAIMS = {
    "header": {"userArn": SESSION.format("Ops"), "X-Amzn-User-Arn": SESSION.format("Ops")},
    "context": {"requestContext": json.dumps({"identity": {"userArn": SESSION.format("Ops")}})},
    "gateway": {"x-amzn-request-context": json.dumps({"identity": {"userArn": "x"}})},
    "signature": {"Authorization": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/x, Signature=0"},
}


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
@pytest.mark.parametrize("make", [rest_app, deployed_app])
@pytest.mark.filterwarnings("ignore:.*is not a supported in local mode")
def test_no_header_makes_an_identity_of_aws(home, claim, make):
    answer = Gateway(make()).request("POST", "/tokens", {**JSON, **claim}, b"{}")
    assert answer.status == 401


def test_an_event_is_not_believed_where_api_gateway_has_not_checked_it(home):
    answer = rest_app()(exchange_event(SESSION.format("Ops")), None)
    assert answer["statusCode"] == 401


# --- on AWS


def exchange_event(arn, body=None):
    identity = {**SAMPLE["requestContext"]["identity"], "userArn": arn}
    context = {**SAMPLE["requestContext"], "resourcePath": "/tokens", "httpMethod": "POST",
               "identity": identity}  # fmt: skip
    content = None if body is None else json.dumps(body)
    return {**SAMPLE, "resource": "/tokens", "path": "/tokens", "httpMethod": "POST",
            "pathParameters": None, "requestContext": context, "body": content}  # fmt: skip


def run_event(run_id, headers, identity):
    context = {**SAMPLE["requestContext"], "identity": identity}
    return {**SAMPLE, "headers": headers, "pathParameters": {"run_id": run_id},
            "requestContext": context}  # fmt: skip


@pytest.fixture(scope="module")
def world():
    with aws_account() as world:
        world.restart(site=SITE.model_copy(update={
            "identities": Site.model_validate({"identities": IDENTITIES}).identities
        }))  # fmt: skip
        options = {"group": "lab"}
        world.submit_by_queue({**a_request("e1"), "options": options}, a_request("e2"))
        yield world


def called(event):
    answer = app.app(event, None)
    return answer["statusCode"], json.loads(answer["body"])


def exchanged(role, body=None):
    return called(exchange_event(SESSION.format(role), body))


def looked_at(run_id, token):
    """The status of the run for who shows the token; API Gateway names nobody."""
    shown = {} if token is None else {"Authorization": f"Bearer {token}"}
    return called(run_event(run_id, shown, {"sourceIp": "192.0.2.1", "userArn": None}))[0]


def sign(method, target, headers, body):
    """A signature that API Gateway finds good: its own test is in ``test_aws_signing``."""
    return {**headers, "Authorization": "AWS4-HMAC-SHA256 Credential=…"}


class ApiGateway:
    """Two of the routes behind API Gateway, which takes every signature for Lab's."""

    def request(self, method, target, headers, body=b""):
        if (method, target) == ("POST", "/tokens"):
            assert headers["Authorization"].startswith("AWS4-HMAC-SHA256")
            event = exchange_event(SESSION.format("Lab"), json.loads(body))
        else:
            identity = {"sourceIp": "192.0.2.1", "userArn": None}
            event = run_event(target.removeprefix("/runs/"), headers, identity)
        answer = app.app(event, None)
        return Answer(answer["statusCode"], answer["headers"], answer["body"].encode())


@pytest.mark.usefixtures("world")
class TestExchange:
    def test_an_identity_gets_a_short_lived_token_that_is_what_the_site_says(self):
        status, made = exchanged("Lab")
        assert (status, made["scopes"], made["groups"]) == (201, ["read", "submit"], ["lab"])
        assert made["name"] == made["created_by"] == "123456789012:assumed-role/Lab/alice"
        assert [looked_at(run_id, made["token"]) for run_id in ("e1", "e2")] == [200, 404]

    def test_its_token_lives_for_an_hour(self, world):
        token = exchanged("Lab")[1]["token"]
        world.pass_time(3599)
        assert looked_at("e1", token) == 200
        world.pass_time(1)
        assert looked_at("e1", token) == 401

    def test_the_closest_pattern_counts(self):
        status, made = exchanged("Guest")
        assert (status, made["scopes"], made["groups"]) == (201, ["read"], [])
        assert looked_at("e1", made["token"]) == 404

    @pytest.mark.parametrize(
        "arn",
        ["arn:aws:sts::999999999999:assumed-role/Lab/alice",
         "arn:aws:iam::123456789012:user/Lab", "arn:aws:iam::123456789012:root"],
    )  # fmt: skip
    def test_one_that_the_site_does_not_name_is_refused(self, arn):
        status, problem = called(exchange_event(arn))
        assert (status, culprit(problem)) == (403, "identities")

    @pytest.mark.parametrize("arn", [None, ""])
    def test_a_request_that_nobody_signed_is_refused(self, arn):
        assert called(exchange_event(arn))[0] == 401

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"scopes": ["admin"]}, "scopes"),
            ({"groups": None}, "groups"),
            ({"groups": ["other"]}, "groups"),
            ({"lifetime_seconds": 3601}, "lifetime_seconds"),
            ({"name": "somebody else"}, "name"),
        ],
        ids=str,
    )
    def test_nobody_gets_more_than_the_site_says(self, body, field):
        status, problem = exchanged("Lab", body)
        assert (status, culprit(problem)) == (403, field)

    def test_less_can_be_asked_for(self):
        status, made = exchanged("Lab", {"scopes": ["submit"], "lifetime_seconds": 60})
        assert (status, made["scopes"]) == (201, ["submit"])
        assert looked_at("e1", made["token"]) == 403

    def test_an_admin_makes_long_lived_ones_for_others(self, world):
        wanted = {"name": "ci", "scopes": ["read"], "groups": ["lab"], "lifetime_seconds": 86_400}
        status, made = exchanged("Ops", wanted)
        assert (status, made["name"]) == (201, "ci")
        world.pass_time(7200)
        assert looked_at("e1", made["token"]) == 200

    def test_a_signature_counts_for_nothing_elsewhere(self):
        identity = {"sourceIp": "192.0.2.1", "userArn": SESSION.format("Ops")}
        assert called(run_event("e1", {}, identity))[0] == 401

    def test_a_token_counts_for_nothing_where_a_signature_is_needed(self):
        admin = exchanged("Ops")[1]["token"]
        event = exchange_event(None)
        event["headers"] = {"Authorization": f"Bearer {admin}"}
        assert called(event)[0] == 401

    def test_the_command_line_comes_in_with_credentials_alone(self, world):
        connection = Connection(Exchange(ApiGateway(), sign), is_remote=True)
        assert connection.get("/runs/e1")["group"] == "lab"
        world.pass_time(3601)
        assert connection.get("/runs/e1")["group"] == "lab"
        with pytest.raises(Complaint, match="no run 'e2'"):
            connection.get("/runs/e2")

    def test_the_exchange_is_the_only_route_that_api_gateway_checks(self):
        checked = {
            (path, method)
            for path, methods in app.app.routes.items()
            for method, entry in methods.items()
            if entry.authorizer is not None
        }
        assert checked == {("/tokens", "POST")}
