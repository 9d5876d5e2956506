"""A change that is decided again as often as somebody else was faster."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from chalicelib.core.errors import Unavailable
from chalicelib.work_ports import Kept

TRIES: Final = 20
"""Of one work; whoever makes us try again has changed it."""
_PAUSE_SECONDS: Final = 0.05


def until_saved(
    kept: Kept,
    save: Callable[[Kept], bool],
    reload: Callable[[], Kept | None],
    pause: Callable[[float], None],
) -> bool:
    """Call ``save`` with ever newer documents until it is true; False when there is none left."""
    found: Kept | None = kept
    for _ in range(TRIES):
        if found is None:
            return False
        if save(found):
            return True
        pause(random.uniform(0, _PAUSE_SECONDS))  # noqa: S311 -- to part those who collide
        found = reload()
    raise Unavailable(f"work {kept.document['id']} is changed by others all the time; try again")
