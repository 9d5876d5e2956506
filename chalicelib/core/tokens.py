"""Bearer tokens: what a caller shows, and what is kept of it.

::

    fw_<id>_<secret>        shown once, when it is made; the prefix is for secret scanners

Kept are the id, a salt and a digest. The secret has 256 random bits, so that one round of SHA-256
is as good as many: there is nothing to guess.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from pydantic import AwareDatetime, Field

from chalicelib.core.grants import TokenName
from chalicelib.core.noun import Noun
from chalicelib.core.principals import Principal, Scope

ID_CHARACTERS: Final = 20
SECRET_BYTES: Final = 32
PREFIX: Final = "fw_"
ID_PATTERN: Final = r"^[a-z2-7]{20}$"
_TEXT: Final = re.compile(r"fw_([a-z2-7]{20})_([A-Za-z0-9_-]{43})")
USE_NOTED_EVERY: Final = timedelta(hours=1)
"""When a token was last used is known to the hour: else each request would be a write."""


class Token(Noun):
    """A token as it is kept."""

    id: str = Field(pattern=ID_PATTERN)
    name: TokenName
    """Whose it is, in words; audits show it."""
    salt: str
    digest: str
    scopes: frozenset[Scope]
    groups: frozenset[str] | None = None
    """None: every group's runs."""
    created_at: AwareDatetime
    created_by: str
    expires_at: AwareDatetime
    last_used_at: AwareDatetime | None = None

    @property
    def principal(self) -> Principal:
        """Return who shows it."""
        return Principal(
            name=f"{self.name} ({self.id})",
            user=self.name,
            scopes=self.scopes,
            groups=self.groups,
        )

    def view(self) -> dict[str, Any]:
        """Return what may be known of it: neither salt nor digest."""
        shown = self.model_dump(mode="json", exclude={"salt", "digest"})
        groups = None if self.groups is None else sorted(self.groups)
        return {**shown, "scopes": sorted(self.scopes), "groups": groups}

    def is_shown_by(self, secret: str, at: datetime) -> bool:
        """Tell whether the secret is this token's, which has not expired."""
        is_right = hmac.compare_digest(digest_of(self.salt, secret), self.digest)
        return is_right and at < self.expires_at

    def is_use_news(self, at: datetime) -> bool:
        """Tell whether it is worth a write that it was used."""
        return self.last_used_at is None or at - self.last_used_at >= USE_NOTED_EVERY


class Shown(NamedTuple):
    """The two parts of a token's text."""

    id: str
    secret: str


def is_token_id(text: str) -> bool:
    """Tell whether a token can have that id."""
    return re.fullmatch(ID_PATTERN, text) is not None


def is_ours(text: str) -> bool:
    """Tell whether it looks like a token of ours, and not like one for somebody else."""
    return text.startswith(PREFIX)


def read_token(text: str) -> Shown | None:
    """Return the parts of a token's text; None if it is none."""
    match = _TEXT.fullmatch(text)
    return Shown(match[1], match[2]) if match else None


def token_text(token_id: str, secret: str) -> str:
    """Return what the caller will show."""
    return f"{PREFIX}{token_id}_{secret}"


def digest_of(salt: str, secret: str) -> str:
    """Return what is kept of a secret."""
    return hashlib.sha256(f"{salt}:{secret}".encode()).hexdigest()
