"""Ids of configs, of their pipelines and of schedules: 24 hexadecimal digits, as works have.

::

    69205c1f 0a1b2c3d 7f21      0000
    seconds  entropy  partition number: 0 is the config, 1 and more are its pipelines

The partition is a digest of the config's name: whoever has only an id knows where to look, and
from a pipeline's id he knows its config. Lists are asked for by ``newest_first`` keys.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Final

from chalicelib.core.work.ids import is_id, partition_of

_DIGITS: Final = 24
_NUMBER: Final = 4


def config_id(at: datetime, name: str, entropy: int) -> str:
    """Return the id of a config; the same for the same time, name and 32 bits of entropy."""
    return f"{int(at.timestamp()):08x}{entropy & 0xFFFFFFFF:08x}{partition_of(name)}0000"


def pipeline_ids(config: str, count: int) -> tuple[str, ...]:
    """Return the ids of all pipelines of a config, in their order."""
    return tuple(f"{config[:-_NUMBER]}{number:04x}" for number in range(1, count + 1))


def config_of(any_id: str) -> str:
    """Return the id of the config that has this id, or whose pipeline has."""
    return f"{any_id[:-_NUMBER]}0000"


def number_of(any_id: str) -> int:
    """Return which pipeline of its config it is, from 1; 0 for the config itself."""
    return int(any_id[-_NUMBER:], 16)


def partition_in(any_id: str) -> str:
    """Return the digest of the config's name."""
    return any_id[-2 * _NUMBER : -_NUMBER]


def is_config_id(text: str) -> bool:
    """Tell whether a config or a schedule could be called that."""
    return is_id(text) and number_of(text) == 0


def newest_first(any_id: str) -> str:
    """Return a key that sorts the later the older the id is; of that key, the id again."""
    return f"{(1 << 4 * _DIGITS) - 1 - int(any_id, 16):024x}"


def tick_entropy(schedule: str, tick: datetime) -> int:
    """Return the entropy of the config that a schedule spawns at that minute: always the same."""
    text = f"{schedule} {int(tick.timestamp())}"
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)
