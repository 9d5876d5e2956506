"""The policies of functions, from ``infra.grants``: ``.chalice/policy-<stage>-<function>.json``.

Region and account are ``*`` in the files: nobody knows them before a deployment; ``pinned`` puts
them in (``infra.build`` does). What runs may call, ``FALSEWORK_ALLOWED_FUNCTIONS`` in the stage's
variables of ``.chalice/config.json``, becomes a statement of those that drive the engine.

``python -m infra.policies`` writes the files anew; a test tells when they are old.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from infra.granting import NO_RESOURCE, Grant
from infra.grants import FUNCTIONS, TELLING

STAGES: Final = ("dev", "prod")
CHALICE: Final = Path(__file__).parents[1] / ".chalice"


def policy(
    function: str, stage: str, prefix: str = "falsework", callable_names: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the function's policy, with the names that ``foundation.yaml`` gives by default.

    ``callable_names``: what the names and ARNs of functions begin with that runs may call.
    """
    name = f"{prefix}-{stage}"
    log = "" if function == "api_handler" else f"-{function}"
    own = (
        Grant(
            "WriteOwnLogs",
            "logs",
            ("CreateLogStream", "PutLogEvents"),
            (f"log-group:/aws/lambda/{name}{log}:log-stream:*",),
        ),
        Grant(
            "MakeOwnLog",
            "logs",
            ("CreateLogGroup",),
            (f"log-group:/aws/lambda/{name}{log}",),
            why="plain `chalice deploy` makes none; merge.yaml does",
        ),
        Grant("Trace", "xray", ("PutTraceSegments", "PutTelemetryRecords"), NO_RESOURCE),
    )
    names = {
        "name": name,
        "stage": stage,
        "prefix": prefix,
        "queues": f"{name}-*",
        **{each: f"{name}-{each}-*" for each in ("scratch", "requests", "data")},
    }
    grants = [*FUNCTIONS[function], *own]
    if callable_names and FUNCTIONS[function] is not TELLING:
        grants.append(Grant("CallFunctions", "lambda", ("InvokeFunction",), _ends(callable_names)))
    statements = [_statement(grant, names) for grant in grants]
    return {"Version": "2012-10-17", "Statement": statements}


def pinned(
    policy: Mapping[str, Any],
    *,
    partition: str,
    region: str,
    account: str,
    names: Mapping[str, str],
) -> dict[str, Any]:
    """Return the policy for one place. ``names``: what stands in the file → what there is."""

    def pin(arn: str) -> str:
        if not arn.startswith("arn:*:"):
            return arn
        _, _, service, _, _, rest = arn.split(":", 5)
        for written, real in names.items():
            rest = rest.replace(written, real)
        where = "" if service in {"s3", "iam"} else region
        return f"arn:{partition}:{service}:{where}:{'' if service == 's3' else account}:{rest}"

    return {
        **policy,
        "Statement": [
            {**each, "Resource": [pin(arn) for arn in each["Resource"]]}
            for each in policy["Statement"]
        ],
    }


def path(function: str, stage: str) -> Path:
    """Return where Chalice reads the function's policy."""
    return CHALICE / f"policy-{stage}-{function.replace('_', '-')}.json"


def text(policy: Mapping[str, Any]) -> str:
    """Return the policy as it is in the file."""
    return json.dumps(policy, indent=2) + "\n"


def _statement(grant: Grant, names: Mapping[str, str]) -> dict[str, Any]:
    ends = [each.format_map(names) for each in grant.resources]
    told: dict[str, Any] = {
        "Sid": grant.sid,
        "Effect": "Allow",
        "Action": [f"{grant.service}:{each}" for each in grant.actions],
        "Resource": [_arn(grant.service, each) for each in ends],
    }
    return told | ({"Condition": dict(grant.condition)} if grant.condition else {})


_PLACES: Final[Mapping[str, str]] = {"s3": ":", "iam": ":*"}
"""Buckets have neither region nor account in their ARNs, roles no region."""


def _arn(service: str, end: str) -> str:
    is_whole = end == "*" or end.startswith("arn:")
    return end if is_whole else f"arn:*:{service}:{_PLACES.get(service, '*:*')}:{end}"


def _ends(callable_names: Sequence[str]) -> tuple[str, ...]:
    return tuple(
        f"{each}*" if each.startswith("arn:") else f"function:{each}*" for each in callable_names
    )


def written(function: str, stage: str) -> str:
    """Return what the function's file has to say, with what the stage's runs may call."""
    told = json.loads((CHALICE / "config.json").read_text(encoding="utf-8"))["stages"][stage]
    allowed = json.loads(told["environment_variables"].get("FALSEWORK_ALLOWED_FUNCTIONS", "[]"))
    return text(policy(function, stage, callable_names=allowed))


def main(write: Callable[[Path, str], Any] = Path.write_text) -> None:
    """Write every file."""
    for stage in STAGES:
        for function in FUNCTIONS:
            write(path(function, stage), written(function, stage))


if __name__ == "__main__":
    main()
