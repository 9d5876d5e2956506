"""What a check-up found: one sentence for each thing that was looked at, and what to do about it.

A finding never holds a secret: it names things, counts and states, not contents.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Final

from chalicelib.core.limits import SIGNATURE_SECONDS
from chalicelib.core.noun import Noun

SKEW_SECONDS: Final = 60


class Verdict(StrEnum):
    """How it is with the thing."""

    OK = "ok"
    UNKNOWN = "unknown"
    """It could not be asked; that alone is no fault."""
    WARNING = "warning"
    """It works, and will not for ever, or not as well as it could."""
    FAULT = "fault"
    """Runs do not move, or data is not safe, until somebody mends it."""


class Finding(Noun):
    """One of the things that were looked at."""

    about: str
    """What was looked at, in two or three words."""
    verdict: Verdict
    says: str
    mend: str = ""
    """What to do; empty where nothing is to be done."""


def fine(about: str, says: str) -> Finding:
    """Return that the thing is as it should be."""
    return Finding(about=about, verdict=Verdict.OK, says=says)


def fault(about: str, says: str, mend: str) -> Finding:
    """Return that the thing must be mended."""
    return Finding(about=about, verdict=Verdict.FAULT, says=says, mend=mend)


def warning(about: str, says: str, mend: str) -> Finding:
    """Return that the thing should be mended."""
    return Finding(about=about, verdict=Verdict.WARNING, says=says, mend=mend)


def unknown(about: str, says: str, mend: str) -> Finding:
    """Return that nobody could be asked about the thing."""
    return Finding(about=about, verdict=Verdict.UNKNOWN, says=says, mend=mend)


def judged(about: str, is_fine: bool, good: str, bad: str, mend: str) -> Finding:
    """Return that the thing is fine, or that it must be mended."""
    return fine(about, good) if is_fine else fault(about, bad, mend)


def is_well(findings: Iterable[Finding]) -> bool:
    """Tell whether nothing must be mended, as far as anything could be asked at all."""
    verdicts = {each.verdict for each in findings}
    return Verdict.FAULT not in verdicts and Verdict.OK in verdicts


def skew(date: str, now: datetime) -> Finding:
    """Return how far this machine's clock is from the ``Date`` of an answer."""
    seconds = abs((now - parsedate_to_datetime(date)).total_seconds())
    about, says = "clock", f"{seconds:.0f} s from the other side's"
    mend = "let this machine keep time: timedatectl set-ntp true"
    if seconds > SIGNATURE_SECONDS:
        return fault(about, f"{says}: signatures are refused", mend)
    return warning(about, says, mend) if seconds > SKEW_SECONDS else fine(about, says)
