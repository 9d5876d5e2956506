"""Both ends of a sync, read side by side, become a plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from chalicelib.carriers import Carrier
from chalicelib.core.data_sync.destinations import checked_key, checked_name, fit_for_folders
from chalicelib.core.data_sync.filters import PathFilter
from chalicelib.core.data_sync.obstacles import refuse_obstacles
from chalicelib.core.data_sync.plan import (
    Judged,
    Listed,
    PlannedFile,
    SyncPlan,
    Tally,
    Verdict,
    judged,
)
from chalicelib.worker.sync.comparing import holds_the_same, settled
from chalicelib.worker.sync.ends import Ends, own_name
from chalicelib.worker.sync.listing import listed_at
from chalicelib.worker.sync.locations import LocalPlace, ObjectPlace


class Reading:
    """One reading. ``everything`` is filled as the source is read, where that is wanted."""

    def __init__(
        self,
        ends: Ends,
        path_filter: PathFilter,
        carrier: Carrier,
        *,
        keeps_all: bool,
        known: Mapping[str, str],
    ) -> None:
        self._ends = ends
        self._filter = path_filter
        self._carrier = carrier
        self._keeps_all = keeps_all
        self._known = known
        self._left_out = 0
        self.kept_any = False
        self.everything: list[Listed] = []

    def plan(self, *, force: bool, size_only: bool, deletes: bool) -> SyncPlan:
        """Read both ends to their ends and return what is to be done."""
        ends = self._ends
        empty = SyncPlan(ends.found.root, ends.destination_root, ends.found.is_folder)

        def is_equal(each: Judged) -> bool:
            source, there = empty.source_of(each.name), empty.destination_of(each.name)
            return holds_the_same(source, there, each, self._carrier)

        pairs = judged(self._kept(), self._there(), force=force, size_only=size_only)
        if isinstance(ends.destination, LocalPlace) and ends.found.is_folder and not deletes:
            pairs = refuse_obstacles(pairs, ends.destination_root)
        plan = self._sorted_out(settled(pairs, is_equal), empty, deletes=deletes)
        return plan._replace(left_out=self._left_out)

    def _kept(self) -> Iterator[Listed]:
        """The source, filtered, as far as the destination can hold it."""
        if isinstance(self._ends.destination, ObjectPlace) or not self._ends.found.is_folder:
            yield from self._filtered()
            return
        root = self._ends.found.root
        for name, state in fit_for_folders(self._filtered(), lambda listed: listed[0]):
            checked_name(name, f"{root}/{name}")
            yield name, state

    def _filtered(self) -> Iterator[Listed]:
        is_folder = self._ends.found.is_folder
        keeps = self._filter.keeps if is_folder else self._filter.keeps_single
        for name, state in self._ends.found.files:
            if self._keeps_all:
                self.everything.append((name, state))
            if keeps(name):
                self.kept_any = True
                yield name, state
            else:
                self._left_out += 1

    def _there(self) -> Iterator[Listed]:
        """A single file may have another name there: here it bears the source's."""
        is_folder = self._ends.found.is_folder
        there = listed_at(self._ends.destination, self._carrier, is_folder=is_folder)
        if not is_folder:
            there = ((own_name(self._ends.source), state) for _, state in there)
        return map(self._with_checksum, there) if self._known else there

    def _with_checksum(self, listed: Listed) -> Listed:
        name, state = listed
        return name, state._replace(checksum=state.checksum or self._known.get(name))

    def _sorted_out(self, pairs: Iterable[Judged], plan: SyncPlan, *, deletes: bool) -> SyncPlan:
        copied: list[PlannedFile] = []
        overwritten: list[PlannedFile] = []
        deleted: list[str] = []
        kept = extra = Tally()
        is_local = isinstance(self._ends.destination, LocalPlace)
        for name, verdict, source, there in pairs:
            if source is not None and verdict is Verdict.KEEP:
                kept = kept.and_one(source.size_bytes)
            elif source is not None:
                if not is_local:
                    checked_key(plan.destination_of(name), name)
                file = PlannedFile(name, source.size_bytes, source.modified_at)
                (copied if verdict is Verdict.COPY else overwritten).append(file)
            elif there is not None and deletes:
                deleted.append(name)
            elif there is not None:
                extra = extra.and_one(max(0, there.size_bytes))
        return plan._replace(
            copied=tuple(copied),
            overwritten=tuple(overwritten),
            deleted=tuple(deleted),
            kept=kept,
            extra=extra,
        )
