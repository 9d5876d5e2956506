"""On whose behalf a request is served: identified first, then given ports that know it.

Deny by default, three times: a route says which scope it takes, or the application does not start;
who cannot be identified gets 401; and the ports that a route is given show it nothing of other
groups. A route never asks ``bootstrap`` for ports of its own.

Tokens come in ``Authorization: Bearer``, ``x-access-token`` (the ``workflow`` clients') or
``api_key`` (flowserv's). Behind a trusted door (the command line of this machine, a server that
listens on loopback only) nobody needs one; there a header that holds somebody else's token, as
clients send theirs to whatever answers, is ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from chalice.app import Request

from chalicelib import bootstrap, tokens
from chalicelib.core.errors import Forbidden, NotFound, Unauthenticated
from chalicelib.core.principals import Caller, Principal, Scope
from chalicelib.core.tokens import is_ours
from chalicelib.file_ports import Contents
from chalicelib.owned import owned_by
from chalicelib.ports import Ports
from chalicelib.web.current import current
from chalicelib.work_ports import WorkPorts

_trusted: ContextVar[Principal | None] = ContextVar("trusted", default=None)
_caller: ContextVar[Caller | None] = ContextVar("caller", default=None)
_SCOPE: Final = "falsework_scope"
OPEN: Final = None
"""In the place of a scope: the route tells nothing, and takes anybody."""


@contextmanager
def trusting(principal: Principal | None) -> Iterator[None]:
    """Let in, as ``principal``, whoever shows no token of ours."""
    mark = _trusted.set(principal)
    try:
        yield
    finally:
        _trusted.reset(mark)


@contextmanager
def serving(scope: Scope | None, *, is_head_open: bool = False) -> Iterator[None]:
    """Serve the current request on behalf of whoever asks. Raises Unauthenticated, Forbidden."""
    request = current.request
    is_open = is_head_open and request is not None and request.method == "HEAD"
    caller = None if scope is OPEN or is_open else _identified(request, scope)
    mark = _caller.set(caller)
    try:
        yield
    finally:
        _caller.reset(mark)


def takes(scope: Scope | None, view: Callable[..., Any]) -> None:
    """Write on a route's function which scope it takes."""
    setattr(view, _SCOPE, scope)


def has_scope(view: Callable[..., Any]) -> bool:
    """Tell whether somebody has thought about who may call the route."""
    return hasattr(view, _SCOPE)


def scope_of(view: Callable[..., Any]) -> Scope | None:
    """Return the scope that a route takes, or OPEN."""
    scope: Scope | None = getattr(view, _SCOPE)
    return scope


def caller() -> Caller:
    """Return who asks. Raises Unauthenticated on a route that is open to anybody."""
    found = _caller.get()
    if found is None:
        raise Unauthenticated("this needs a token")
    return found


def ports() -> Ports:
    """Return ports that show the caller's own runs only."""
    return owned_by(caller(), bootstrap.ports())


def all_ports() -> Ports:
    """Return ports for what belongs to no group. Raises Forbidden for who is bound to some."""
    asking = caller()
    if asking.principal.groups is not None:
        raise Forbidden(
            f"{asking.principal.name} is bound to groups, and this concerns all of them",
            field="token",
            mend="use a token of all groups",
        )
    return bootstrap.ports()._replace(caller=asking)


def contents() -> Contents:
    """Return the bytes of files; whose they are the run says that names them."""
    caller()
    return bootstrap.contents()


def work_ports() -> WorkPorts:
    """Return the work queue, which belongs to one group. Raises NotFound for who is not in it."""
    if not caller().principal.sees(bootstrap.settings().site.works_group):
        raise NotFound("there is no work queue")
    return bootstrap.work_ports()


def _identified(request: Request | None, scope: Scope) -> Caller:
    if request is None:
        raise Unauthenticated("nobody asks")
    text, trusted = _shown(request), _trusted.get()
    if trusted is not None and not is_ours(text):
        principal = trusted
    elif not text:
        raise Unauthenticated("a token is needed: send Authorization: Bearer fw_…")
    else:
        home = bootstrap.ports()
        principal = tokens.principal_of(text, home.documents, home.clock())
    if not principal.may(scope):
        raise Forbidden(
            f"{principal.name} may not do this",
            field="token",
            mend=f"use a token with the scope {scope}",
        )
    identity = request.context.get("identity") or {}
    return Caller(principal, str(identity.get("sourceIp") or "unknown"))


def _shown(request: Request) -> str:
    """Return the text of the token; empty if there is none."""
    headers = request.headers
    scheme, _, text = headers.get("authorization", "").partition(" ")
    bearer = text.strip() if scheme.lower() == "bearer" else ""
    own = headers.get("x-access-token", "") or headers.get("api_key", "")
    return bearer or str(own).strip()
