"""Posting: where we go, where we do not, and for how long."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from chalicelib import posting
from chalicelib.core.errors import Misconfigured, Refused, Unavailable
from chalicelib.core.notice import Notice, seconds_until
from chalicelib.core.notifications import Webhook
from chalicelib.core.plans.announcements import Target
from chalicelib.notice_ports import LONGEST_REST_SECONDS, NotYet, pause_after
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
        ("::7f00:1", False),
        ("2001::a9fe:a9fe", False),
        ("fec0::1", False),
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
    assert post(address, b"{}", {}, may_be_private=True).status == 200
    assert receiver.requests[0].headers["Host"] == f"hook.example.org:{receiver.port}"
    assert asked == ["hook.example.org", "127.0.0.1"]


def test_what_is_posted_arrives_as_it_is(receiver):
    answer = post(receiver.url("/a?b=c"), b"body", {"X-Y": "z"}, may_be_private=True)
    (request,) = receiver.requests
    assert (answer.status, request.path, request.body) == (200, "/a?b=c", b"body")
    assert (request.headers["X-Y"], request.headers["Host"]) == ("z", f"127.0.0.1:{receiver.port}")


def test_a_redirect_is_an_answer_and_not_followed(receiver):
    receiver.answers = [302]
    assert post(receiver.url("/"), b"", {}, may_be_private=True).status == 302
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


def test_a_host_whose_addresses_do_not_answer_is_not_tried_for_longer_than_one(monkeypatch):
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"127.0.0.{each}", 9))
             for each in range(1, 9)]  # fmt: skip
    tried = []

    def hang(address, seconds):
        tried.append(address)
        time.sleep(seconds)
        raise TimeoutError

    monkeypatch.setattr(posting.socket, "getaddrinfo", lambda *_, **__: found)
    monkeypatch.setattr(posting.socket, "create_connection", hang)
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        post("https://many.example.org/", b"", {}, may_be_private=True, seconds=0.2)
    assert time.monotonic() - began < 1
    assert len(tried) == 1


def test_who_connects_at_the_last_moment_has_no_more_time_than_others(monkeypatch):
    """The end of all may come before there is a socket that it could end."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        real = socket.create_connection

        def late(address, seconds):
            time.sleep(0.4)
            return real(address, 5)

        monkeypatch.setattr(posting.socket, "create_connection", late)
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            post(f"http://127.0.0.1:{port}/", b"", {}, may_be_private=True, seconds=0.3)
        assert time.monotonic() - began < 2


def certified(folder, host):
    """Return the file of a key and of a certificate of that host, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(),
                                   now - timedelta(1), now + timedelta(1))  # fmt: skip
    alternative = x509.SubjectAlternativeName([x509.DNSName(host)])
    certificate = made.add_extension(alternative, critical=False).sign(key, hashes.SHA256())
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    own = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    file = folder / "tls.pem"
    file.write_bytes(own + certificate.public_bytes(pem))
    return file


@pytest.mark.parametrize(
    ("host", "is_known", "expected"),
    [
        ("hook.example.org", True, 200),
        ("other.example.org", True, ssl.SSLCertVerificationError),
        ("hook.example.org", False, ssl.SSLCertVerificationError),
    ],
    ids=["its own", "another's", "signed by nobody"],
)
def test_the_certificate_has_to_be_that_of_the_name(
    tmp_path, monkeypatch, host, is_known, expected
):
    file = certified(tmp_path, "hook.example.org")
    real, known = socket.getaddrinfo, ssl.create_default_context()
    if is_known:
        known.load_verify_locations(file)
    monkeypatch.setattr(posting.ssl, "create_default_context", lambda: known)
    monkeypatch.setattr(
        posting.socket, "getaddrinfo", lambda _, *args, **named: real("127.0.0.1", *args, **named)
    )
    with Receiver(certificate=file) as receiver:
        address = f"https://{host}:{receiver.port}/"
        if expected == 200:
            assert post(address, b"{}", {}, may_be_private=True).status == expected
        else:
            with pytest.raises(expected):
                post(address, b"{}", {}, may_be_private=True)
    assert len(receiver.requests) == (expected == 200)


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


def test_nothing_is_signed_with_an_empty_secret_for_anybody_could(receiver):
    with pytest.raises(Refused, match="its secret is empty"):
        webhooks(receiver, lambda _: "").deliver(NOTICE)
    assert receiver.requests == []


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("120", 120),
        (" 7 ", 7),
        ("Thu, 01 Jan 2026 00:01:30 GMT", 90),
        ("Wed, 31 Dec 2025 00:00:00 GMT", 0),
        ("soon", 0),
        ("-5", 0),
        ("\u0663", 0),
        ("9" * 5000, 999_999_999),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_receiver_says_when_it_wants_to_be_asked_again(header, seconds):
    assert seconds_until(header, datetime(2026, 1, 1, tzinfo=UTC)) == seconds


@pytest.mark.parametrize("status", [429, 503], ids=str)
def test_what_the_receiver_says_of_the_time_is_handed_on(receiver, status):
    receiver.answers, receiver.headers = [status], {"Retry-After": "3600"}
    with pytest.raises(NotYet) as caught:
        webhooks(receiver).deliver(NOTICE)
    assert pause_after(caught.value, 5) == 3600
    assert pause_after(caught.value, 7200) == 7200
    assert pause_after(NotYet("", after_seconds=1e9), 5) == LONGEST_REST_SECONDS
    assert pause_after(Unavailable(""), 5) == 5


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
