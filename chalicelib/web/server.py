"""REST over HTTP on this machine: a thread per connection in front of the gateway.

What a request may cost is bounded before it is read: its head by ``guards``, its size by its
Content-Length, its time by one deadline for all of it, the wait for it included (a reader that
counts the time between two bytes can be held for ever by a client that sends one a minute). How
many are served at once ``doorkeeper`` bounds; while all places are taken nobody keeps one without
asking for anything.
"""

from __future__ import annotations

import contextlib
import io
import logging
import socket
import socketserver
import sys
import time
from collections.abc import Iterable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from chalicelib.core.errors import FalseworkError
from chalicelib.core.limits import HTTP_CONNECTIONS
from chalicelib.web.deadline_reader import DeadlineReader
from chalicelib.web.doorkeeper import Doorkeeper
from chalicelib.web.gateway import Answer, Gateway, problem_answer
from chalicelib.web.guards import refusal_of

REQUEST_SECONDS: Final = 30.0
"""How long a whole request may take to arrive, and a connection may be idle."""
_LINGER_SECONDS: Final = 2.0
_LINGER_BYTES: Final = 64 * 1024 * 1024
_LOG: Final = logging.getLogger("falsework.http")


class Server(ThreadingHTTPServer):
    """Listens once it is made; ``serve_forever`` answers until ``shutdown``."""

    daemon_threads = True
    request_queue_size = 128
    """50 clients at once are nothing; the library's 5 makes the others wait for a second."""

    def __init__(
        self,
        host: str,
        port: int,
        gateway: Gateway,
        *,
        request_seconds: float = REQUEST_SECONDS,
        most_connections: int = HTTP_CONNECTIONS,
    ) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.gateway = gateway
        self.request_seconds = request_seconds
        self.door = Doorkeeper(most_connections)
        super().__init__((host, port), Handler)

    @property
    def url(self) -> str:
        """The address under which it is reached."""
        host, port = self.server_address[:2]
        return f"http://[{host!s}]:{port}" if ":" in str(host) else f"http://{host!s}:{port}"

    def server_bind(self) -> None:
        """Bind without asking DNS for our own name, which takes seconds on some machines."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Begin a thread for the connection, or turn it away."""
        if not self.door.enter():
            self.door.refuse(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread could be had
            self.door.leave()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve the connection in its thread, and give its place back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.door.leave()

    def server_close(self) -> None:
        """Listen no longer."""
        super().server_close()
        self.door.close()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """Log what a connection died of; clients that hang up are no news."""
        is_ours = not isinstance(sys.exception(), OSError)
        _LOG.log(
            logging.ERROR if is_ours else logging.DEBUG,
            "connection of %s",
            client_address,
            exc_info=True,
        )


class Handler(BaseHTTPRequestHandler):
    """One connection: its requests, one after the other."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "falsework"
    sys_version = ""
    disable_nagle_algorithm = True  # 23 requests a second with it, 1,400 without

    def setup(self) -> None:
        """Put a reader with a deadline in the place of the socket's own."""
        super().setup()
        self._reader = DeadlineReader(self.connection, lambda: self.server.door.is_full)
        self.rfile = io.BufferedReader(self._reader)

    def handle_one_request(self) -> None:
        """Start the request's time."""
        self._reader.begin(self.server.request_seconds)
        self.connection.settimeout(self.server.request_seconds)
        super().handle_one_request()

    def handle_expect_100(self) -> bool:
        """Refuse by the head before the client sends the body that it asks about."""
        return not self._is_refused() and super().handle_expect_100()

    def send_error(
        self, code: int, message: str | None = None, explain: str | None = None
    ) -> None:
        """Say what the library refuses by itself as we say everything else."""
        detail = explain or message or HTTPStatus(code).description
        self._send(problem_answer(int(code), detail), is_last=True)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the library's name)
        """Leave the record to ``logging``; standard error is for what matters."""
        _LOG.debug(format, *args)

    def _answer(self) -> None:
        if self._is_refused():
            return
        length = int(self.headers.get("Content-Length", "0"))
        try:
            body = self.rfile.read(length)
        except TimeoutError:
            self._send(problem_answer(408, "The body did not come in time."), is_last=True)
            return
        if len(body) < length:  # the client hung up
            self.close_connection = True
            return
        gateway = self.server.gateway
        headers = dict(self.headers)
        answer = gateway.request(
            self.command,
            self.path,
            headers,
            body,
            source=str(self.client_address[0]),
            is_streaming=True,
        )
        if answer.chunks is None:
            self._send(answer)
        else:
            self._send_chunks(answer, answer.chunks)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _answer  # noqa: N815
    do_TRACE = do_QUERY = _answer  # noqa: N815 -- else they are 501, and not 405

    def _is_refused(self) -> bool:
        is_trusting = self.server.gateway.trusted is not None
        refusal = refusal_of(self.path, self.headers, is_trusting=is_trusting)
        if refusal is not None:
            self._send(problem_answer(refusal.status, refusal.detail), is_last=True)
        return refusal is not None

    def _send(self, answer: Answer, *, is_last: bool = False) -> None:
        self.connection.settimeout(self.server.request_seconds)
        if self.request_version == "HTTP/0.9":  # also what the library takes nonsense for
            self.request_version = "HTTP/1.0"  # else it sends no head
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status not in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
            self.send_header("Content-Length", str(len(answer.body)))
        if is_last:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)
        if is_last:
            self._linger()

    def _send_chunks(self, answer: Answer, chunks: Iterable[bytes]) -> None:
        """Send what is not in memory. Where it breaks off the client sees that the end is missing:
        bytes of the announced length, or the last chunk of HTTP/1.1."""
        self.connection.settimeout(self.server.request_seconds)
        is_chunked = answer.size_bytes is None and self.request_version == "HTTP/1.1"
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.size_bytes is not None:
            self.send_header("Content-Length", str(answer.size_bytes))
        elif is_chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if self.command == "HEAD":
            return
        try:
            for chunk in chunks:
                self.wfile.write(_framed(chunk) if is_chunked else chunk)
        except FalseworkError:
            self.close_connection = True
            _LOG.warning("a download broke off", exc_info=True)
        else:
            if is_chunked:
                self.wfile.write(_framed(b""))

    def _linger(self) -> None:
        """Take what the client still sends: closing at once would reset the connection and tear
        the answer from its hands."""
        self.close_connection = True
        self._reader.deadline = time.monotonic() + _LINGER_SECONDS
        left = _LINGER_BYTES
        with contextlib.suppress(OSError):  # a deadline is one
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_WR)
            while left > 0 and (got := len(self.rfile.read(64 * 1024))):
                left -= got


def _framed(chunk: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(chunk), chunk)
