"""Who asks, and what they may: a principal has scopes, for what, and groups, for whose.

Nothing is allowed unless a scope and a group allow it. ``admin`` includes the other scopes;
``submit`` does not include ``read``: a depositor need not see what others deposited.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, NamedTuple

from pydantic import Field, StringConstraints

from chalicelib.core.errors import Forbidden
from chalicelib.core.noun import Noun

GroupName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,128}$")]


class Scope(StrEnum):
    """What a principal may do."""

    READ = "read"
    """Look at runs, files, works and results."""
    SUBMIT = "submit"
    """Change something: start, cancel, resume and delete runs; deposit and withdraw works."""
    ADMIN = "admin"
    """All of that, and tokens, dead letters and audits besides."""


class Principal(Noun):
    """Somebody who has shown who they are."""

    name: str = Field(min_length=1, max_length=200)
    """As audits show it; never a secret."""
    user: str = ""
    """Who it is, whichever of their tokens they show; empty: as ``name``."""
    scopes: frozenset[Scope]
    groups: frozenset[str] | None
    """Whose runs they see; None: everybody's."""

    @property
    def identity(self) -> tuple[str, ...]:
        """What stays the same when a token is made anew for the same user, and for nobody else.

        Names are no secret, so groups and scopes belong to it: who has them sees and may the same.
        """
        if not self.user:
            return (self.name,)
        groups = ["all"] if self.groups is None else ["some", *sorted(self.groups)]
        return (self.user, " ".join(sorted(self.scopes)), *groups)

    def may(self, scope: Scope) -> bool:
        """Tell whether the principal has the scope."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def sees(self, group: str) -> bool:
        """Tell whether what belongs to the group is the principal's to see."""
        return self.groups is None or group in self.groups


class Caller(NamedTuple):
    """A principal, and where the request came from."""

    principal: Principal
    source: str
    """An address, a queue's message, an object's URI: whatever the door knows."""

    @classmethod
    def by(cls, door: str, source: str) -> Caller:
        """Return whoever may put requests at ``door``: the bucket's or queue's own policy says."""
        return cls(_all_powerful(door), source)


def check_member(principal: Principal, group: str) -> None:
    """Raise Forbidden for a group that the principal is not in."""
    if not principal.sees(group):
        named = ", ".join(sorted(principal.groups or ())) or "you have none"
        raise Forbidden(
            f"{principal.name} is not in group {group}",
            field="options.group",
            value=group,
            mend=f"name a group of yours: {named}",
        )


def _all_powerful(name: str) -> Principal:
    return Principal(name=name, scopes=frozenset(Scope), groups=None)


LOCAL: Final = _all_powerful("local")
"""Whoever can start programs on this machine: the embedded home's user."""
ENGINE: Final = Caller(_all_powerful("falsework"), "engine")
"""We ourselves: the sweep, the schedule, a run that starts another."""
