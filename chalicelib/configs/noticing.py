"""Works that change tell their configs at once; the sweep would find out a little later.

A work that is removed is looked at before: afterwards nobody could say how it ended. Nothing here
fails, for what the caller wanted is another thing.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from chalicelib.configs.tending import tend_parents
from chalicelib.core.errors import FalseworkError
from chalicelib.core.work.ids import is_id
from chalicelib.core.work.model import WorkStatus
from chalicelib.core.work.reading import understood
from chalicelib.ports import Ports
from chalicelib.work_ports import WorkPorts

_ENDED = {WorkStatus.SUCCESS, WorkStatus.FAILURE}

log = logging.getLogger(__name__)


def notice_update(documents: object, works: WorkPorts, ports: Ports) -> None:
    """Look at the configs of works that were just updated."""
    sent = documents if isinstance(documents, list) else []
    found = [work for each in sent if (work := understood(each)) is not None]
    tend_parents([work.config.parent for work in found], works, ports)


def notice_removal(ids: Sequence[str], works: WorkPorts, ports: Ports) -> None:
    """Look at the configs of works that have ended and are about to be removed."""
    try:
        kept = works.works.get({each for each in ids if is_id(each)})
    except FalseworkError:
        log.warning("what is removed could not be looked at before", exc_info=True)
        return
    found = [work for each in kept if (work := understood(each.document)) is not None]
    ended = [work.config.parent for work in found if work.status in _ENDED]
    tend_parents(ended, works, ports)
