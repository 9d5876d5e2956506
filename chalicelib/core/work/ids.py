"""Ids of works: 24 hexadecimal digits that sort by the time of their deposit.

::

    69205c1f 3d090 0a1b2c3 7f21
    seconds  µs    serial  partition

The first eight digits are what a BSON ObjectId has there, so its tools show the right time. The
serial begins anywhere and counts up within a deposit: ids of one deposit are in its order, and two
deposits of the same microsecond differ. The partition is a digest of the pipeline's name: whoever
has only an id, as DELETE has, knows where in DynamoDB to look.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from chalicelib.core.work.model import ID_PATTERN

SERIAL_BITS: Final = 28
_ID: Final = re.compile(ID_PATTERN)


def mint_ids(at: datetime, pipelines: Sequence[str], entropy: int) -> list[str]:
    """Return an id for each work of a deposit, by its pipeline; ``entropy`` is any fresh number.

    Half of the serials are left free, so that counting up never comes round.
    """
    first = entropy % (1 << SERIAL_BITS - 1)
    time = f"{int(at.timestamp()):08x}{at.microsecond:05x}"
    return [
        f"{time}{serial:07x}{partition_of(pipeline)}"
        for serial, pipeline in enumerate(pipelines, first)
    ]


def partition_of(pipeline: str) -> str:
    """Return the four last digits of the ids of this pipeline's works."""
    return hashlib.sha256(pipeline.encode()).hexdigest()[:4]


def is_id(text: str) -> bool:
    """Tell whether a work could be called that."""
    return _ID.fullmatch(text) is not None
