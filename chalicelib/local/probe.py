"""Whether a program does here what it is there for: asked once, by running it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence


def succeeds(command: Sequence[str], timeout_seconds: float) -> bool:
    """Return whether the command ends with 0 in that time; it reads nothing, shows nothing."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
