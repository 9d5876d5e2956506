"""Idempotency-Key: the same request again gets the first one's answer, and does nothing.

::

    nothing known ──▶ Begun ──answered──▶ Answered ──the same request──▶ the answer again
                        │  ▲                 └───────another request───▶ KeyReused
                        │  └─ tried again: by anybody once the first try must have died, at once
                        │     where it ended without an answer worth keeping (429, 500 and above)
                        └─ the same request meanwhile ──▶ UnderWay

A second try has the first one's ``seed``: what the first made up (the id of a run) the second
makes up alike, and so finds what the first has left behind.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Final

from pydantic import AwareDatetime

from chalicelib.core.errors import InvalidRequest, KeyReused, UnderWay
from chalicelib.core.limits import BATCH_REMEMBERS_ENDED_JOBS_SECONDS, IDEMPOTENCY_KEY_CHARACTERS
from chalicelib.core.noun import Noun

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
KEPT: Final = timedelta(seconds=BATCH_REMEMBERS_ENDED_JOBS_SECONDS, days=1)
"""How long an answer is kept: longer than Batch remembers the jobs of the run that it tells of."""
LONGEST_TRY: Final = timedelta(seconds=90)
"""After which a first try must have died: the API's Lambda lives for 60 s."""
RETRY_SECONDS: Final = 2


class Answered(Noun):
    """An answer as it is kept."""

    status: int
    headers: dict[str, str]
    body: str = ""
    """Its first part; the others are documents of their own."""
    more_parts: int = 0


class Begun(Noun):
    """What is known of a key."""

    request: str
    """Digest of the request that it came with first."""
    seed: str
    """20 base32 characters, fresh when the key was first seen."""
    first_at: AwareDatetime
    tried_at: AwareDatetime | None
    """When somebody set out to answer it; None: nobody is at it."""
    answer: Answered | None = None


def checked_key(text: str) -> str:
    """Return the key. Raises InvalidRequest for one that is none."""
    key = text.strip(" ")
    is_plain = all(" " <= character <= "~" for character in key)
    if not (is_plain and 1 <= len(key) <= IDEMPOTENCY_KEY_CHARACTERS):
        raise InvalidRequest(
            f"the {HEADER} is empty, too long, or not printable ASCII",
            field=HEADER,
            value=text[:IDEMPOTENCY_KEY_CHARACTERS],
            mend=f"send 1 to {IDEMPOTENCY_KEY_CHARACTERS} characters, such as a fresh UUID",
        )
    return key


def digest_of(*parts: str | bytes) -> str:
    """Return a digest of the parts; where one ends and the next begins matters."""
    found = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        found.update(f"{len(content)}:".encode() + content)
    return found.hexdigest()


def next_try(known: Begun | None, request: str, seed: str, at: datetime) -> Begun:
    """Return what to save before the request is answered; it holds the answer if there is one.

    ``seed`` is a fresh one. Raises KeyReused and UnderWay.
    """
    if known is None:
        return Begun(request=request, seed=seed, first_at=at, tried_at=at)
    if known.request != request:
        raise KeyReused(
            f"this {HEADER} came with another request before",
            field=HEADER,
            mend="send a key of its own with each request, and the same body with the same key",
        )
    if known.answer is not None:
        return known
    if known.tried_at is not None and at - known.tried_at < LONGEST_TRY:
        raise UnderWay(
            f"the request with this {HEADER} is being answered",
            retry_after_seconds=RETRY_SECONDS,
        )
    return known.model_copy(update={"tried_at": at})


def is_worth_keeping(status: int) -> bool:
    """Tell whether the answer is the last word; what failed, or came too early, is not."""
    return status < 500 and status != 429
