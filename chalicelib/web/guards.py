"""What the HTTP server refuses before it reads a body, and why.

No tokens exist yet, and a run is a command on this machine. So only programs of this machine may
ask, and a page in a browser of this machine is not one of them:

- the server listens on loopback addresses only;
- the Host header must be a loopback name: a page whose own name was rebound to 127.0.0.1 sends
  its own name (DNS rebinding);
- an Origin header must be ours, that is ``http://`` and the Host: a browser sends it with every
  POST to another site.

Any port is taken in Host, so that a tunnel (``ssh -L``) works.
"""

from __future__ import annotations

import ipaddress
import re
from email.message import Message
from http import HTTPStatus
from typing import Final, NamedTuple

from chalicelib.core.errors import Misconfigured
from chalicelib.core.json_text import too_large
from chalicelib.core.limits import LAMBDA_PAYLOAD_BYTES

_HOST: Final = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[^:\[\]]+)(?::[0-9]{1,5})?")


class Refusal(NamedTuple):
    """Why a request is not taken at all."""

    status: HTTPStatus
    detail: str


def loopback_address(host: str) -> str:
    """Return the address to listen on. Raises Misconfigured unless it is of loopback."""
    if not is_loopback(host):
        raise Misconfigured(
            f"serve listens on loopback addresses only, not on {host!r}: there are no tokens yet, "
            "and whoever reaches it runs commands here. Use 127.0.0.1 and a tunnel (ssh -L)."
        )
    return "127.0.0.1" if host == "localhost" else host


def is_loopback(name: str) -> bool:
    """Tell whether a host's name or address can only mean this machine."""
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False


def refusal_of(target: str, headers: Message) -> Refusal | None:
    """Return why the request is refused by its head alone; None if it is not."""
    return _bad_sender(target, headers) or _bad_length(headers)


def _bad_sender(target: str, headers: Message) -> Refusal | None:
    if not target.startswith("/"):
        return Refusal(HTTPStatus.BAD_REQUEST, "The target of a request is a path here.")
    hosts = headers.get_all("Host") or []
    if len(hosts) != 1:
        return Refusal(HTTPStatus.BAD_REQUEST, "One Host header is needed.")
    match = _HOST.fullmatch(hosts[0].strip())
    if match is None or not is_loopback(match["name"]):
        return Refusal(HTTPStatus.FORBIDDEN, "The Host header does not name this machine.")
    own = f"http://{hosts[0].strip()}".lower()
    if any(origin.lower() != own for origin in headers.get_all("Origin") or []):
        return Refusal(HTTPStatus.FORBIDDEN, "Pages of other sites may not ask here (Origin).")
    return None


def _bad_length(headers: Message) -> Refusal | None:
    if "Transfer-Encoding" in headers:
        return Refusal(HTTPStatus.LENGTH_REQUIRED, "Send a Content-Length, not chunks.")
    lengths = set(headers.get_all("Content-Length") or ["0"])
    length = lengths.pop()
    if lengths or not re.fullmatch(r"[0-9]{1,18}", length):
        return Refusal(HTTPStatus.BAD_REQUEST, "The Content-Length is not a number.")
    if int(length) > LAMBDA_PAYLOAD_BYTES:
        return Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, too_large(int(length)).message)
    return None
