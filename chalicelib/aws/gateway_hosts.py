"""The names that API Gateway gives to REST APIs. Without botocore: most callers need no more."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

_HOST: Final = re.compile(
    r"[a-z0-9]+(?:-vpce-[a-z0-9]+)?\.execute-api\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?"
)
"""Amazon API Gateway developer guide, "Invoke REST APIs" and "Private REST APIs"."""


def gateway_region(url: str) -> str | None:
    """Return the region in the host's name; None where it is not an API Gateway's own."""
    found = _HOST.fullmatch((urlsplit(url).hostname or "").lower())
    return found[1] if found else None
