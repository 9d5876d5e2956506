"""A sample of a contender: measured in a process of its own, which prints what it found last."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]


def take_sample(module: str, name: str, *words: object) -> dict[str, Any]:
    """Run ``python -m module name words…`` and return the JSON of its last line.

    Raises SystemExit, with what the process said, where it fails.
    """
    done = subprocess.run(
        [sys.executable, "-m", module, name, *map(str, words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"{name} failed:\n{done.stderr}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer
