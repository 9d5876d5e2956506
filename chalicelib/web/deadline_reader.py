"""A connection's bytes, for as long as its request may take and no longer.

One deadline for all of a request: counting the time between two bytes would let a client hold its
thread for ever by sending one a minute.
"""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Callable
from typing import Any, Final

_SLICE_SECONDS: Final = 1.0
"""How long a connection may be idle at least, however crowded it is."""


class DeadlineReader(io.RawIOBase):
    """A socket's bytes until a point in time; then TimeoutError.

    Before the first byte of a request it is raised sooner, once others wait for the place.
    """

    def __init__(self, connection: socket.socket, is_crowded: Callable[[], bool]) -> None:
        self._connection = connection
        self._is_crowded = is_crowded
        self._is_idle = False
        self.deadline = 0.0

    def begin(self, seconds: float) -> None:
        """Wait for a request, which may take so long."""
        self.deadline = time.monotonic() + seconds
        self._is_idle = True

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Return how many bytes have come; 0 at the end. Raises TimeoutError."""
        while self._is_idle:
            try:
                return self._read(buffer, _SLICE_SECONDS)
            except TimeoutError:
                if self._is_crowded() or time.monotonic() >= self.deadline:
                    raise
        return self._read(buffer, self.deadline - time.monotonic())

    def _read(self, buffer: Any, most_seconds: float) -> int:
        left = min(most_seconds, self.deadline - time.monotonic())
        if left <= 0:
            raise TimeoutError("the request took too long to arrive")
        self._connection.settimeout(left)
        size = self._connection.recv_into(buffer)
        self._is_idle = False
        return size
