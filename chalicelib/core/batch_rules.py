"""What Batch refuses by rules that it publishes, so that it need not be asked.

Where the rule is not published (how exactly AWS counts the bytes of the overrides) the smallest
form counts: what may pass is left to AWS to judge.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue

from chalicelib.core.errors import Refused
from chalicelib.core.limits import BATCH_JOB_NAME_CHARACTERS, BATCH_OVERRIDES_BYTES

_NAME: Final = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_-]{{0,{BATCH_JOB_NAME_CHARACTERS - 1}}}")
"""AWS Batch API reference, SubmitJob jobName and RegisterJobDefinition jobDefinitionName."""


def is_batch_name(name: str) -> bool:
    """Tell whether a job or a definition can bear the name."""
    return _NAME.fullmatch(name) is not None


def check_batch_name(what: str, name: str) -> None:
    """Raise Refused unless a job or a definition can bear the name."""
    if not is_batch_name(name):
        raise Refused(f"{what} name {name!r}: 1 to 128 of A-Z a-z 0-9 _ -, no sign first")


def check_environment(environment: Mapping[str, str]) -> None:
    """Raise Refused for variables that no job can have.

    ``AWS_BATCH``: AWS Batch API reference, ContainerOverrides, environment.
    """
    if reserved := sorted(name for name in environment if name.startswith("AWS_BATCH")):
        raise Refused(f"environment variables {reserved}: names with AWS_BATCH are Batch's own")
    if any("\0" in name + value or "=" in name for name, value in environment.items()):
        raise Refused("environment: no NUL can stand in a variable, and no = in its name")


def check_overrides(overrides: Mapping[str, JsonValue]) -> None:
    """Raise Refused for container overrides that are too large in any form of JSON."""
    size = json_bytes(overrides)
    if size > BATCH_OVERRIDES_BYTES:
        raise Refused(
            f"container overrides of {size} bytes: ECS takes at most {BATCH_OVERRIDES_BYTES}"
        )


def json_bytes(document: Mapping[str, JsonValue]) -> int:
    """Return the size of the document in its shortest JSON."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return len(text.encode("utf-8", "surrogatepass"))
