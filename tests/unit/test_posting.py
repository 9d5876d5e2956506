"""Posting: where we go, where we do not, and for how long."""

from __future__ import annotations

import logging
import socket
import threading
import time
from datetime import UTC, datetime

import pytest

from chalicelib import posting
from chalicelib.core.errors import Misconfigured, Refused, Unavailable
from chalicelib.core.notice import Notice
from chalicelib.core.notifications import Webhook
from chalicelib.core.plans.announcements import Target
from chalicelib.posting import NotAllowed, is_public, post
from chalicelib.webhooks import Webhooks
from tests.flow.receiver import Receiver
from tests.unit.test_notifications import told

NOTICE = Notice(target=Target(kind="webhook", name="ci"), told=told())


@pytest.fixture
def receiver():
    with Receiver() as receiver:
        yield receiver


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.0.1", False),
        ("169.254.169.254", False),
        ("169.254.170.2", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fd00:ec2::254", False),
        ("ff02::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:93.184.215.14", True),
        ("64:ff9b::a9fe:a9fe", False),
        ("2002:a00:1::", False),
    ],
    ids=str,
)
def test_which_addresses_are_of_the_open_internet(address, expected):
    assert is_public(address) is expected


def test_this_machine_is_not_asked_by_whoever_may_only_go_out(receiver):
    for host in ("127.0.0.1", "localhost"):
        with pytest.raises(NotAllowed):
            post(f"http://{host}:{receiver.port}/", b"{}", {})
    assert receiver.requests == []


def test_one_private_address_among_others_is_enough(monkeypatch):
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 443))
             for each in ("93.184.215.14", "10.0.0.1")]  # fmt: skip
    monkeypatch.setattr(posting.socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(NotAllowed):
        post("https://two.example.org/", b"{}", {})


def test_the_connection_goes_to_the_address_that_was_looked_at(receiver, monkeypatch):
    """A name server that says something else the second time is not asked a second time."""
    asked = []
    real = socket.getaddrinfo

    def look_up(host, *args, **named):
        asked.append(host)
        return real("127.0.0.1" if host == "hook.example.org" else host, *args, **named)

    monkeypatch.setattr(posting.socket, "getaddrinfo", look_up)
    address = f"http://hook.example.org:{receiver.port}/"
    assert post(address, b"{}", {}, may_be_private=True) == 200
    assert receiver.requests[0].headers["Host"] == f"hook.example.org:{receiver.port}"
    assert asked == ["hook.example.org", "127.0.0.1"]


def test_what_is_posted_arrives_as_it_is(receiver):
    status = post(receiver.url("/a?b=c"), b"body", {"X-Y": "z"}, may_be_private=True)
    (request,) = receiver.requests
    assert (status, request.path, request.body) == (200, "/a?b=c", b"body")
    assert (request.headers["X-Y"], request.headers["Host"]) == ("z", f"127.0.0.1:{receiver.port}")


def test_a_redirect_is_an_answer_and_not_followed(receiver):
    receiver.answers = [302]
    assert post(receiver.url("/"), b"", {}, may_be_private=True) == 302
    assert len(receiver.requests) == 1


def test_an_answer_that_comes_byte_by_byte_is_not_waited_for():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                try:
                    for byte in b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 1000:
                        connection.sendall(bytes([byte]))
                        time.sleep(0.05)
                except OSError:
                    return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        began = time.monotonic()
        with pytest.raises(OSError):
            post(f"http://127.0.0.1:{server.getsockname()[1]}/", b"", {},
                 may_be_private=True, seconds=0.5)  # fmt: skip
        assert time.monotonic() - began < 5
        thread.join(5)


def webhooks(receiver, secret=lambda _: "key", **changes):
    told = {"url": receiver.url("/hook/hidden"), "secret": "env:CI", "is_private": True, **changes}
    clock = lambda: datetime(2026, 1, 1, tzinfo=UTC)  # noqa: E731
    return Webhooks({"ci": Webhook.model_validate(told)}, secret, clock)


@pytest.mark.parametrize(
    ("status", "expected"),
    [(200, None), (204, None), (301, Refused), (400, Refused), (401, Refused), (404, Refused),
     (410, Refused), (408, Unavailable), (425, Unavailable), (429, Unavailable),
     (500, Unavailable), (503, Unavailable)],
    ids=str,
)  # fmt: skip
def test_what_an_answer_means(receiver, status, expected):
    receiver.answers = [status]
    if expected is None:
        webhooks(receiver).deliver(NOTICE)
        return
    with pytest.raises(expected) as caught:
        webhooks(receiver).deliver(NOTICE)
    assert str(status) in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_a_secret_that_is_not_there_is_hopeless(receiver):
    def missing(reference: str) -> str:
        raise Misconfigured(f"{reference} is not set")

    with pytest.raises(Refused, match="is not set"):
        webhooks(receiver, missing).deliver(NOTICE)
    assert receiver.requests == []


def test_a_webhook_that_the_site_has_no_longer_is_hopeless(receiver):
    other = NOTICE.model_copy(update={"target": Target(kind="webhook", name="old")})
    with pytest.raises(Refused, match="none of that name"):
        webhooks(receiver).deliver(other)


def test_nothing_is_logged_that_has_the_address_in_it(caplog):
    caplog.set_level(logging.DEBUG)
    url = "http://127.0.0.1:9/hook/hidden"
    hook = Webhook.model_validate({"url": url, "secret": "env:CI", "is_private": True})
    with pytest.raises(Unavailable) as caught:
        Webhooks({"ci": hook}, lambda _: "key", lambda: datetime.now(UTC)).deliver(NOTICE)
    assert "hidden" not in caplog.text + str(caught.value)


def test_a_webhook_into_the_own_network_is_hopeless_unless_the_site_says_so():
    hook = Webhook.model_validate({"url": "https://127.0.0.1/hidden", "secret": "env:CI"})
    with pytest.raises(Refused, match="private network"):
        Webhooks({"ci": hook}, lambda _: "key", lambda: datetime.now(UTC)).deliver(NOTICE)
