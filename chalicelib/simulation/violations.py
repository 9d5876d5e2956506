"""What our code must never do, found out."""

from __future__ import annotations


class StrictnessError(AssertionError):
    """Our code did what AWS does not take, or broke a promise of ours.

    Engines catch what they do not know, so that a violation is also noted in ``Findings``.
    """


class Killed(BaseException):
    """The process is gone; what it had in memory is lost."""


class Bug(Exception):
    """Stands for a fault of ours: of no class that anybody expects."""


class Findings:
    """The violations of one world."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def violate(self, words: str) -> StrictnessError:
        """Note it, and return what to raise where going on makes no sense."""
        self.found.append(words)
        return StrictnessError(words)

    def check(self, holds: object, words: str) -> None:
        """Note a violation unless it holds."""
        if not holds:
            self.found.append(words)
