"""The end of a CloudWatch log stream: what a job wrote, read from its last page backwards."""

from __future__ import annotations

from typing import Any, Final

from botocore.exceptions import ClientError

from chalicelib.aws.client_errors import code_of, never, translated

_PAGES: Final = 200
"""A page may be empty before the beginning is reached, and nobody says how many are."""


def last_bytes(logs: Any, group: str, stream: str, limit_bytes: int) -> bytes:
    """Return the last bytes, a line per event; empty for a stream or group that is not there.

    A page has at most 1 MB; the beginning is where the token that comes back is the one that was
    sent (Amazon CloudWatch Logs API reference, GetLogEvents).
    """
    if limit_bytes <= 0 or not stream or {":", "*"} & set(stream):
        return b""  # GetLogEvents, logStreamName: [^:*]*
    text, token = b"", None
    with translated(f"log {stream}", never):
        for _ in range(_PAGES):
            page = _page(logs, group, stream, token)
            text = b"".join(_line(event) for event in page["events"]) + text
            if len(text) >= limit_bytes or page["nextBackwardToken"] == token:
                break
            token = page["nextBackwardToken"]
    return text[-limit_bytes:]


def _page(logs: Any, group: str, stream: str, token: str | None) -> dict[str, Any]:
    where = {"logGroupName": group, "logStreamName": stream, "startFromHead": False}
    try:
        page: dict[str, Any] = logs.get_log_events(
            **where, **({"nextToken": token} if token else {})
        )
    except ClientError as exc:
        if code_of(exc) == "ResourceNotFoundException":
            return {"events": [], "nextBackwardToken": token}
        raise
    return page


def _line(event: dict[str, Any]) -> bytes:
    return str(event["message"]).encode("utf-8", "replace") + b"\n"
