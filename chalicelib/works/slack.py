"""Slack is told that a work is over, by a webhook whose address is a secret.

The address is read when it is needed, never kept and never logged: an error is told by its kind
alone, for the texts of some have the address in them. Nothing here ever fails.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlsplit

from chalicelib import posting
from chalicelib.core.errors import FalseworkError
from chalicelib.core.work.model import Work
from chalicelib.core.work.slack_messages import slack_message, wants_message
from chalicelib.posting import Secrets

SECONDS: Final = 3.0
"""A report waits no longer for Slack; whoever ends a run waits for the report."""
DEFAULT: Final = "default"
_NOT_OK: Final = 300
_AT_HOME: Final = ("127.0.0.1", "localhost", "::1")

log = logging.getLogger(__name__)

Post = Callable[[str, bytes], int]
"""Posts JSON to an address and returns the status; raises OSError or ValueError."""


def post(address: str, body: bytes) -> int:
    """Post the body. Only HTTPS, or this machine itself."""
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _AT_HOME):
        raise ValueError("a webhook's address begins with https://")
    headers = {"Content-Type": "application/json"}
    # The operator's own address, who may have a relay of his own in his own network.
    answer = posting.post(address, body, headers, may_be_private=True, seconds=SECONDS)
    return answer.status


class Slack:
    """The webhooks of the site."""

    def __init__(self, webhooks: Mapping[str, str], secrets: Secrets, post: Post = post) -> None:
        self._webhooks = webhooks
        self._secrets = secrets
        self._post = post

    def tell(self, work: Work) -> None:
        """Post what the work asks for, to its channel's webhook or the default one."""
        if not wants_message(work):
            return
        channel = work.notify.slack.channel_id
        reference = self._webhooks.get(channel or DEFAULT, self._webhooks.get(DEFAULT))
        if reference is None:
            log.info("work %s: the site has no webhook for Slack channel %r", work.id, channel)
            return
        body = json.dumps(slack_message(work)).encode()
        try:
            status = self._post(self._secrets(reference), body)
            if status >= _NOT_OK:
                log.warning("work %s: Slack answered %s", work.id, status)
        except (FalseworkError, OSError, ValueError) as exc:
            log.warning("work %s: Slack was not told: %s", work.id, type(exc).__name__)
