"""What SubmitJob overrides in a job definition, and the limit that it must stay below."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Final

from pydantic import JsonValue

from chalicelib.core.errors import TooLarge
from chalicelib.core.limits import BATCH_OVERRIDES_BYTES

OVERRIDES_RESERVE_BYTES: Final = 1024
"""Left free for what the engine adds to every job: some eight ``FALSEWORK_*`` variables (run,
stage, serial, batch index and the like) of up to 128 bytes each, as JSON."""


def container_overrides(
    environment: Mapping[str, str], requirements: Iterable[tuple[str, str]]
) -> dict[str, JsonValue]:
    """Return the containerOverrides of SubmitJob; requirements are (type, value)."""
    return {
        "environment": [{"name": name, "value": value} for name, value in environment.items()],
        "resourceRequirements": [{"type": kind, "value": value} for kind, value in requirements],
    }


def overrides_bytes(overrides: Mapping[str, JsonValue]) -> int:
    """Return the size that counts: JSON with its overhead, as the SDK writes it.

    The SDK writes non-ASCII as ``\\uXXXX`` and a blank after each ``:`` and ``,``. Whether AWS
    counts it so is not documented; it is the largest form that the same overrides can have.
    """
    return len(json.dumps(overrides))


def has_room(environment: Mapping[str, str], requirements: Iterable[tuple[str, str]]) -> bool:
    """Tell whether Batch takes these overrides with the engine's own variables beside them."""
    size = overrides_bytes(container_overrides(environment, requirements))
    return size <= BATCH_OVERRIDES_BYTES - OVERRIDES_RESERVE_BYTES


def check_room(
    environment: Mapping[str, str],
    requirements: Iterable[tuple[str, str]],
    *,
    field: str,
    mend: str,
) -> None:
    """Raise TooLarge, with the field and mend given, unless ``has_room``."""
    wanted = list(requirements)
    if not has_room(environment, wanted):
        size = overrides_bytes(container_overrides(environment, wanted))
        raise TooLarge(
            f"the environment and resources have {size} bytes; Batch takes "
            f"{BATCH_OVERRIDES_BYTES}, of which {OVERRIDES_RESERVE_BYTES} are reserved",
            field=field,
            value=size,
            mend=mend,
        )
