"""Webhooks: a notice is posted to an address of the site's, signed with a secret of its own.

The secret is read when it is needed and never kept; no error has it or the address in it, for both
are logged and put beside dead letters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, Protocol

from chalicelib.core.errors import Misconfigured, Refused, Unavailable
from chalicelib.core.notice import Notice, seconds_until, webhook_headers
from chalicelib.core.notifications import Webhook
from chalicelib.notice_ports import NotYet
from chalicelib.posting import Answer, NotAllowed, Secrets, post

NOT_NOW: Final = frozenset({408, 409, 425, 429})
"""Answers below 500 that tell of a moment, not of the notice."""
_OK: Final = range(200, 300)
_TROUBLE: Final = 500


class Post(Protocol):
    """``posting.post``."""

    def __call__(
        self, address: str, body: bytes, headers: Mapping[str, str], *, may_be_private: bool
    ) -> Answer:
        """Return what came back. Raises OSError and ValueError."""
        ...


class Webhooks:
    """The webhooks of the site."""

    def __init__(
        self,
        webhooks: Mapping[str, Webhook],
        secrets: Secrets,
        clock: Callable[[], datetime],
        post: Post = post,
    ) -> None:
        self._webhooks = webhooks
        self._secrets = secrets
        self._clock = clock
        self._post = post

    def deliver(self, notice: Notice) -> None:
        """Post the notice. Raises Refused where that is hopeless, Unavailable where it is not."""
        name = f"webhook {notice.target.name!r}"
        webhook = self._webhooks.get(notice.target.name)
        if webhook is None:
            raise Refused(f"{name}: the site has none of that name")
        body = notice.body().encode()
        try:
            secret = self._secrets(webhook.secret)
        except Misconfigured as exc:
            raise Refused(f"{name}: {exc}") from exc
        if not secret:  # anybody could sign with that
            raise Refused(f"{name}: its secret is empty; put a text into it")
        headers = webhook_headers(notice, body, secret, self._clock())
        try:
            answer = self._post(webhook.url, body, headers, may_be_private=webhook.is_private)
        except NotAllowed as exc:
            raise Refused(f"{name}: {exc}") from None
        except (OSError, ValueError) as exc:
            raise Unavailable(f"{name} cannot be reached: {type(exc).__name__}") from None
        self._judge(name, answer)

    def _judge(self, name: str, answer: Answer) -> None:
        status = answer.status
        if status in NOT_NOW or status >= _TROUBLE:
            asked = seconds_until(answer.retry_after, self._clock())
            raise NotYet(f"{name} answered {status}", after_seconds=asked)
        if status not in _OK:
            raise Refused(f"{name} answered {status}")
