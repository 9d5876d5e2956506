"""``falsework serve`` when too many come at once: a bound on threads, and words for the others."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import ExitStack, suppress

import pytest

from tests.flow.doors import serving_here
from tests.flow.test_server import serving as served

HALF = b"GET /health HTTP/1.1\r\nHost: loc"
WHOLE = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
LAST = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
MOST = 4


def serving(root, request_seconds):
    """Yield the port of a server in this process that has few places."""
    return serving_here(root, request_seconds=request_seconds, most_connections=MOST)


@pytest.fixture
def port(tmp_path):
    with serving(tmp_path / "root", 30.0) as port:
        yield port


@pytest.fixture
def guests():
    """Opens connections, and closes all of them at the end."""
    with ExitStack() as stack:

        def enter(port, start):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
            client.sendall(start)
            return client

        yield enter


def everything(client):
    received = b""
    while chunk := client.recv(65536):
        received += chunk
    return received


def status_of(port, guests):
    return int(everything(guests(port, LAST)).split()[1])


def take_all_places(port, guests, start):
    clients = [guests(port, start) for _ in range(MOST)]
    give_up_at = time.monotonic() + 10
    while status_of(port, guests) != 503:
        assert time.monotonic() < give_up_at
    return clients


def test_who_finds_no_place_is_told_so_and_when_to_come_again(port, guests):
    take_all_places(port, guests, HALF)
    head, _, body = everything(guests(port, LAST)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"\r\nRetry-After: 5" in head
    assert b"\r\nContent-Type: application/problem+json" in head
    assert json.loads(body)["detail"].startswith(f"All {MOST} places of this server are taken")


def test_a_place_that_is_given_back_is_taken_by_the_next(port, guests):
    first, *_ = take_all_places(port, guests, HALF)
    first.close()
    give_up_at = time.monotonic() + 10
    while status_of(port, guests) != 200:
        assert time.monotonic() < give_up_at


def test_a_flood_of_connections_gets_no_more_threads(port, guests):
    before = threading.active_count()
    for _ in range(300):
        guests(port, HALF)
    time.sleep(0.3)
    assert threading.active_count() - before <= MOST


def test_who_only_drips_loses_the_place_at_the_deadline(tmp_path, guests):
    with serving(tmp_path / "root", 1.0) as port:
        clients = take_all_places(port, guests, HALF)
        give_up_at = time.monotonic() + 10
        while status_of(port, guests) != 200:
            assert time.monotonic() < give_up_at
            for client in clients:
                with suppress(OSError):  # hung up on
                    client.sendall(b"x")


def test_who_asks_and_never_reads_the_answers_loses_the_place_too(tmp_path, guests):
    asked = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100
    with serving(tmp_path / "root", 1.0) as port:
        take_all_places(port, guests, asked)
        give_up_at = time.monotonic() + 15
        while status_of(port, guests) != 200:
            assert time.monotonic() < give_up_at


@pytest.mark.parametrize("start", [b"", WHOLE], ids=["never asked", "asked once"])
def test_nobody_keeps_a_place_in_a_crowd_without_asking_for_anything(port, guests, start):
    begun = time.monotonic()
    take_all_places(port, guests, start)
    while status_of(port, guests) != 200:
        assert time.monotonic() < begun + 10


def test_where_there_is_room_an_idle_connection_is_kept(port, guests):
    client = guests(port, WHOLE)
    time.sleep(2.5)
    client.sendall(LAST)
    assert everything(client).count(b"HTTP/1.1 200 ") == 2


def test_how_many_are_served_is_a_setting(tmp_path, guests):
    with served(tmp_path / "root", FALSEWORK_HTTP_CONNECTIONS="1") as (_, port):
        guests(port, HALF)
        give_up_at = time.monotonic() + 10
        while b"All 1 places" not in everything(guests(port, LAST)):
            assert time.monotonic() < give_up_at
