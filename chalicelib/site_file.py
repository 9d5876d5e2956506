"""The site as an operator writes it: a JSON file, and variables that say otherwise.

``{"name": value, …}`` with the fields of ``core.site.Site``, and beside them ``file_systems`` and
``access_points``. A variable ``FALSEWORK_<NAME>`` is text or JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from chalicelib.core.errors import Misconfigured
from chalicelib.core.site import FileSystems, Site


def read_site(env: Mapping[str, str], site_file: Path | None) -> tuple[Site, FileSystems | None]:
    """Return the site, and the file systems that its file lists. Raises Misconfigured."""
    told = _read(site_file) if site_file else {}
    keys = {"file_systems", "access_points"} & told.keys()
    inventory = {key: told.pop(key) for key in keys}
    for name, field in Site.model_fields.items():
        if (text := env.get(f"FALSEWORK_{name.upper()}")) is not None:
            told[name] = _parse(text, field.annotation)
    told |= {
        name: env[variable]
        for name, variable in (("env_base", "ENV_BASE"), ("aws_region", "AWS_REGION"))
        if env.get(variable)
    }
    try:
        return Site.model_validate(told), (
            FileSystems.model_validate(inventory) if inventory else None
        )
    except ValidationError as exc:
        raise Misconfigured(f"site: {exc}") from exc


def _read(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise Misconfigured(f"site file {path}: {exc}") from exc
    if not isinstance(told, dict):
        raise Misconfigured(f"site file {path}: a JSON object is needed, not {told!r:.60}")
    return told


def _parse(text: str, annotation: object) -> object:
    """Scalars stand as they are and pydantic coerces them; lists and objects are JSON."""
    if annotation in (str, int, bool) or not text.startswith(("{", "[")):
        return text
    try:
        return TypeAdapter(Any).validate_json(text)
    except ValidationError as exc:
        raise Misconfigured(f"not JSON: {text[:60]!r}") from exc
