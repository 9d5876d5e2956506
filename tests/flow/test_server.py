"""``falsework serve``: a real process, real sockets, and clients of every kind of rudeness."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from chalicelib.core.limits import LAMBDA_PAYLOAD_BYTES
from tests.flow.doors import (
    command,
    environment,
    eventually,
    falsework,
    serving_here,
    shell_demand,
    until,
)


@contextmanager
def serving(root, *flags, **more):
    """Yield (process, port) of a server that listens; it is ended at the end, if need be."""
    errors = root.with_suffix(".stderr")
    with errors.open("wb") as stderr:
        process = subprocess.Popen(
            command("serve", "--root", root, "--port", 0, *flags),
            stdout=subprocess.PIPE, stderr=stderr, env=environment(**more), text=True,
        )  # fmt: skip
    try:
        line = process.stdout.readline()
        match = re.fullmatch(rf"Falsework serves (http://\S+) from {root} .*\n", line)
        assert match, line + errors.read_text()
        yield process, urlsplit(match[1]).port
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("serve") / "root") as (_, port):
        yield port


def _ask(port, method, target, body=None, headers=None):
    """Ask on a connection of its own; return (status, headers, JSON)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, target, body, headers or {})
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    return answer.status, dict(answer.headers), json.loads(content) if content else None


def _raw(port, text, *, is_half_closed=False):
    """Send bytes and return everything that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(text)
        if is_half_closed:
            client.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := client.recv(65536):
            received += chunk
    return received


def _problem(received):
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    document = json.loads(body)
    assert head.startswith(f"HTTP/1.1 {document['status']} ".encode())
    return document["status"]


def test_it_answers(port):
    status, _, document = _ask(port, "GET", "/health")
    assert (status, document["home"]) == (200, "embedded")


def test_a_demand_runs_to_its_end(port):
    body = json.dumps(shell_demand("whole", "echo hello"))
    status, headers, _ = _ask(port, "POST", "/demand-executions", body)
    assert (status, headers["Location"]) == (202, "/runs/whole")
    run = eventually(lambda: (r := _ask(port, "GET", "/runs/whole")[2])["settled_at"] and r)
    assert run["state"] == "SUCCESS", run["error"]


def test_head_is_get_without_a_body(port):
    received = _raw(port, b"HEAD /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert int(re.search(rb"Content-Length: (\d+)", head)[1]) > 10
    assert body == b""


def test_a_connection_serves_many_requests(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.connect()
    own = connection.sock.getsockname()
    for number in range(50):
        connection.request("GET", f"/runs/none-{number}")
        answer = connection.getresponse()
        assert answer.status == 404
        assert f"none-{number}" in json.loads(answer.read())["detail"]
        assert connection.sock.getsockname() == own
    connection.close()


def test_answers_to_many_clients_at_once_never_cross(port):
    def ask(number):
        mark = f"none-{number}-"
        return mark in _ask(port, "GET", f"/runs/{mark}")[2]["detail"]

    with ThreadPoolExecutor(50) as pool:
        assert all(pool.map(ask, range(300)))


def test_previews_of_many_clients_at_once_never_cross(port):
    def preview(number):
        body = json.dumps(shell_demand(f"id-{number}", f"echo {number}"))
        status, _, document = _ask(port, "POST", "/demand-executions/scaffolding", body)
        return status, document["demand_execution"]["execution_id"] == f"id-{number}"

    with ThreadPoolExecutor(50) as pool:
        assert set(pool.map(preview, range(100))) == {(200, True)}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": "evil.example:{port}"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "http://127.0.0.1:{port}"}, 202),
        ({"Host": "localhost:{port}", "Origin": "http://localhost:{port}"}, 202),
    ],
    ids=str,
)
def test_a_page_in_a_browser_cannot_start_commands(port, headers, status):
    headers = {name: value.format(port=port) for name, value in headers.items()}
    body = json.dumps(shell_demand("browser", "true"))
    assert _ask(port, "POST", "/demand-executions", body, headers)[0] == status


@pytest.mark.parametrize(
    ("target", "site", "status"),
    [
        ("/buckets/audit/failed", "cross-site", 403),
        ("/buckets/audit/failed", "same-site", 403),
        ("/buckets/audit/failed", "same-origin", 200),
        ("/buckets/audit/failed", "none", 200),
        ("/docs", "cross-site", 200),
    ],
)
def test_a_picture_on_a_page_cannot_ask_for_anything(port, target, site, status):
    head = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: {site}\r\n"
    answer = _raw(port, f"{head}Connection: close\r\n\r\n".encode())
    assert int(answer.split()[1]) == status


def test_ten_megabytes_are_refused_unread_and_the_client_gets_to_know(port):
    status, headers, document = _ask(port, "POST", "/demand-executions", b" " * 10_000_000)
    assert (status, headers["Connection"]) == (413, "close")
    assert str(LAMBDA_PAYLOAD_BYTES) in document["detail"]


def test_a_client_that_asks_first_is_refused_before_it_sends(port):
    head = b"POST /runs HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
    assert (
        _problem(_raw(port, head + b"Content-Length: 99999999\r\n\r\n", is_half_closed=True))
        == 413
    )
    received = _raw(port, head + b"Content-Length: 2\r\nConnection: close\r\n\r\n{}")
    assert received.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 405 ")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\n\r\n", 400),
        (b"GET http://evil.example/health HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"BREW /health HTTP/1.1\r\nHost: localhost\r\n\r\n", 501),
        (b"GET /health HTTP/3.7\r\nHost: localhost\r\n\r\n", 505),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 70_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: a\r\n" * 200 + b"\r\n", 431),
        (
            b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            411,
        ),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n", 400),
    ],
    ids=lambda value: value[:40].decode() if isinstance(value, bytes) else "",
)
def test_what_is_no_request_is_refused_and_the_connection_closed(port, request_, status):
    assert _problem(_raw(port, request_, is_half_closed=True)) == status
    assert _ask(port, "GET", "/health")[0] == 200


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (("POST", "/demand-executions", b'{"a": '), 400),
        (("POST", "/demand-executions", b"\xff\xfe"), 400),
        (("POST", "/demand-executions"), 400),
        (("POST", "/demand-executions", b"{}", {"Content-Type": "text/plain"}), 415),
        (("PATCH", "/runs"), 405),
        (("OPTIONS", "/runs"), 405),
        (("GET", "/nope"), 404),
        (("GET", "//evil.example/runs"), 404),
        (("POST", "/runs/nope/cancel"), 404),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, tuple) else "",
)
def test_the_routes_refusals_come_through(port, request_, status):
    assert _ask(port, *request_)[0] == status


@pytest.mark.parametrize(
    ("start", "status"),
    [
        (b"", None),
        (b"GET /health HTTP/1.1\r\nHost: loc", None),
        (b"POST /runs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{", 408),
    ],
    ids=["silent", "half-a-head", "half-a-body"],
)
def test_a_client_that_drips_is_cut_off_by_one_deadline(tmp_path, start, status):
    with serving_here(tmp_path / "root", request_seconds=0.5) as port:
        begun = time.monotonic()
        with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            client.sendall(start)
            client.settimeout(0.1)
            received = None
            while received is None and time.monotonic() < begun + 10:
                try:
                    received = client.recv(65536)
                except TimeoutError:
                    client.sendall(b"x")  # one byte a tenth of a second: never idle for long
        assert received is not None
        assert time.monotonic() - begun < 5
        assert (received == b"") if status is None else received.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("host", ["192.0.2.1", "example.org"], ids=["another's", "a name"])
def test_what_is_no_address_of_this_machine_is_refused(tmp_path, host):
    done = falsework("serve", "--host", host, "--root", "root", cwd=tmp_path)
    assert done.returncode == 2
    assert "address" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("flags", [("--host", "0.0.0.0"), ("--tokens",)], ids=["others", "asked"])
def test_where_tokens_are_needed_it_says_so_and_lets_nobody_in_without_one(tmp_path, flags):
    root = tmp_path / "root"
    with serving(root, *flags) as (process, port):
        assert "needs a token" in process.stdout.readline()
        status, headers, _ = _ask(port, "GET", "/runs")
        assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
        assert _ask(port, "GET", "/health", headers={"Host": "any.example"})[0] == 200
        made = falsework("token", "create", "alice", "--root", root, cwd=tmp_path)
        shown = {"Authorization": f"Bearer {made.stdout.strip()}", "Host": "any.example"}
        assert _ask(port, "GET", "/runs", headers=shown)[0] == 200
        body = json.dumps(shell_demand("e1", "true"))
        assert _ask(port, "POST", "/demand-executions", body, shown)[0] == 202
        (entry,) = _ask(port, "GET", "/runs/e1/audit", headers=shown)[2]["entries"]
        assert (entry["who"].startswith("alice ("), entry["source"]) == (True, "127.0.0.1")


@pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "CF-Ray"])
def test_on_loopback_a_request_that_a_proxy_passed_on_is_refused(port, name):
    headers = {name: "192.0.2.1"}
    assert _ask(port, "GET", "/runs", headers=headers)[0] == 403


def test_a_root_with_blanks_and_a_taken_port_are_refused(tmp_path, port):
    blank = falsework("serve", "--root", "a b", "--port", "0", cwd=tmp_path)
    assert (blank.returncode, "blanks" in blank.stderr) == (2, True)
    taken = falsework("serve", "--root", "root", "--port", port, cwd=tmp_path)
    assert (taken.returncode, "choose another --port" in taken.stderr) == (2, True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(tmp_path, number):
    with serving(tmp_path / "root") as (process, port):
        idle = socket.create_connection(("127.0.0.1", port))
        process.send_signal(number)
        assert process.wait(timeout=20) == 0
        idle.close()
    assert not (tmp_path / "root.stderr").read_text()


def test_a_killed_server_is_followed_by_one_that_finishes_and_runs_nothing_twice(tmp_path):
    root = tmp_path / "root"
    started, gate = tmp_path / "started", tmp_path / "gate"
    script = f"echo x >> {started}; {until(gate)}; echo y >> {started}"
    with serving(root, "--runner", "host") as (process, port):
        body = json.dumps(shell_demand("e1", script))
        assert _ask(port, "POST", "/demand-executions", body)[0] == 202
        eventually(started.exists)
        process.kill()
    gate.touch()
    with serving(root, "--runner", "host") as (_, port):
        run = eventually(lambda: (r := _ask(port, "GET", "/runs/e1")[2])["settled_at"] and r)
    assert run["state"] == "SUCCESS", run["error"]
    assert started.read_text() == "x\ny\n"


def test_of_two_servers_on_one_root_the_survivor_takes_over(tmp_path):
    root = tmp_path / "root"
    with serving(root) as (first, _), serving(root) as (_, port):
        os.kill(first.pid, signal.SIGKILL)
        body = json.dumps(shell_demand("e1", "true"))
        assert _ask(port, "POST", "/demand-executions", body)[0] == 202
        run = eventually(lambda: (r := _ask(port, "GET", "/runs/e1")[2])["settled_at"] and r)
    assert run["state"] == "SUCCESS", run["error"]
