"""What workers say in their jobs' logs, and how many files one may read at a time."""

from __future__ import annotations

import sys
from typing import Final

MOST_THREADS: Final = 8
"""A request may ask for more. A worker has one or two cores and EFS gives throughput, not
latency, back to more of them; our choice."""


def say(line: str) -> None:
    """Write one line to the job's log, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def amount(files: int, size_bytes: int) -> str:
    """Return ``3 files, 1,024 bytes``."""
    return f"{files:,} {'file' if files == 1 else 'files'}, {size_bytes:,} bytes"
