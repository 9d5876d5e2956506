"""What simulated users ask for: a demand drawn by lot, with every option that there is."""

from __future__ import annotations

from random import Random
from typing import Any, Final

from chalicelib.core.options import Options

QUEUE: Final = "spot"
FALLBACK: Final = "on-demand"
HOUR: Final = 3600
DAY: Final = 24 * HOUR


def draw_request(throws: Random, run_id: str) -> dict[str, Any]:
    """Return a document to submit as ``run_id``."""
    params = {"reads": "s3://data/reads @ reads", "ref": "s3://data/ref", "out": "out"}
    inputs = throws.choice((["reads", "ref"], ["reads"], []))
    outputs = ["out"] if throws.random() < 0.85 else []
    kept = {name: value for name, value in params.items() if name in inputs + outputs}
    return {
        "execution_type": "align",
        "execution_id": run_id,
        "execution_image": "python:3.11",
        "execution_parameters": {
            "command": ["align"],
            "params": kept,
            "inputs": inputs,
            "outputs": outputs,
            "output_s3_prefix": f"s3://data/results/{run_id}",
        },
        "execution_platform": {"aws_batch": {"job_queue_name": QUEUE}},
        "options": _options(throws),
    }


def _options(throws: Random) -> dict[str, Any]:
    """Only what ``Options`` knows is asked for."""
    drawn = {
        "cleanup": throws.choice((None, "always", "on_success", "never")),
        **_retries(throws),
        "timeout_seconds": throws.choice(
            (
                DAY,
                3 * DAY,
                6 * HOUR,
                40 * 60,
                {"run": DAY, "execute": 15 * 60},
                {"run": DAY, "execute": 8 * 60, "stage-in": 120, "stage-out": 240},
            )
        ),
        "queue_wait_timeout_seconds": throws.choice((None, HOUR, 6 * HOUR)),
        "fallback_job_queue_name": throws.choice((None, FALLBACK)),
    }
    return {
        name: value
        for name, value in drawn.items()
        if name in Options.model_fields and value is not None
    }


def _retries(throws: Random) -> dict[str, Any]:
    policy = throws.choice(("NONE", "STAGE", "STAGE", "GLOBAL"))
    match policy:
        case "NONE":
            return {}
        case "STAGE":
            return {"retry_policy": policy, "max_attempts": throws.randint(1, 4)}
        case _:
            return {"retry_policy": policy, "max_attempts": throws.randint(6, 9)}
