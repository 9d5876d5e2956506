"""npm's asl-validator: what it finds wrong with state machines."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.clouds.node_packages import installed

_PROJECT = Path(__file__).parents[1] / "asl_validator"


def errors_of(*machines: dict[str, Any]) -> list[list[Any]]:
    """Return the errors of each. Raises NoNode where it cannot run."""
    done = subprocess.run(
        ["node", str(_PROJECT / "validate.js"), str(installed(_PROJECT))],
        input=json.dumps(machines),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found: list[list[Any]] = json.loads(done.stdout)
    return found
