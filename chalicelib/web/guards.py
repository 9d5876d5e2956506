"""What the HTTP server refuses before it reads a body, and why.

A server that listens on loopback trusts whoever asks, and a run is a command on this machine. So
only programs of this machine may ask there, and a page in a browser of this machine is not one of
them, nor is somebody else whose request a proxy of this machine passes on:

- the Host header must be a loopback name: a page whose own name was rebound to 127.0.0.1 sends
  its own name (DNS rebinding);
- an Origin header must be ours, that is ``http://`` and the Host: a browser sends it with every
  POST to another site;
- Sec-Fetch-Site must be ours, too: a browser sends it with every request, also with the GET of a
  picture, and there are GETs that change something. A link to ``/docs`` may stand anywhere;
- a header that proxies add is refused. Not all of them add one.

Any port is taken in Host, so that a tunnel (``ssh -L``) works. Where tokens are needed none of
this is: no browser sends one by itself.
"""

from __future__ import annotations

import ipaddress
import re
from email.message import Message
from http import HTTPStatus
from typing import Final, NamedTuple

from chalicelib.core.errors import InvalidRequest
from chalicelib.core.json_text import too_large
from chalicelib.core.limits import LAMBDA_PAYLOAD_BYTES

_PROXIED: Final = frozenset({"forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip"})
_PROXIED_LIKE: Final = ("x-forwarded-", "cf-")
_OWN_SITES: Final = frozenset({"same-origin", "none"})
"""Fetch Metadata (W3C), Sec-Fetch-Site: our own page, or what the user has typed."""
_PAGE: Final = "/docs"
_HOST: Final = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[^:\[\]]+)(?::[0-9]{1,5})?")


class Refusal(NamedTuple):
    """Why a request is not taken at all."""

    status: HTTPStatus
    detail: str


def listening_address(host: str) -> str:
    """Return the address to listen on. Raises InvalidRequest for what is none."""
    address = "127.0.0.1" if host.lower() == "localhost" else host
    try:
        return str(ipaddress.ip_address(address.removeprefix("[").removesuffix("]")))
    except ValueError as exc:
        raise InvalidRequest(
            f"{host!r:.100} is no address of this machine",
            field="host",
            value=host,
            mend="give an address: 127.0.0.1, 0.0.0.0 for all of this machine's, or one of them",
        ) from exc


def is_loopback(name: str) -> bool:
    """Tell whether a host's name or address can only mean this machine."""
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False


def refusal_of(target: str, headers: Message, *, is_trusting: bool = True) -> Refusal | None:
    """Return why the request is refused by its head alone; None if it is not.

    ``is_trusting``: whether nobody needs a token here.
    """
    return (
        _bad_form(target, headers)
        or (_bad_sender(target, headers) if is_trusting else None)
        or _bad_length(headers)
    )


def _bad_form(target: str, headers: Message) -> Refusal | None:
    if not target.startswith("/"):
        return Refusal(HTTPStatus.BAD_REQUEST, "The target of a request is a path here.")
    if len(headers.get_all("Host") or []) != 1:
        return Refusal(HTTPStatus.BAD_REQUEST, "One Host header is needed.")
    return None


def _bad_sender(target: str, headers: Message) -> Refusal | None:
    host = str(headers["Host"]).strip()
    match = _HOST.fullmatch(host)
    if match is None or not is_loopback(match["name"]):
        return Refusal(HTTPStatus.FORBIDDEN, "The Host header does not name this machine.")
    own = f"http://{host}".lower()
    if any(origin.lower() != own for origin in headers.get_all("Origin") or []):
        return Refusal(HTTPStatus.FORBIDDEN, "Pages of other sites may not ask here (Origin).")
    is_own = {site.lower() for site in headers.get_all("Sec-Fetch-Site") or []} <= _OWN_SITES
    if not is_own and target.partition("?")[0] != _PAGE:
        detail = "Pages of other sites may not ask here (Sec-Fetch-Site)."
        return Refusal(HTTPStatus.FORBIDDEN, detail)
    if any(_is_of_a_proxy(name.lower()) for name in headers):
        detail = "A proxy passed this on, and nobody here has shown a token: use serve --tokens."
        return Refusal(HTTPStatus.FORBIDDEN, detail)
    return None


def _is_of_a_proxy(name: str) -> bool:
    return name in _PROXIED or name.startswith(_PROXIED_LIKE)


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
