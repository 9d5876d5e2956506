"""A plan carried out on this machine: downloads, and copies from folder to folder.

Transfers come first and deletions after them, but for a file where a folder is needed, or the
other way round. Folders are made one by one, and none through a link that leads out of the bound.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import chain
from pathlib import Path

from chalicelib.carriers import Carrier, Transfer
from chalicelib.core.data_sync.plan import in_the_way
from chalicelib.core.errors import InvalidRequest, NotFound, Refused
from chalicelib.worker.problems import problems_of
from chalicelib.worker.removal import remove_empty, remove_files
from chalicelib.worker.sync.leavings import DOWNLOAD, forget_downloads
from chalicelib.worker.sync.local_copy import copy_files
from chalicelib.worker.sync.locations import LocalPlace, leads_out, off_limits
from chalicelib.worker.sync.planning import Planned
from chalicelib.worker.sync.progress import Progress


def _make_folder(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)


def carry_here(
    planned: Planned,
    carrier: Carrier,
    started_at: datetime,
    progress: Progress,
    make_folder: Callable[[Path], None] = _make_folder,
) -> None:
    """Do what the plan says. Raises InvalidRequest for what this file system cannot hold.

    ``make_folder`` makes a folder with those above it, each of them within the bound.
    """
    plan, root = planned.plan, Path(planned.plan.destination)
    arrivals = _Arrivals(planned, started_at, progress, make_folder)
    with _mendable():
        first = make_way(planned)
        if plan.is_folder:
            arrivals.make_folder(str(root))
        _bring(planned, carrier, arrivals, progress)
        remove_files(root, Path(), (name for name in plan.deleted if name not in first))


def make_way(planned: Planned) -> frozenset[str]:
    """Delete what is in the way of what is copied, if the request deletes; return its names.

    Folders without files go too: a sync that was killed here has left them.
    """
    if not planned.deletes:
        return frozenset()
    root, first = Path(planned.plan.destination), in_the_way(planned.plan)
    remove_files(root, Path(), sorted(first))
    for file in planned.plan.copied:
        remove_empty(root, Path(file.name))
    return first


def _bring(planned: Planned, carrier: Carrier, arrivals: _Arrivals, progress: Progress) -> None:
    concurrency = planned.request.max_concurrency
    if isinstance(planned.source, LocalPlace):
        copy_files(
            arrivals.transfers(),
            concurrency=concurrency,
            done=arrivals.arrived,
            moved=progress.bytes_done,
            is_move=planned.gives_up_source,
        )
        return
    with _temporary(planned) as temporary:
        carrier.transfer(
            arrivals.transfers(),
            concurrency=concurrency,
            done=arrivals.arrived,
            moved=progress.bytes_done,
            temporary=temporary,
        )


class _Arrivals:
    """Files on their way to a folder of this machine."""

    def __init__(
        self,
        planned: Planned,
        started_at: datetime,
        progress: Progress,
        make_folder: Callable[[Path], None],
    ) -> None:
        self._plan = planned.plan
        self._make_folder = make_folder
        self._bound = _bound_of(planned)
        place = planned.destination
        self._hidden = place.hidden if isinstance(place, LocalPlace) else None
        self._started_at = started_at
        self._progress = progress
        self._made: set[str] = set()
        self._times: dict[str, datetime] = {}

    def transfers(self) -> Iterator[Transfer]:
        """Yield them, each when its folder is there."""
        for file in chain(self._plan.copied, self._plan.overwritten):
            source, path = self._plan.source_of(file.name), self._plan.destination_of(file.name)
            self.make_folder(path.rpartition("/")[0])
            self._times[path] = max(self._started_at, file.modified_at)
            yield Transfer(source, path, file.size_bytes)

    def make_folder(self, folder: str) -> None:
        """Make it with those above. Raises InvalidRequest if a link leads out of the bound."""
        if folder not in self._made:
            real = Path(os.path.realpath(folder))
            if not real.is_relative_to(self._bound):
                raise leads_out(folder, self._bound)
            if self._hidden is not None and real.is_relative_to(self._hidden):
                raise off_limits(folder)
            self._make_folder(Path(folder))
            self._made.add(folder)

    def arrived(self, transfer: Transfer) -> None:
        """Date the file so that an object which was replaced meanwhile is newer than it."""
        seconds = self._times.pop(transfer.destination).timestamp()
        with contextlib.suppress(PermissionError):
            os.utime(transfer.destination, (seconds, seconds), follow_symlinks=False)
        self._progress.file_done()


def _bound_of(planned: Planned) -> Path:
    """A single file may lie in a folder that has no bound: then its own folder is meant."""
    root = Path(planned.plan.destination)
    place = planned.destination
    if isinstance(place, LocalPlace) and place.bound is not None:
        return place.bound
    return root if planned.plan.is_folder else root.parent


@contextmanager
def _temporary(planned: Planned) -> Iterator[Path | None]:
    """Lend a folder to download into, where the request wants one (section 8.5).

    A file can only be renamed within its file system. Where no folder was named, or one of
    another file system, it is made as far up on the destination's as we may write.
    """
    if not planned.request.remote_to_local_config.use_custom_tmp_dir or planned.plan.is_folder:
        yield None
        return
    folder = Path(planned.plan.destination).parent
    folder.mkdir(parents=True, exist_ok=True)
    parent = planned.temporary.followed() if planned.temporary else None
    if parent is not None:
        parent.mkdir(parents=True, exist_ok=True)
    if parent is None or parent.stat().st_dev != folder.stat().st_dev:
        place = planned.destination
        parent = _top(folder, place.bound if isinstance(place, LocalPlace) else None)
    forget_downloads(parent)
    with tempfile.TemporaryDirectory(prefix=DOWNLOAD, dir=parent) as name:
        yield Path(name)


def _top(folder: Path, bound: Path | None) -> Path:
    device = folder.stat().st_dev
    top = folder
    for above in folder.parents:
        if above.stat().st_dev != device or not os.access(above, os.W_OK):
            break
        if bound is not None and not above.is_relative_to(bound):
            break
        top = above
    return top


@contextmanager
def _mendable() -> Iterator[None]:
    """Tell in words what a path itself is guilty of; leave all other errors as they are."""
    try:
        yield
    except (InvalidRequest, NotFound, Refused):
        raise
    except OSError:
        with problems_of("destination_path"):
            raise
