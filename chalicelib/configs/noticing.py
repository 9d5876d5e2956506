"""Works that change tell their configs at once; the sweep would find out a little later.

A work that is removed is looked at before: afterwards nobody could say how it ended. Nothing here
fails, for what the caller wanted is another thing.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from chalicelib.configs.tending import tend_parents
from chalicelib.core.errors import FalseworkError
from chalicelib.core.plans.work_runs import KIND
from chalicelib.core.run import Run
from chalicelib.core.work.ids import is_id
from chalicelib.core.work.model import Work, WorkStatus
from chalicelib.core.work.reading import understood
from chalicelib.ports import Ports
from chalicelib.work_ports import WorkPorts
from chalicelib.works.pushing import push_deposited

_ENDED = {WorkStatus.SUCCESS, WorkStatus.FAILURE}

log = logging.getLogger(__name__)


def notice_update(documents: object, works: WorkPorts, ports: Ports) -> None:
    """Look at the configs of works that were just updated."""
    sent = documents if isinstance(documents, list) else []
    found = [work for each in sent if (work := understood(each)) is not None]
    tend_parents([work.config.parent for work in found], works, ports)


def notice_removal(ids: Sequence[str], works: WorkPorts, ports: Ports) -> None:
    """Look at the configs of works that have ended and are about to be removed."""
    found = _found({each for each in ids if is_id(each)}, works)
    tend_parents([work.config.parent for work in found if work.status in _ENDED], works, ports)


def notice_run(run: Run, works: WorkPorts, ports: Ports) -> None:
    """Look at the config of a work that was pushed, now that its run has reported and settled.

    What the next stage has for sites that are pushed is dispatched as well.
    """
    if run.kind != KIND or run.settled_at is None:
        return
    found = _found({str(run.plan.request.get("work"))}, works)
    parents = [work.config.parent for work in found if work.config.parent is not None]
    if parents:
        tend_parents(parents, works, ports)
        push_deposited(works, ports)


def _found(ids: AbstractSet[str], works: WorkPorts) -> list[Work]:
    try:
        kept = works.works.get(ids)
    except FalseworkError:
        log.warning("the configs of works wait for the sweep", exc_info=True)
        return []
    return [work for each in kept if (work := understood(each.document)) is not None]
