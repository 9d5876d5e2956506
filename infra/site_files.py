"""The site of a stage as a file, for all that is too large to be a variable of a function.

::

    .chalice/site-<stage>.json ─▶ vendor/falsework-site.json ─▶ /var/task/falsework-site.json
                                  FALSEWORK_SITE in the stage's variables

Lambda has room for 4 KB of variables, of which the names of a deployment take nearly half; groups,
identities and the like share the rest. What does not fit, and what the application would not read,
is found here, before anything is deployed. A variable wins over the file.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from chalicelib import settings
from chalicelib.core.errors import Misconfigured
from chalicelib.core.limits import LAMBDA_ENVIRONMENT_BYTES

NAME: Final = "falsework-site.json"
VARIABLE: Final = "FALSEWORK_SITE"
_TASK: Final = "/var/task"
_MERGED: Final = {"FALSEWORK_REPORTS_BATCH_ITEM_FAILURES": "true"}
"""What ``merge.yaml`` adds to some functions."""


def path(source: Path, stage: str) -> Path:
    """Return where the stage's file is, if it has one."""
    return source / ".chalice" / f"site-{stage}.json"


def pack(source: Path, project: Path, stage: str) -> str | None:
    """Put the file into the project, and say where it is; return what is wrong, if anything is."""
    configured = project / ".chalice" / "config.json"
    config = json.loads(configured.read_text(encoding="utf-8"))
    told: dict[str, str] = config["stages"][stage]["environment_variables"]
    site = path(source, stage)
    if not site.exists():
        return _problem(config, stage, None)
    if VARIABLE in told:
        return f"{site} is packed, and {VARIABLE} {told[VARIABLE]!r} names another: take one away"
    shutil.copy(site, project / "vendor" / NAME)
    told[VARIABLE] = f"{_TASK}/{NAME}"
    configured.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    return _problem(config, stage, site)


def _problem(config: Mapping[str, Any], stage: str, site: Path | None) -> str | None:
    for name, variables in _variables(config, stage):
        size = _size(variables | _MERGED)
        if size > LAMBDA_ENVIRONMENT_BYTES:
            largest = max(variables, key=lambda each: _size({each: variables[each]}))
            return (
                f"the variables of {name} have {size} bytes, and Lambda takes"
                f" {LAMBDA_ENVIRONMENT_BYTES}: the largest is {largest} with"
                f" {_size({largest: variables[largest]})}; put what it says into"
                f" .chalice/site-{stage}.json (docs/deploy.md)"
            )
        own = {each: text for each, text in variables.items() if each != VARIABLE}
        try:
            settings.load(environ=own, site_file=site)
        except Misconfigured as exc:
            return f"the functions of stage {stage} would not start: {exc}"
    return None


def _variables(config: Mapping[str, Any], stage: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield what each function is told; the narrower one wins, as in Chalice."""
    own = config["stages"][stage]
    for name, function in own["lambda_functions"].items():
        levels = (config, own, function)
        yield (
            name,
            {
                key: text
                for each in levels
                for key, text in each.get("environment_variables", {}).items()
            },
        )


def _size(variables: Mapping[str, str]) -> int:
    """Return the bytes as Lambda counts them, by its error's own words: those of the JSON text."""
    text = json.dumps(variables, separators=(",", ":"), ensure_ascii=False)
    return len(text.encode())
