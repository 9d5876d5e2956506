"""Tokens as they are made, shown, listed and revoked.

A token that is not good is refused without a word about why: unknown, revoked, expired and wrong
look alike.
"""

from __future__ import annotations

import logging
import secrets
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from chalicelib.core.errors import NotFound, Unauthenticated, Unavailable
from chalicelib.core.grants import Wanted
from chalicelib.core.principals import Principal
from chalicelib.core.tokens import (
    SECRET_BYTES,
    Token,
    digest_of,
    is_token_id,
    read_token,
    token_text,
)
from chalicelib.document_ports import Document, Documents, StaleDocument
from chalicelib.ports import Ports

PARTITION: Final = "tokens"
KEPT: Final = timedelta(days=30)
"""How long one that has expired is still listed; at most as long as it was good."""
PAGE: Final = 100

log = logging.getLogger(__name__)


class Made(NamedTuple):
    """A new token, and the only time that its text is known."""

    token: Token
    text: str


def create(wanted: Wanted, ports: Ports) -> Made:
    """Make a token, for ``ports.caller``, who must be allowed to: see ``core.grants``."""
    secret, salt = secrets.token_urlsafe(SECRET_BYTES), secrets.token_hex(16)
    now = ports.clock()
    token = Token(
        id=ports.mint_uid(),
        name=wanted.name,
        salt=salt,
        digest=digest_of(salt, secret),
        scopes=wanted.scopes,
        groups=wanted.groups,
        created_at=now,
        created_by=ports.caller.principal.name,
        expires_at=now + wanted.lifetime,
    )
    _save(token, 0, ports.documents)
    log.info("token %s (%s) was made by %s", token.id, token.name, token.created_by)
    return Made(token, token_text(token.id, secret))


def principal_of(text: str, documents: Documents, at: datetime) -> Principal:
    """Return who shows the token. Raises Unauthenticated."""
    shown = read_token(text)
    kept = documents.load(PARTITION, shown.id) if shown else None
    token = Token.model_validate(kept.content) if kept else None
    if shown is None or kept is None or token is None or not token.is_shown_by(shown.secret, at):
        raise Unauthenticated("the token is not good: unknown, revoked or expired")
    _note_use(token, kept, documents, at)
    return token.principal


def list_tokens(documents: Documents, *, after: str = "", limit: int = PAGE) -> tuple[Token, ...]:
    """Return a page of the tokens, by id, behind the id ``after``."""
    page = documents.list(PARTITION, after=after, limit=limit)
    return tuple(Token.model_validate(each.content) for each in page)


def revoke(token_id: str, ports: Ports) -> None:
    """Let the token be good no longer. Raises NotFound."""
    if not is_token_id(token_id) or ports.documents.load(PARTITION, token_id) is None:
        raise NotFound(f"there is no token {token_id!r:.100}")
    ports.documents.remove(PARTITION, token_id)
    log.info("token %s was revoked by %s", token_id, ports.caller.principal.name)


def _note_use(token: Token, kept: Document, documents: Documents, at: datetime) -> None:
    if not token.is_use_news(at):
        return
    try:
        _save(token.model_copy(update={"last_used_at": at}), kept.version, documents)
    except StaleDocument:
        return  # another request noted it
    except Unavailable:
        log.warning("the use of token %s could not be noted", token.id, exc_info=True)


def _save(token: Token, version: int, documents: Documents) -> None:
    documents.save(
        PARTITION,
        token.id,
        token.model_dump(mode="json"),
        version=version,
        expires_at=token.expires_at + min(KEPT, token.expires_at - token.created_at),
    )
