"""ETags: which state of a run somebody has seen, so that the same need not be sent again.

A run's tag is weak: two versions of this package may write the same state in other words, and a
byte range of a run is nobody's wish. What is not a tag in If-None-Match matches nothing.
(RFC 9110, sections 8.8.3 and 13.1.2.)
"""

from __future__ import annotations

import re
from typing import Final

from chalicelib.core.run import RunRecord

_TAG: Final = re.compile(r'\s*(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")\s*(?:,|$)')


def etag_of(run: RunRecord) -> str:
    """Return the tag of the run as it is: another one after each save, and of another run."""
    return f'W/"{run.uid}.{run.version}.{run.generation}"'


def is_known(if_none_match: str | None, etag: str) -> bool:
    """Tell whether the header names the tag, or any by ``*``; compared as weak tags are."""
    if if_none_match is None:
        return False
    if if_none_match.strip() == "*":
        return True
    wanted, at = etag.removeprefix("W/"), 0
    while at < len(if_none_match):
        match = _TAG.match(if_none_match, at)
        if match is None:
            return False
        if match[1] == wanted:
            return True
        at = match.end()
    return False
