"""Configs of version 1, as ``/configs/migrate`` takes them, in the form of version 2.

Version 1 has its steps by name and its matrix beside ``pipeline``. What a server of version 1
added (``status``, ``start``, ``yaml``, …) is not the config's and is left out; its ``id`` tells a
repeat.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.core.configs.model import ConfigPlan
from chalicelib.core.errors import InvalidRequest


def migrated(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document of version 2. Raises InvalidRequest where there is no pipeline in it."""
    pipeline = document.get("pipeline")
    if not isinstance(pipeline, Mapping):
        raise InvalidRequest(
            "the config has no pipeline; one that is only in its yaml text is not read",
            field="pipeline",
            mend="send the config itself, with its pipeline",
        )
    if "steps" not in pipeline:
        pipeline = {"steps": [_step(name, step) for name, step in pipeline.items()]}
    if document.get("matrix") is not None:
        pipeline = {**pipeline, "matrix": document["matrix"]}
    known = {name: document[name] for name in ConfigPlan.model_fields if name in document}
    return {**known, "version": "2", "pipeline": pipeline}


def _step(name: str, step: Any) -> Any:
    """Version 1 has underscores in names, which no pipeline of the work queue may have."""
    named = {"name": name.replace("_", "-")}
    return {**named, **step} if isinstance(step, Mapping) else {**named, "work": step}
