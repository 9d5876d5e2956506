"""How many connections are served at once, and what becomes of the others.

Each connection has a thread, and a thread has memory: who opens thousands of them must not get
thousands. Whoever comes when all places are taken is told so at once (503), by one thread that
does nothing else; what is too much for that one, too, is hung up on.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from http import HTTPStatus
from typing import Final

from chalicelib.web.gateway import Answer, problem_answer

RETRY_SECONDS: Final = 5
_WAITING: Final = 64
"""How many may wait for their refusal."""
_FAREWELL_SECONDS: Final = 0.2
"""How long what somebody still sends is taken: closing at once would tear the answer from them."""


class Doorkeeper:
    """Counts who is in, and turns away the others."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._inside = 0
        self._lock = threading.Lock()
        self._outside: queue.Queue[socket.socket | None] = queue.Queue(_WAITING)
        self._refusal = _as_bytes(_refusal(most))
        thread = threading.Thread(target=self._turn_away, name="doorkeeper", daemon=True)
        thread.start()

    @property
    def is_full(self) -> bool:
        """Whether there is no place for anybody else."""
        return self._inside >= self._most

    def enter(self) -> bool:
        """Take a place, if there is one."""
        with self._lock:
            if self.is_full:
                return False
            self._inside += 1
            return True

    def leave(self) -> None:
        """Give the place back."""
        with self._lock:
            self._inside -= 1

    def refuse(self, connection: socket.socket) -> None:
        """Have the connection answered and closed; never waits."""
        try:
            self._outside.put_nowait(connection)
        except queue.Full:
            connection.close()

    def close(self) -> None:
        """Let the thread end, after those that wait."""
        with contextlib.suppress(queue.Full):
            self._outside.put_nowait(None)

    def _turn_away(self) -> None:
        while (connection := self._outside.get()) is not None:
            with connection, contextlib.suppress(OSError):  # whoever hung up is gone
                self._say_no(connection)

    def _say_no(self, connection: socket.socket) -> None:
        until = time.monotonic() + _FAREWELL_SECONDS
        connection.settimeout(_FAREWELL_SECONDS)
        connection.sendall(self._refusal)
        connection.shutdown(socket.SHUT_WR)
        while (left := until - time.monotonic()) > 0:
            connection.settimeout(left)
            if not connection.recv(64 * 1024):
                return


def _refusal(most: int) -> Answer:
    detail = f"All {most} places of this server are taken; try again in {RETRY_SECONDS} s."
    return problem_answer(
        HTTPStatus.SERVICE_UNAVAILABLE,
        detail,
        headers={"Retry-After": str(RETRY_SECONDS), "Connection": "close"},
    )


def _as_bytes(answer: Answer) -> bytes:
    status = HTTPStatus(answer.status)
    head = {**answer.headers, "Content-Length": str(len(answer.body))}
    lines = [f"HTTP/1.1 {status.value} {status.phrase}"]
    lines += [f"{name}: {value}" for name, value in head.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + answer.body
