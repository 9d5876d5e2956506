"""Tokens as they are shown: what they are, and their text in one answer only."""

from __future__ import annotations

from pydantic import AwareDatetime

from chalicelib.core.principals import Scope
from chalicelib.web.shapes.shape import Shape


class TokenView(Shape):
    """What may be known of a token."""

    id: str
    name: str
    """Whose it is, in words; audits show it."""
    scopes: tuple[Scope, ...]
    groups: tuple[str, ...] | None
    """null: every group's runs."""
    created_at: AwareDatetime
    created_by: str
    expires_at: AwareDatetime
    last_used_at: AwareDatetime | None
    """To the hour."""


class MadeToken(TokenView):
    """A new token."""

    token: str
    """What is sent from now on; it is shown here and never again."""


class TokenPage(Shape):
    """A page of tokens, by id."""

    tokens: tuple[TokenView, ...]
    next_cursor: str | None
