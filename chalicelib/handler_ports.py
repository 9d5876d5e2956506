"""What the handlers of the wire formats work with, in either home."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from chalicelib.carriers import Carrier
from chalicelib.core.worker_documents import MountedVolume
from chalicelib.job_ports import JobRunner
from chalicelib.ports import Facilities


class HandlerPorts(NamedTuple):
    """Made when they are first asked for: most handlers need the carrier only."""

    carrier: Callable[[], Carrier]
    facilities: Callable[[], Facilities]
    jobs: Callable[[], JobRunner]
    own_volumes: Callable[[], tuple[MountedVolume, ...] | None]
    """What whoever started this process has mounted; None where nobody says."""
