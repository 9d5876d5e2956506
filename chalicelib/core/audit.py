"""An entry of the audit: who asked for what, when and from where.

Entries are kept beside runs and longer than they: what was deleted can still be explained.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Final, Self

from pydantic import AwareDatetime

from chalicelib.core.noun import Noun
from chalicelib.core.principals import Caller
from chalicelib.core.run import timestamp

KEPT: Final = timedelta(days=400)
"""A year, and a month in which to ask about it."""


class AuditEntry(Noun):
    """One call that changed something, or handed out a link."""

    run_id: str
    at: AwareDatetime
    what: str
    """``submit``, ``cancel``, ``resume``, ``rollback``, ``delete``, ``link``, ``archive``."""
    who: str
    source: str
    detail: str = ""
    """A file's key, for example. Never a URL that opens something."""

    @classmethod
    def of(cls, run_id: str, what: str, caller: Caller, at: datetime, *, detail: str = "") -> Self:
        """Return the entry for a request of ``caller``."""
        return cls(
            run_id=run_id,
            at=at,
            what=what,
            who=caller.principal.name,
            source=caller.source,
            detail=detail,
        )

    @property
    def key(self) -> str:
        """Sorts by time; the same entry has the same key."""
        rest = hashlib.sha256(f"{self.who}\0{self.source}\0{self.detail}".encode())
        return f"{timestamp(self.at)}#{self.what}#{rest.hexdigest()[:12]}"
