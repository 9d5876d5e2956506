"""On whose behalf a request is served: identified first, then given ports that know it.

Deny by default, three times: a route says which scope it takes, or the application does not start;
who cannot be identified gets 401; and the ports that a route is given show it nothing of other
groups. A route never asks ``bootstrap`` for ports of its own.

Tokens come in ``Authorization: Bearer``, ``x-access-token`` (the ``workflow`` clients') or
``api_key`` (flowserv's). Behind a trusted door (the command line of this machine, a server that
listens on loopback only) nobody needs one; there a header that holds somebody else's token, as
clients send theirs to whatever answers, is ignored.

Behind API Gateway's IAM authorizer, and nowhere else, the caller is who API Gateway says. Which
route stands there the deployed application knows (``by_signature``); what an event claims about
its sender is not even looked at elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar

from chalice.app import Request

from chalicelib import bootstrap, tokens
from chalicelib.core import identities
from chalicelib.core.errors import Forbidden, NotFound, Unauthenticated
from chalicelib.core.principals import Caller, Principal, Scope
from chalicelib.core.tokens import is_ours
from chalicelib.file_ports import Contents
from chalicelib.owned import owned_by
from chalicelib.ports import Ports
from chalicelib.web.current import current
from chalicelib.work_ports import WorkPorts

P = ParamSpec("P")
R = TypeVar("R")

_trusted: ContextVar[Principal | None] = ContextVar("trusted", default=None)
_source: ContextVar[str] = ContextVar("source", default="")
_is_signed: ContextVar[bool] = ContextVar("is_signed", default=False)
_caller: ContextVar[Caller | None] = ContextVar("caller", default=None)
_SCOPE: Final = "falsework_scope"
_IS_HEAD_OPEN: Final = "falsework_is_head_open"
OPEN: Final = None
"""In the place of a scope: the route tells nothing, and takes anybody."""


@contextmanager
def trusting(principal: Principal | None, source: str = "") -> Iterator[None]:
    """Let in, as ``principal``, whoever shows no token of ours.

    ``source``: where the request comes from, if the door knows better than the event.
    """
    mark, from_ = _trusted.set(principal), _source.set(source)
    try:
        yield
    finally:
        _trusted.reset(mark)
        _source.reset(from_)


def by_signature(view: Callable[P, R]) -> Callable[P, R]:
    """Wrap a route that only requests reach whose AWS signature API Gateway has checked."""

    @wraps(view)
    def answer(*args: P.args, **kwargs: P.kwargs) -> R:
        mark = _is_signed.set(True)
        try:
            return view(*args, **kwargs)
        finally:
            _is_signed.reset(mark)

    return answer


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


def takes(scope: Scope | None, view: Callable[..., Any], *, is_head_open: bool = False) -> None:
    """Write on a route's function which scope it takes."""
    setattr(view, _SCOPE, scope)
    setattr(view, _IS_HEAD_OPEN, is_head_open)


def has_scope(view: Callable[..., Any]) -> bool:
    """Tell whether somebody has thought about who may call the route."""
    return hasattr(view, _SCOPE)


def scope_of(view: Callable[..., Any], method: str = "GET") -> Scope | None:
    """Return the scope that a route takes, or OPEN."""
    scope: Scope | None = getattr(view, _SCOPE)
    return OPEN if method == "HEAD" and getattr(view, _IS_HEAD_OPEN) else scope


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
    if _is_signed.get():
        return Caller(_signer_of(request), _source_of(request))
    principal = _principal_of(request)
    if not principal.may(scope):
        raise Forbidden(
            f"{principal.name} may not do this",
            field="token",
            mend=f"use a token with the scope {scope}",
        )
    return Caller(principal, _source_of(request))


def _principal_of(request: Request) -> Principal:
    text, trusted = _shown(request), _trusted.get()
    if trusted is not None and not is_ours(text):
        return trusted
    if not text:
        raise Unauthenticated("a token is needed: send Authorization: Bearer fw_…")
    home = bootstrap.ports()
    return tokens.principal_of(text, home.documents, home.clock())


def _signer_of(request: Request) -> Principal:
    arn = (request.context.get("identity") or {}).get("userArn")
    if not arn:
        raise Unauthenticated("a request signed with AWS credentials is needed")
    return identities.principal_of(str(arn), bootstrap.settings().site.identities)


def _source_of(request: Request) -> str:
    identity = request.context.get("identity") or {}
    return _source.get() or str(identity.get("sourceIp") or "unknown")


def _shown(request: Request) -> str:
    """Return the text of the token; empty if there is none."""
    headers = request.headers
    scheme, _, text = headers.get("authorization", "").partition(" ")
    bearer = text.strip() if scheme.lower() == "bearer" else ""
    own = headers.get("x-access-token", "") or headers.get("api_key", "")
    return bearer or str(own).strip()
