"""What many runs of one request come to: outcomes, attempts, and ranges of time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any


def figures(outcomes: Iterable[Any]) -> dict[str, Any]:
    """Return the figures as a JSON document.

    ``{"seeds", "outcomes": {end: runs}, "attempts": {stage: {attempts: runs}}, "seconds":
    {"min", "median", "p95", "max"}, "faults": [{"seed", "what"}]}``; the outcomes by frequency.
    """
    ordered = sorted(outcomes, key=lambda outcome: outcome.seed)
    attempts: dict[str, Counter[int]] = {}
    for outcome in ordered:
        for stage, number in outcome.attempts.items():
            attempts.setdefault(stage, Counter())[number] += 1
    return {
        "seeds": len(ordered),
        "outcomes": dict(Counter(outcome.end for outcome in ordered).most_common()),
        "attempts": {
            stage: {str(number): runs for number, runs in sorted(counted.items())}
            for stage, counted in attempts.items()
        },
        "seconds": ranges([outcome.seconds for outcome in ordered]),
        "faults": [
            {"seed": outcome.seed, "what": words}
            for outcome in ordered
            for words in outcome.violations[:1]
        ],
    }


def ranges(seconds: Sequence[float]) -> dict[str, float]:
    """Return the least, the middle one, the 95th of a hundred, and the most."""
    ordered = sorted(seconds)
    last = len(ordered) - 1
    places = {"min": 0.0, "median": 0.5, "p95": 0.95, "max": 1.0}
    return {name: ordered[round(last * share)] for name, share in places.items()}
