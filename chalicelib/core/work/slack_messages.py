"""What is told to Slack about a work that is over: the body of a post to an incoming webhook.

(Slack API, "Sending messages using incoming webhooks": ``text`` and ``blocks``. A webhook belongs
to one channel; it cannot reply in a thread, so ``reply`` stays unused.)
"""

from __future__ import annotations

import json
from typing import Any, Final

from chalicelib.core.work.model import Work

SHOWN_CHARACTERS: Final = 2500
"""Of results, products and plots each; a message has 40,000 characters, a block 3,000."""


def wants_message(work: Work) -> bool:
    """Tell whether the work says anything of Slack."""
    return any(value is not None for _, value in work.notify.slack)


def slack_message(work: Work) -> dict[str, Any]:
    """Return the message: its owner's words and blocks, and what he wants to be shown."""
    slack = work.notify.slack
    told = slack.message or f"Work {work.id} of {work.pipeline} for {work.user}: {work.status}"
    mentioned = " ".join(f"<@{member}>" for member in slack.member_ids or ())
    lines = [f"{mentioned} {told}".strip()]
    for name in ("results", "products", "plots"):
        value = getattr(work, name)
        if getattr(slack, name) and value is not None:
            lines.append(f"*{name}*\n```{_shortened(value)}```")
    message: dict[str, Any] = {"text": "\n".join(lines)}
    if slack.blocks:
        message["blocks"] = slack.blocks.get("blocks", [slack.blocks])
    return message


def _shortened(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, indent=1)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
