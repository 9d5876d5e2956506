"""The site of a stage as a file, for all that is too large to be a variable of a function.

::

    .chalice/site-<stage>.json ─▶ vendor/falsework-site.json ─▶ /var/task/falsework-site.json
                                  FALSEWORK_SITE in the stage's variables

Lambda has room for 4 KB of variables, of which the names of a deployment take nearly half; groups,
identities and the like share the rest. What does not fit, and what the application would not read,
is found here, before anything is deployed. A variable wins over the file; only who is an admin
from the start (``administrators``) is added to what either says, or nobody would get in.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from chalicelib import settings
from chalicelib.core.errors import Misconfigured
from chalicelib.core.limits import LAMBDA_ENVIRONMENT_BYTES

NAME: Final = "falsework-site.json"
VARIABLE: Final = "FALSEWORK_SITE"
IDENTITIES: Final = "FALSEWORK_IDENTITIES"
_TASK: Final = "/var/task"
_MERGED: Final = {"FALSEWORK_REPORTS_BATCH_ITEM_FAILURES": "true"}
"""What ``merge.yaml`` adds to some functions."""


def path(source: Path, stage: str) -> Path:
    """Return where the stage's file is, if it has one."""
    return source / ".chalice" / f"site-{stage}.json"


def pack(
    source: Path, project: Path, stage: str, admitted: Mapping[str, Any] | None = None
) -> str | None:
    """Put the file into the project, and say where it is; return what is wrong, if anything is.

    ``admitted``: identities beside those that the stage has; its own word on one of them counts.
    """
    configured = project / ".chalice" / "config.json"
    config = json.loads(configured.read_text(encoding="utf-8"))
    told: dict[str, str] = config["stages"][stage]["environment_variables"]
    site = path(source, stage)
    has_site = site.exists()
    named = {**config.get("environment_variables", {}), **told}.get(IDENTITIES)
    try:
        if admitted and (named is not None or not has_site):
            told[IDENTITIES] = json.dumps({**admitted, **json.loads(named or "{}")})
        if has_site and VARIABLE in told:
            return (
                f"{site} is packed, and {VARIABLE} {told[VARIABLE]!r} names another: take one away"
            )
        if has_site:
            site = _pack(site, project, admitted or {})
            told[VARIABLE] = f"{_TASK}/{NAME}"
    except (TypeError, ValueError) as exc:
        return f"the functions of stage {stage} would not start: {IDENTITIES} or {site}: {exc}"
    configured.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    return _problem(config, stage, site if has_site else None)


def _pack(site: Path, project: Path, admitted: Mapping[str, Any]) -> Path:
    """Put the file into the project, with the identities in it; return where it is."""
    text = site.read_text(encoding="utf-8")
    if admitted:
        document = json.loads(text)
        if isinstance(document, dict):  # else the application says what is wrong
            told = {**admitted, **document.get("identities", {})}
            text = json.dumps({**document, "identities": told}, indent=2) + "\n"
    packed = project / "vendor" / NAME
    packed.write_text(text, encoding="utf-8")
    return packed


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
