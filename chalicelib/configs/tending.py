"""Looking at configs: each pipeline is brought as far as it can come now.

Called when a config is deployed, cancelled or retried, when one of its works changes, and by the
sweep, which would do all of it alone, only later. Whoever finds that somebody else was faster
leaves it to him.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from typing import Final

from chalicelib.configs import depositing
from chalicelib.configs.shelf import ConfigShelf, KeptPipeline, Mark
from chalicelib.core.configs import progress
from chalicelib.core.configs.ids import config_of, number_of, pipeline_ids
from chalicelib.core.configs.matrices import combinations
from chalicelib.core.configs.model import ConfigPlan
from chalicelib.core.configs.pipeline import Header, Pipeline, Status
from chalicelib.core.errors import Conflict, FalseworkError
from chalicelib.core.work.ids import is_id
from chalicelib.document_ports import StaleDocument
from chalicelib.ports import Ports
from chalicelib.work_ports import WorkPorts

PASS_SECONDS: Final = 60.0
"""Of a sweep, as pushed works have; it begins anywhere, so that none is always the last."""
CALL_SECONDS: Final = 3.0
"""Of a call whose client waits."""

log = logging.getLogger(__name__)


def tend_all(works: WorkPorts, ports: Ports, *, seconds: float = PASS_SECONDS) -> int:
    """Look at every config that has not settled; return how many. Raises Unavailable.

    What nobody foresaw of one of them is raised when the others have been looked at.
    """
    shelf, until = ConfigShelf(ports.documents), ports.clock() + timedelta(seconds=seconds)
    count = 0
    unforeseen: Exception | None = None
    for mark in shelf.marks(f"{works.mint_entropy():08x}"):
        if ports.clock() > until:
            break
        try:
            _tend_marked(mark, works, ports)
        except FalseworkError:
            log.warning("config %s is looked at again", mark.config, exc_info=True)
        except Exception as exc:
            log.exception("config %s is looked at again", mark.config)
            unforeseen = exc
        count += 1
    if unforeseen is not None:
        raise unforeseen
    return count


def tend(config: str, works: WorkPorts, ports: Ports) -> None:
    """Look at one config at once; never fails, for the sweep comes, and does what is left."""
    try:
        found = ConfigShelf(ports.documents).header(config)
        if found is not None:
            _Tending(*found, works, ports, seconds=CALL_SECONDS).run()
    except FalseworkError:
        log.warning("config %s waits for the sweep", config, exc_info=True)


def tend_parents(parents: Iterable[str | None], works: WorkPorts, ports: Ports) -> None:
    """Look at the configs of works, by what their ``config.parent`` says; never fails."""
    configs = {config_of(each) for each in parents if each and is_id(each) and number_of(each)}
    until = ports.clock() + timedelta(seconds=CALL_SECONDS)
    for config in sorted(configs):
        if ports.clock() > until:
            return
        tend(config, works, ports)


def _tend_marked(mark: Mark, works: WorkPorts, ports: Ports) -> None:
    shelf = ConfigShelf(ports.documents)
    found = shelf.header(mark.config)
    if found is None or found[0].generation < mark.generation:
        grace = timedelta(seconds=ports.site.submit_grace_seconds)
        if ports.clock() - mark.at > grace:  # whoever made it died, or the config was removed
            shelf.unmark(mark)
    elif found[0].generation > mark.generation or _Tending(*found, works, ports).run():
        shelf.unmark(mark)


class _Tending:
    """One look at one config."""

    def __init__(
        self,
        header: Header,
        version: int,
        works: WorkPorts,
        ports: Ports,
        seconds: float = PASS_SECONDS,
    ) -> None:
        self._until = ports.clock() + timedelta(seconds=seconds)
        """No pipeline is begun with after this."""
        self._header = header
        self._version = version
        self._works = works
        self._ports = ports
        self._shelf = ConfigShelf(ports.documents)
        self._grace = timedelta(seconds=ports.site.submit_grace_seconds)

    def run(self) -> bool:
        """Return whether the config has settled, and it is noted."""
        document = self._shelf.document(self._header.id)
        if document is None:  # it is being removed
            return True
        config = ConfigPlan.model_validate(document)
        there = {kept.pipeline.id: kept for kept in self._shelf.pipelines(self._header.id)}
        if not self._may_be_made(self._header.count - len(there)):
            return False
        ends = [self._advanced(kept, config) for kept in self._pipelines(config, there)]
        told = progress.tallied(self._header, ends, self._ports.clock())
        try:
            if told != self._header:
                self._shelf.save(told, self._version)
        except StaleDocument:
            return False
        return told.stop is not None

    def _may_be_made(self, missing: int) -> bool:
        """Tell whether so many were never there; or else the config is being removed just now,
        and its works would be done again."""
        return missing <= self._header.tally.get(Status.CREATED, 0)

    def _pipelines(self, config: ConfigPlan, there: dict[str, KeptPipeline]) -> list[KeptPipeline]:
        """Return all of them; those that are not there yet are made."""
        ids = pipeline_ids(self._header.id, self._header.count)
        for each, values in zip(ids, combinations(config.pipeline.matrix), strict=True):
            if each not in there:
                new = Pipeline.of(config, each, values, self._header.creation)
                with suppress(StaleDocument):
                    there[each] = self._shelf.save_pipeline(new, 0)
        return [there[each] for each in ids if each in there]

    def _advanced(self, kept: KeptPipeline, config: ConfigPlan) -> Pipeline:
        """Return the pipeline as far as it came; where others were faster, as it was."""
        if self._ports.clock() > self._until:
            return kept.pipeline
        try:
            kept = self._saved(
                kept, progress.obeyed(kept.pipeline, self._header, self._ports.clock())
            )
            if kept.pipeline.is_settled:
                return kept.pipeline
            if kept.pipeline.is_cancelled:
                return self._taken_back(kept).pipeline
            kept = self._carried_on(kept, config)
            kept = self._followed(kept)
            if progress.has_due(kept.pipeline):
                kept = self._deposited(kept, config)
        except (StaleDocument, Conflict):
            log.info("pipeline %s is tended by somebody else, too", kept.pipeline.id)
        return kept.pipeline

    def _followed(self, kept: KeptPipeline) -> KeptPipeline:
        wanted = progress.to_look_at(kept.pipeline)
        if not wanted:
            return kept
        found = depositing.look(wanted, self._works)
        return self._saved(kept, progress.followed(kept.pipeline, found, self._ports.clock()))

    def _deposited(self, kept: KeptPipeline, config: ConfigPlan) -> KeptPipeline:
        at = self._ports.clock()
        ids = depositing.ids_for(kept.pipeline, self._works, at)
        kept = self._saved(kept, progress.planned(kept.pipeline, ids, at))
        return self._placed(kept, config)

    def _carried_on(self, kept: KeptPipeline, config: ConfigPlan) -> KeptPipeline:
        """Go on where somebody may have died."""
        if kept.pipeline.phase == "placed":
            return self._released(kept)
        mine = progress.taken_over(kept.pipeline, self._grace, self._ports.clock())
        return kept if mine is None else self._placed(self._saved(kept, mine), config)

    def _placed(self, kept: KeptPipeline, config: ConfigPlan) -> KeptPipeline:
        depositing.place(kept.pipeline, config, self._works, self._ports.clock())
        return self._released(self._saved(kept, progress.placed(kept.pipeline)))

    def _released(self, kept: KeptPipeline) -> KeptPipeline:
        depositing.release(kept.pipeline, self._works)
        return self._saved(kept, progress.released(kept.pipeline, self._ports.clock()))

    def _taken_back(self, kept: KeptPipeline) -> KeptPipeline:
        """Who planned a deposit may still be at it, till the grace is over."""
        at, pipeline = self._ports.clock(), kept.pipeline
        if pipeline.phase == "placed":
            pipeline = progress.released(pipeline, at)
        flying, live = progress.in_flight(pipeline), progress.to_look_at(pipeline)
        gone = depositing.take_back({**flying, **live}, self._works)
        found = depositing.look({k: v for k, v in live.items() if k not in gone}, self._works)
        if progress.is_dead(pipeline, self._grace, at):
            gone |= flying.keys()
        pipeline = progress.taken_back(pipeline, gone, at)
        return self._saved(kept, progress.followed(pipeline, found, at))

    def _saved(self, kept: KeptPipeline, pipeline: Pipeline) -> KeptPipeline:
        if pipeline == kept.pipeline:
            return kept
        return self._shelf.save_pipeline(pipeline, kept.version)
