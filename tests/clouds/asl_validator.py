"""npm's asl-validator: what it finds wrong with a state machine."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.clouds.node_packages import installed

_PROJECT = Path(__file__).parents[1] / "asl_validator"


def errors_of(machine: dict[str, Any]) -> list[Any]:
    """Return the errors. Raises NoNode where it cannot run."""
    done = subprocess.run(
        ["node", str(_PROJECT / "validate.js"), str(installed(_PROJECT))],
        input=json.dumps([machine]),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    (found,) = json.loads(done.stdout)
    return found
