"""What simulated users ask for as pipelines: jobs, maps, choices, hooks and pipelines in them."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from chalicelib.simulation.requests import DAY, FALLBACK, HOUR, QUEUE

Stage = dict[str, Any]


def draw_pipeline(throws: Random, run_id: str) -> dict[str, Any]:
    """Return a document to submit as ``run_id``."""
    stages = _stages(throws, depth=0)
    names = [stage["name"] for stage in stages]
    return {
        "run_id": run_id,
        "input": {"items": list(range(throws.choice((0, 1, 3, 5)))), "way": throws.randrange(3)},
        "stages": stages,
        **({"output": {name: f"$.stages.{name}.result" for name in names}} if names else {}),
        "options": _options(throws, names),
    }


def _stages(throws: Random, depth: int) -> list[Stage]:
    kinds: tuple[Callable[[Random, str, int], Stage], ...] = (_job, _map, _nested, _value)
    stages: list[Stage] = []
    for number in range(throws.choice((1, 1, 2, 3))):
        stage = throws.choice(kinds)(throws, f"s{number}", depth)
        if stages and throws.random() < 0.4:
            stage["after"] = []  # side by side
        if stage["kind"] != "value" and throws.random() < 0.25:
            stage["status"] = _hooks(throws)
        stages.append(stage)
    if throws.random() < 0.3:
        stages = [_choice(), *(_when(throws, stage, each) for each, stage in enumerate(stages))]
    return stages


def _job(throws: Random, name: str, depth: int) -> Stage:  # noqa: ARG001 -- one of _stages
    attempts = throws.choice((1, 1, 3))
    options: dict[str, Any] = {"max_attempts": attempts, "timeout_seconds": 3 * DAY}
    request = {"image": "python:3.11", "command": ["align"], "job_queue": QUEUE}
    if throws.random() < 0.3:
        options["fallback_job_queue_name"] = FALLBACK
    return {
        "name": name,
        "kind": "batch-job",
        "request": {**request, "options": options},
        **_limits(throws),
    }


def _map(throws: Random, name: str, depth: int) -> Stage:
    stage = throws.choice((_job, _job, _says))(throws, name, depth)
    at_once = throws.choice((1, 2, 40))
    return {**stage, "for_each": "$.input.items", "at_once": at_once}


def _says(throws: Random, name: str, depth: int) -> Stage:  # noqa: ARG001 -- one of _stages
    request = {"input": "$.input", "stages": [{"name": "v", "kind": "value", "value": "$.input"}]}
    return {"name": name, "kind": "pipeline", "request": request}


def _nested(throws: Random, name: str, depth: int) -> Stage:
    if depth:
        return _says(throws, name, depth)
    request = {"input": "$.input", "stages": _stages(throws, depth + 1)}
    return {"name": name, "kind": "pipeline", "request": request, **_limits(throws)}


def _value(throws: Random, name: str, depth: int) -> Stage:  # noqa: ARG001 -- one of _stages
    return {"name": name, "kind": "value", "value": throws.choice(("$.input.way", 5))}


def _choice() -> Stage:
    cases = [
        {"when": {"Variable": "$.input.way", "NumericEquals": way}, "then": f"b{way}"}
        for way in range(2)
    ]
    return {"name": "way", "kind": "choice", "cases": cases, "default": "b2"}


def _when(throws: Random, stage: Stage, number: int) -> Stage:
    """The first looks at the choice, for a choice that nobody looks at is refused."""
    if number and throws.random() < 0.4:
        return {**stage, "after": ["way"]}
    when = {"choice": "way", "branch": f"b{throws.randrange(3)}"}
    return {**stage, "after": ["way"], "when": when}


def _hooks(throws: Random) -> dict[str, Any]:
    names = ("started", "pre_run", "post_run", "completed", "failed")
    told = {"kind": "pipeline", "request": _says(throws, "", 0)["request"]}
    return {name: told for name in names if throws.random() < 0.5}


def _limits(throws: Random) -> dict[str, Any]:
    told: dict[str, Any] = {"may_fail": True} if throws.random() < 0.2 else {}
    if throws.random() < 0.2:
        told["timeout_seconds"] = throws.choice((300, HOUR, 6 * HOUR))
    return told


def _options(throws: Random, names: list[str]) -> dict[str, Any]:
    told: dict[str, Any] = {"timeout_seconds": throws.choice((DAY, 4 * DAY, 3 * HOUR))}
    if throws.random() < 0.3 and names:
        told |= {"retry_policy": "STAGE", "max_attempts": throws.randint(2, 3)}
    return told
