"""What a new token may be: never more than whoever asks for it is.

Whatever is left out is the asker's own. One without the scope ``admin`` gets a short-lived token
in their own name, which is what ``POST /tokens`` exchanges an identity of AWS for; one with it may
ask for a longer one, and in another name.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final, NamedTuple

from pydantic import Field, StringConstraints

from chalicelib.core.errors import Forbidden, InvalidRequest
from chalicelib.core.limits import TOKEN_GROUPS
from chalicelib.core.noun import Noun
from chalicelib.core.principals import GroupName, Principal, Scope

SHORT: Final = timedelta(hours=1)
LONGEST: Final = timedelta(days=366)
NAME_CHARACTERS: Final = 170
"""With a token's id beside it the name still is a principal's."""
TokenName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=NAME_CHARACTERS, pattern=r"^[^\x00-\x1f\x7f]+$"),
]


class TokenRequest(Noun):
    """The body of ``POST /tokens``; every field may be left out."""

    name: TokenName | None = None
    """Whose it is to be, in words that audits show."""
    scopes: frozenset[Scope] | None = Field(default=None, min_length=1)
    groups: frozenset[GroupName] | None = Field(default=None, max_length=TOKEN_GROUPS)
    """null, where it is given: every group."""
    lifetime_seconds: int | None = Field(default=None, strict=True, ge=1)
    """An hour where it is left out."""


class Wanted(NamedTuple):
    """What a new token is to be."""

    name: str
    scopes: frozenset[Scope]
    groups: frozenset[str] | None
    lifetime: timedelta


def wanted_by(asker: Principal, request: TokenRequest) -> Wanted:
    """Return what the token is to be. Raises Forbidden, naming the field that is too much."""
    has_groups = "groups" in request.model_fields_set
    wanted = Wanted(
        name=request.name or _own_name(asker),
        scopes=request.scopes or asker.scopes,
        groups=request.groups if has_groups else asker.groups,
        lifetime=_lifetime(request.lifetime_seconds),
    )
    _check_scopes(wanted.scopes, asker)
    _check_groups(wanted.groups, asker)
    if not asker.may(Scope.ADMIN):
        _check_modesty(wanted, asker)
    return wanted


def _own_name(asker: Principal) -> str:
    """A token that is made by showing another one is the same user's."""
    return (asker.user or asker.name)[-NAME_CHARACTERS:]


def _lifetime(seconds: int | None) -> timedelta:
    if seconds is None:
        return SHORT
    longest = int(LONGEST.total_seconds())
    if seconds > longest:
        raise InvalidRequest(
            f"a token lives for {longest} seconds at most",
            field="lifetime_seconds",
            value=seconds,
            mend="make a new one when it has expired",
        )
    return timedelta(seconds=seconds)


def _check_scopes(scopes: frozenset[Scope], asker: Principal) -> None:
    beyond = sorted(scope for scope in scopes if not asker.may(scope))
    if beyond:
        raise Forbidden(
            f"{asker.name} has not the scope {beyond[0]}",
            field="scopes",
            value=beyond,
            mend=f"ask for {', '.join(sorted(asker.scopes))}",
        )


def _check_groups(groups: frozenset[str] | None, asker: Principal) -> None:
    if asker.groups is None or (groups is not None and groups <= asker.groups):
        return
    raise Forbidden(
        f"{asker.name} is not in all of these groups",
        field="groups",
        value="all" if groups is None else sorted(groups - asker.groups),
        mend=f"name some of: {', '.join(sorted(asker.groups)) or 'none'}",
    )


def _check_modesty(wanted: Wanted, asker: Principal) -> None:
    if wanted.lifetime > SHORT:
        raise Forbidden(
            "a token of more than an hour needs the scope admin",
            field="lifetime_seconds",
            value=int(wanted.lifetime.total_seconds()),
            mend=f"ask for at most {int(SHORT.total_seconds())}, and again when it has expired",
        )
    if wanted.name != _own_name(asker):
        raise Forbidden(
            "a token in another name needs the scope admin",
            field="name",
            value=wanted.name,
            mend="leave the name out",
        )
