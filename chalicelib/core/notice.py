"""A notice: what one target is told of one change, as a document and as a mail.

The document is the same wherever it goes: the body of a webhook's request, the message of a topic,
the detail of an event. ``id`` is the change's; who is told twice knows it by that.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple

from pydantic import AwareDatetime

from chalicelib.core.noun import Noun
from chalicelib.core.plans.announcements import Target

SOURCE: Final = "falsework.run"
RUN_CHANGED: Final = "Run State Change"
STAGE_CHANGED: Final = "Stage State Change"
SIGNATURE: Final = "X-Falsework-Signature"
TIMESTAMP: Final = "X-Falsework-Timestamp"
NOTICE_ID: Final = "X-Falsework-Notice"


class ToldRun(Noun):
    """The run that changed."""

    id: str
    kind: str
    group: str
    state: str
    """When the notice was written; it may be later than the change."""
    generation: int
    """The one that the change is of."""


class ToldStage(Noun):
    """The stage that changed."""

    name: str
    status: str
    attempt: int


class Told(Noun):
    """The document."""

    version: int = 1
    id: str
    type: str
    """``Run State Change`` or ``Stage State Change``."""
    at: AwareDatetime
    """When it changed."""
    run: ToldRun
    state: str | None = None
    """What the run came into; absent where a stage changed."""
    stage: ToldStage | None = None
    why: str = ""
    """In words, where there is something to say."""
    link: str | None = None
    """Where the run can be looked at, if the site knows its own address."""


class Notice(Noun):
    """What is handed on: the document, and who is to get it."""

    target: Target
    told: Told

    def document(self) -> dict[str, Any]:
        """Return the document as JSON."""
        return self.told.model_dump(mode="json", exclude_none=True)

    def body(self) -> str:
        """Return the document as text, in ASCII: what a program wrote as it failed may have in it
        what neither SQS nor SNS takes."""
        return json.dumps(self.document(), separators=(",", ":"))


class Mail(NamedTuple):
    """A mail in plain text."""

    subject: str
    text: str


def mail_of(told: Told) -> Mail:
    """Return what is written of the change."""
    run = told.run
    if told.stage is None:
        what, state = f"Run {run.id}", told.state
    else:
        what, state = f"Stage {told.stage.name} of run {run.id}", told.stage.status
    lines = [f"{what} is {state} since {told.at.isoformat(timespec='seconds')}.", ""]
    if told.why:
        lines += [told.why, ""]
    lines += [
        f"Run:   {run.id}",
        f"Kind:  {run.kind}",
        f"Group: {run.group}",
        f"State: {run.state}",
    ]
    if told.stage is not None:
        lines.append(f"Stage: {told.stage.name}, attempt {told.stage.attempt}, {state}")
    if told.link:
        lines.append(f"Link:  {told.link}")
    return Mail(f"[falsework] {what}: {state}", "\n".join([*lines, ""]))


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return ``sha256=<hex>``: HMAC-SHA256 over the timestamp, a full stop, and the body.

    With the time in it a request that somebody recorded is no good an hour later.
    """
    signed = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return f"sha256={signed.hexdigest()}"


def webhook_headers(notice: Notice, body: bytes, secret: str, now: datetime) -> dict[str, str]:
    """Return the headers of a webhook's request."""
    timestamp = str(int(now.timestamp()))
    return {
        "Content-Type": "application/json",
        "User-Agent": "falsework",
        NOTICE_ID: notice.told.id,
        TIMESTAMP: timestamp,
        SIGNATURE: signature(secret, timestamp, body),
    }


def seconds_until(retry_after: str | None, now: datetime) -> float:
    """Return what a Retry-After header asks for: seconds, or a date (RFC 9110, 10.2.3).

    0 where there is none, or none that anybody could follow.
    """
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    aware = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (aware - now).total_seconds())
