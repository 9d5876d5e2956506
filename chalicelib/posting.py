"""Posting to an address on the web without being led astray.

The name is looked up once, every address that it has must be one that we may reach, and the
connection goes to that very address: a name server that answers otherwise a moment later changes
nothing. Redirects are not followed, proxies not used, and the answer's body is never read. Errors
do not have the address in them, for it may be a secret.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final, NamedTuple
from urllib.parse import urlsplit

SECONDS: Final = 5.0
"""From the first try to connect to the status that comes back."""
_PORTS: Final = {"https": 443, "http": 80}
_WITHIN_IPV6: Final = tuple(
    ipaddress.ip_network(each)
    for each in ("::/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16", "fec0::/10")
)
"""Prefixes that hold an IPv4 address, perhaps a private one (RFC 4291, 6052, 8215, 4380, 3056);
the last one was private itself (RFC 3879), and ``is_global`` does not know it."""

Secrets = Callable[[str], str]
"""The text of a secret, by its reference. Raises one of our errors."""


class NotAllowed(ValueError):
    """The address leads to where we do not go."""


class Answer(NamedTuple):
    """What came back; the body is left where it is."""

    status: int
    retry_after: str | None = None
    """The header, as it came."""


def post(
    address: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    may_be_private: bool = False,
    seconds: float = SECONDS,
) -> Answer:
    """Post the body. Raises OSError, and ValueError for a bad address."""
    parts = urlsplit(address)
    host, port = parts.hostname, parts.port or _PORTS.get(parts.scheme)
    if host is None or port is None:
        raise NotAllowed("the address is none of the web's")
    sockets = _reachable(host, port, may_be_private=may_be_private)
    connection = _connection(parts.scheme, host, port, sockets, seconds)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with _bounded(connection, seconds):
            connection.request("POST", path, body, dict(headers))
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers.get("Retry-After"))
    except HTTPException as exc:
        raise ConnectionError(type(exc).__name__) from None
    finally:
        connection.close()


def is_public(address: str) -> bool:
    """Tell whether an IP address is one of the open internet."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return is_public(str(found.ipv4_mapped))
        if any(found in network for network in _WITHIN_IPV6):
            return False
    return found.is_global and not found.is_multicast


def _reachable(host: str, port: int, *, may_be_private: bool) -> list[str]:
    """Return the addresses of the host. One that is private spoils them all."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
    if not may_be_private and not all(map(is_public, addresses)):
        raise NotAllowed("the address leads into a private network")
    return addresses


class _Pinned(HTTPConnection):
    """A connection to addresses that were looked up before, and that has to end in time."""

    addresses: tuple[str, ...] = ()
    ends_at = 0.0
    """On the monotonic clock."""

    def connect(self) -> None:
        """Take the first that answers."""
        self.sock = self._own()
        _left(self.ends_at)  # whoever bounds it may have looked before the socket was there

    def _own(self) -> socket.socket:
        return _first_that_answers(self.addresses, self.port, self.ends_at)


class _PinnedTls(_Pinned, HTTPSConnection):
    """The same with TLS; the certificate has to be that of the host's name."""

    def connect(self) -> None:
        """Take the first that answers, and shake hands where whoever bounds it can end that."""
        self.sock = ssl.create_default_context().wrap_socket(
            self._own(), server_hostname=self.host, do_handshake_on_connect=False
        )
        self.sock.settimeout(_left(self.ends_at))
        self.sock.do_handshake()


def _connection(
    scheme: str, host: str, port: int, addresses: list[str], seconds: float
) -> HTTPConnection:
    kind = _PinnedTls if scheme == "https" else _Pinned
    connection = kind(host, port, timeout=seconds)
    connection.addresses = tuple(addresses)
    connection.ends_at = time.monotonic() + seconds
    return connection


def _first_that_answers(addresses: tuple[str, ...], port: int, ends_at: float) -> socket.socket:
    trouble: OSError = ConnectionError("no address")
    for address in addresses:
        try:
            return socket.create_connection((address, port), _left(ends_at))
        except OSError as exc:
            trouble = exc
    raise trouble


def _left(ends_at: float) -> float:
    """Return the seconds that are left. Raises TimeoutError."""
    left = ends_at - time.monotonic()
    if left <= 0:
        raise TimeoutError("it took too long to connect")
    return left


@contextmanager
def _bounded(connection: HTTPConnection, seconds: float) -> Iterator[None]:
    """End it all after so long: a timeout is one step's, and an answer may come byte by byte."""

    def end() -> None:
        sock = connection.sock
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
