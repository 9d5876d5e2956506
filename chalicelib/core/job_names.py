"""The names of our jobs: ``<prefix>-<uid>-<stage>-<serial>``, each used once and never again.

``uid`` is minted when a run is created and ``serial`` only grows, so that no retry, rollback,
deletion or resubmission can give a name a second meaning. A name is lower case ``[a-z0-9-]`` and
at most 128 characters, as Batch asks.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from chalicelib.core.limits import BATCH_JOB_NAME_CHARACTERS

UID_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz234567"
UID_CHARACTERS: Final = 20
_NAME = re.compile(
    r"(?P<prefix>[a-z0-9][a-z0-9-]*?)-(?P<uid>[a-z2-7]{20})-(?P<stage>[a-z0-9-]+)-(?P<serial>[0-9]+)"
)


class JobName(NamedTuple):
    """The parts of a name of ours."""

    prefix: str
    uid: str
    stage: str
    serial: int


def job_name(prefix: str, uid: str, stage: str, serial: int) -> str:
    """Return the name; a stage's name is cut where all would be longer than Batch takes."""
    room = BATCH_JOB_NAME_CHARACTERS - len(prefix) - UID_CHARACTERS - len(str(serial)) - 3
    word = re.sub(r"[^a-z0-9-]", "-", stage.lower())[:room]
    return f"{prefix}-{uid}-{word}-{serial}"


def parse_job_name(name: str) -> JobName | None:
    """Return the parts, or None when the job is not one of ours."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    return JobName(found["prefix"], found["uid"], found["stage"], int(found["serial"]))
