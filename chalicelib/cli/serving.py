"""``serve``: REST over HTTP, the loop, and the request files; ``engine``: the loop alone.

``serve`` answers from the first moment, whoever moves the runs on; while another process holds
ROOT's lock it waits for its turn. SIGTERM and Ctrl-C end it; the jobs that run go on, and the
next engine learns how they ended.

On a loopback address whoever asks is the user of this machine. On any other one, and with
``--tokens``, everybody has to show a token: see ``web.asked``.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from chalicelib.cli.complaints import Complaint, Exit
from chalicelib.cli.engines import OwnEngine, drive_to_the_end, host_warning
from chalicelib.cli.places import open_home, settings_of
from chalicelib.core.principals import LOCAL, Principal
from chalicelib.settings import Settings
from chalicelib.web.gateway import Gateway
from chalicelib.web.guards import is_loopback, listening_address
from chalicelib.web.server import Server

_TOKENS: Final = (
    "Everybody needs a token here: falsework token create NAME. Over HTTP it travels in clear"
    " text: put a proxy with TLS in front."
)


def serve(arguments: argparse.Namespace) -> Exit:
    """``serve``: until a signal comes."""
    settings = _use(arguments)
    address = listening_address(arguments.host)
    needs_tokens = arguments.tokens or not is_loopback(address)
    most = settings.http_connections
    server = _listen(address, arguments.port, None if needs_tokens else LOCAL, most)
    with _stopping() as stop, server, _answering(server):
        print(f"Falsework serves {server.url} from {settings.root.absolute()} (Ctrl-C ends it)",
              flush=True)  # fmt: skip
        if needs_tokens:
            print(_TOKENS, flush=True)
        if warning := host_warning():
            print(warning, file=sys.stderr, flush=True)
        engine = OwnEngine()
        try:
            stop.wait()
        finally:
            engine.stop()
    return Exit.SUCCESS


def engine(arguments: argparse.Namespace) -> Exit:
    """``engine``: until every run is settled, or at once if another engine is at work."""
    _use(arguments)
    with _stopping() as stop:
        drive_to_the_end(stop)
    return Exit.SUCCESS


def _use(arguments: argparse.Namespace) -> Settings:
    arguments.url = ""  # FALSEWORK_URL is for those who ask, not for who answers
    settings = settings_of(arguments)
    open_home(settings)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    return settings


def _listen(address: str, port: int, trusted: Principal | None, most: int) -> Server:
    try:
        return Server(address, port, Gateway(trusted=trusted), most_connections=most)
    except OSError as exc:
        raise Complaint(
            f"cannot listen on {address}: {exc.strerror}",
            field="port",
            value=port,
            mend="choose another --port; 0 takes a free one. The address must be this machine's",
        ) from exc


@contextmanager
def _answering(server: Server) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="http")
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """Yield an event that SIGTERM and SIGINT set."""
    stop = threading.Event()

    def order(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        stop.set()

    before = [signal.signal(number, order) for number in (signal.SIGTERM, signal.SIGINT)]
    try:
        yield stop
    finally:
        for number, handler in zip((signal.SIGTERM, signal.SIGINT), before, strict=True):
            signal.signal(number, handler)
