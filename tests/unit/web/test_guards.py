"""Who may ask the server on this machine at all."""

from __future__ import annotations

from email.message import Message

import pytest

from chalicelib.core.errors import InvalidRequest
from chalicelib.core.limits import LAMBDA_PAYLOAD_BYTES
from chalicelib.web.guards import is_loopback, listening_address, refusal_of


def _headers(*pairs):
    message = Message()
    for name, value in pairs:
        message[name] = value
    return message


HOST = ("Host", "127.0.0.1:8000")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("localhost", True),
        ("LOCALHOST", True),
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("example.org", False),
        ("localhost.example.org", False),
        ("127.0.0.1.example.org", False),
        ("127.1", False),
        ("", False),
    ],
)
def test_loopback_is_what_can_only_mean_this_machine(name, expected):
    assert is_loopback(name) is expected


@pytest.mark.parametrize(
    ("host", "address"),
    [("localhost", "127.0.0.1"), ("::1", "::1"), ("[::1]", "::1"), ("0.0.0.0", "0.0.0.0"),
     ("192.0.2.1", "192.0.2.1"), ("::", "::")],
)  # fmt: skip
def test_serve_listens_on_an_address(host, address):
    assert listening_address(host) == address


@pytest.mark.parametrize("host", ["example.org", "", "127.1", "localhost.", "127.0.0.1:80", "*"])
def test_what_is_no_address_is_refused(host):
    with pytest.raises(InvalidRequest) as caught:
        listening_address(host)
    assert (caught.value.field, caught.value.value) == ("host", host)


@pytest.mark.parametrize(
    ("target", "headers", "status"),
    [
        pytest.param("/", [HOST], None, id="plain"),
        pytest.param("/", [("Host", "localhost:9000")], None, id="tunnel"),
        pytest.param("/", [("Host", "[::1]:8000")], None, id="ipv6"),
        pytest.param("/", [("Host", "127.0.0.1")], None, id="no-port"),
        pytest.param("/", [], 400, id="no-host"),
        pytest.param("/", [HOST, HOST], 400, id="two-hosts"),
        pytest.param("/", [("Host", "evil.example:8000")], 403, id="rebound-name"),
        pytest.param("/", [("Host", "127.0.0.1.evil.example")], 403, id="look-alike"),
        pytest.param("/", [("Host", "127.0.0.1:8000@evil.example")], 403, id="user-info"),
        pytest.param("/", [("Host", "")], 403, id="empty-host"),
        pytest.param("http://evil.example/", [HOST], 400, id="absolute-target"),
        pytest.param("*", [HOST], 400, id="asterisk-target"),
        pytest.param("/", [HOST, ("Origin", "http://127.0.0.1:8000")], None, id="own-origin"),
        pytest.param("/", [HOST, ("Origin", "http://127.0.0.1:3000")], 403, id="other-port"),
        pytest.param("/", [HOST, ("Origin", "http://localhost:8000")], 403, id="other-name"),
        pytest.param("/", [HOST, ("Origin", "https://evil.example")], 403, id="other-site"),
        pytest.param("/", [HOST, ("Origin", "null")], 403, id="null-origin"),
        pytest.param("/", [HOST, ("Origin", "")], 403, id="empty-origin"),
        pytest.param("/", [HOST, ("X-Forwarded-For", "192.0.2.1")], 403, id="proxy"),
        pytest.param("/", [HOST, ("forwarded", "for=192.0.2.1")], 403, id="forwarded"),
        pytest.param("/", [HOST, ("Via", "1.1 proxy")], 403, id="via"),
        pytest.param("/", [HOST, ("Content-Length", "5")], None, id="length"),
        pytest.param("/", [HOST, ("Content-Length", "x")], 400, id="length-no-number"),
        pytest.param("/", [HOST, ("Content-Length", "-1")], 400, id="length-negative"),
        pytest.param("/", [HOST, ("Content-Length", "+5")], 400, id="length-signed"),
        pytest.param("/", [HOST, ("Content-Length", "5"), ("Content-Length", "6")], 400,
                     id="two-lengths"),
        pytest.param("/", [HOST, ("Content-Length", "9" * 5000)], 400, id="length-endless"),
        pytest.param("/", [HOST, ("Content-Length", str(LAMBDA_PAYLOAD_BYTES))], None,
                     id="just-fits"),
        pytest.param("/", [HOST, ("Content-Length", str(LAMBDA_PAYLOAD_BYTES + 1))], 413,
                     id="too-large"),
        pytest.param("/", [HOST, ("Transfer-Encoding", "chunked")], 411, id="chunked"),
        pytest.param("/", [HOST, ("Transfer-Encoding", "chunked"), ("Content-Length", "5")], 411,
                     id="smuggled"),
    ],
)  # fmt: skip
def test_a_request_is_judged_by_its_head(target, headers, status):
    refusal = refusal_of(target, _headers(*headers))
    assert (refusal and refusal.status) == status


@pytest.mark.parametrize(
    ("target", "headers", "status"),
    [
        pytest.param("/", [("Host", "falsework.example:8000")], None, id="any-name"),
        pytest.param("/", [HOST, ("Origin", "https://other.example")], None, id="any-origin"),
        pytest.param("/", [HOST, ("X-Forwarded-For", "192.0.2.1")], None, id="proxy"),
        pytest.param("/", [], 400, id="no-host"),
        pytest.param("/", [HOST, HOST], 400, id="two-hosts"),
        pytest.param("http://evil.example/", [HOST], 400, id="absolute-target"),
        pytest.param("/", [HOST, ("Transfer-Encoding", "chunked")], 411, id="chunked"),
    ],
)
def test_where_everybody_needs_a_token_it_does_not_matter_who_sends(target, headers, status):
    refusal = refusal_of(target, _headers(*headers), is_trusting=False)
    assert (refusal and refusal.status) == status
