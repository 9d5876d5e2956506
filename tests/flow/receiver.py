"""Somebody's web server on this machine, to which notices are posted."""

from __future__ import annotations

import ssl
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple, Self


class Request(NamedTuple):
    """What came in."""

    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """Keeps what is posted; answers ``answers`` in turn, and then 200."""

    def __init__(self, certificate: Path | None = None) -> None:
        """``certificate``, with its key: it speaks TLS."""
        self.requests: list[Request] = []
        self.answers: list[int] = []
        self.headers: dict[str, str] = {}
        """Of every answer."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                receiver.requests.append(Request(self.path, dict(self.headers), body))
                status = receiver.answers.pop(0) if receiver.answers else 200
                self.send_response(status)
                self.send_header("Location", "http://127.0.0.1:9/elsewhere")
                for name, text in receiver.headers.items():
                    self.send_header(name, text)
                self.end_headers()

            def handle(self) -> None:
                with suppress(ssl.SSLError, ConnectionError):  # whoever does not trust us hangs up
                    super().handle()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = self._server.server_port
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
