"""Which principal an identity of AWS is: the Site maps patterns of ARNs to scopes and groups.

::

    arn:aws:sts::123456789012:assumed-role/Worker/i-0abc       what API Gateway has checked
    arn:aws:iam::123456789012:role/Worker                      what is looked up
    arn:aws:iam::123456789012:role/*                           a pattern; * is any characters

The name of a role's session is chosen by whoever assumes the role, so it never counts; it stands
in the principal's name, for audits. A pattern names its account: nobody is let in by accident.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from chalicelib.core.errors import Forbidden, InvalidRequest
from chalicelib.core.noun import Noun
from chalicelib.core.principals import GroupName, Principal, Scope

_SESSION: Final = re.compile(r"(arn:aws[a-z-]*):sts::(\d{12}):assumed-role/([^/]+)/([^/]+)")
"""AWS IAM user guide, IAM identifiers: a session's ARN holds the role's name, not its path."""
_PATTERN: Final = re.compile(r"arn:aws[a-z-]*:(?:iam|sts)::\d{12}:(?P<what>[!-~]+)")
NAME_CHARACTERS: Final = 150


def _checked(pattern: str) -> str:
    match = _PATTERN.fullmatch(pattern)
    if match is None:
        raise InvalidRequest(
            f"{pattern!r:.200} is no ARN of IAM or STS with an account id",
            value=pattern,
            mend="give one as arn:aws:iam::123456789012:role/NAME; * stands for any characters",
        )
    kind, _, name = match["what"].partition("/")
    if kind == "assumed-role" or (kind == "role" and "/" in name):
        raise InvalidRequest(
            f"{pattern!r:.200} matches nobody: roles count by their name alone",
            value=pattern,
            mend="write arn:aws:iam::ACCOUNT:role/NAME, without the path and the session",
        )
    return pattern


class Grant(Noun):
    """What an identity is here."""

    scopes: frozenset[Scope] = Field(min_length=1)
    groups: frozenset[GroupName] | None
    """null: every group. It has to be said."""


Identities = dict[Annotated[str, AfterValidator(_checked)], Grant]


def principal_of(arn: str, identities: Mapping[str, Grant]) -> Principal:
    """Return who the identity is. Raises Forbidden for one that no pattern matches.

    Of several patterns the one with the most characters besides ``*`` counts, alone.
    """
    looked_up = _SESSION.sub(r"\1:iam::\2:role/\3", arn)
    matching = [pattern for pattern in identities if _matches(pattern, looked_up)]
    if not matching:
        raise Forbidden(
            "this identity of AWS is nobody here",
            field="identities",
            value=looked_up,
            mend="ask the operator to name it in the site's identities",
        )
    grant = identities[max(matching, key=_closeness)]
    return Principal(name=_name(arn), scopes=grant.scopes, groups=grant.groups)


def _matches(pattern: str, arn: str) -> bool:
    parts = (re.escape(part) for part in pattern.split("*"))
    return re.fullmatch(".*".join(parts), arn) is not None


def _closeness(pattern: str) -> tuple[int, int, str]:
    stars = pattern.count("*")
    return len(pattern) - stars, -stars, pattern


def _name(arn: str) -> str:
    """Account and resource; of a long one its end, which tells people apart."""
    return arn.rsplit("::", maxsplit=1)[-1][-NAME_CHARACTERS:]
