"""How the command line comes by a token, and what it shows where."""

from __future__ import annotations

import json

import pytest

from chalicelib.cli.addresses import address_of
from chalicelib.cli.complaints import Complaint
from chalicelib.cli.exchange import Bearer, Exchange
from chalicelib.web.gateway import Answer

API = "https://abc123.execute-api.eu-west-1.amazonaws.com/api"


class Deployment:
    """API Gateway and the application behind it, as far as tokens go; it remembers requests."""

    def __init__(self):
        self.good: set[str] = set()
        self.made = 0
        self.takes_signers = True
        self.asked: list[tuple[str, str, str]] = []

    def request(self, method, target, headers, body=b""):
        shown = headers.get("Authorization", "")
        self.asked.append((method, target, shown))
        if (method, target) == ("POST", "/tokens"):
            if shown != f"signed {body.decode()}" or not self.takes_signers:
                return Answer(403, {}, b'{"message": "not authorized"}')
            self.made += 1
            self.good = {f"token{self.made}"}
            return Answer(201, {}, json.dumps({"token": f"token{self.made}"}).encode())
        is_good = shown.removeprefix("Bearer ") in self.good
        return Answer(200 if is_good else 401, {}, b"{}")


def sign(method, target, headers, body):
    assert (method, target) == ("POST", "/tokens")
    return {**headers, "Authorization": f"signed {body.decode()}"}


@pytest.fixture
def deployment():
    return Deployment()


@pytest.fixture
def exchange(deployment):
    return Exchange(deployment, sign)


def test_a_signature_is_exchanged_once_for_many_requests(deployment, exchange):
    statuses = [exchange.request("GET", f"/runs/{n}", {}).status for n in range(3)]
    assert statuses == [200, 200, 200]
    assert deployment.asked == [
        ("POST", "/tokens", "signed {}"),
        *[("GET", f"/runs/{n}", "Bearer token1") for n in range(3)],
    ]


def test_a_token_that_is_good_no_longer_is_renewed_once(deployment, exchange):
    exchange.request("GET", "/runs", {})
    deployment.good.clear()
    assert exchange.request("POST", "/data-syncs", {}, b"x").status == 200
    assert [shown for _, _, shown in deployment.asked] == [
        "signed {}", "Bearer token1", "Bearer token1", "signed {}", "Bearer token2",
    ]  # fmt: skip


def test_a_new_token_that_is_refused_is_not_renewed_again(deployment, exchange):
    deployment.request = never_content(deployment.request)
    for _ in range(2):
        assert exchange.request("GET", "/runs", {}).status == 401
    assert deployment.made == 2


def never_content(real):
    def request(method, target, headers, body=b""):
        return real(method, target, headers, body) if target == "/tokens" else Answer(401, {}, b"")

    return request


def test_an_identity_that_gets_no_token_is_told_why(deployment, exchange):
    deployment.takes_signers = False
    answer = exchange.request("GET", "/runs", {})
    assert (answer.status, answer.body) == (403, b'{"message": "not authorized"}')
    assert [target for _, target, _ in deployment.asked] == ["/tokens"]


@pytest.mark.parametrize("given", ["", "mine"], ids=["without", "with"])
def test_tokens_are_asked_for_by_signature_whatever_token_there_is(deployment, given):
    exchange = Exchange(deployment, sign, given)
    assert exchange.request("POST", "/tokens", {}, b'{"name": "x"}').status == 201
    assert deployment.asked == [("POST", "/tokens", 'signed {"name": "x"}')]


def test_a_token_that_was_given_is_never_exchanged(deployment):
    exchange = Exchange(deployment, sign, "mine")
    assert exchange.request("GET", "/runs", {}).status == 401
    assert deployment.asked == [("GET", "/runs", "Bearer mine")]


def test_without_a_token_nothing_is_shown(deployment):
    Bearer(deployment, "").request("GET", "/runs", {"Accept": "x"})
    assert deployment.asked == [("GET", "/runs", "")]


@pytest.mark.parametrize(
    ("url", "token", "kind"),
    [
        ("http://127.0.0.1:8000", "", Bearer),
        ("http://127.0.0.1:8000", "fw_x", Bearer),
        ("https://falsework.example.org", "fw_x", Bearer),
        (API, "", Exchange),
        (API, "fw_x", Exchange),
    ],
)
def test_only_an_api_gateway_takes_signatures(url, token, kind):
    assert type(address_of(url, token)) is kind


@pytest.mark.parametrize(
    ("url", "token", "said"),
    [
        ("http://falsework.example.org", "fw_x", "clear text"),
        (API.replace("https", "http"), "", "clear text"),
        ("https://falsework.example.org", "fw_x\nHost: y", "blanks"),
        ("ftp://falsework.example.org", "", "the URL is none"),
    ],
)
def test_a_token_does_not_travel_where_it_could_be_read(url, token, said):
    with pytest.raises(Complaint, match=said) as caught:
        address_of(url, token)
    assert not token or token not in str(caught.value)


@pytest.mark.usefixtures("without_credentials")
def test_without_credentials_the_mend_is_told():
    with pytest.raises(Complaint, match="FALSEWORK_TOKEN"):
        address_of(API, "").request("GET", "/runs", {})
