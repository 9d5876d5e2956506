"""The runs that a run has started, for whoever asks: all of them, and those it waits for.

They stand nowhere in the run. An attempt's document (``child_progress``) says how many there are,
and the ids follow from it. One that was deleted since, or not started yet, has no state. Nobody
else may take them from the run while it lasts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice
from typing import Final, NamedTuple

from chalicelib.child_progress import Progress, child_id, key_of, partition_of
from chalicelib.core import lineage
from chalicelib.core.errors import Conflict, InvalidRequest, NotFound
from chalicelib.core.noun import Noun
from chalicelib.core.run import Run, RunState
from chalicelib.document_ports import Document
from chalicelib.ports import Ports

DOCUMENTS_AT_ONCE: Final = 100


class Child(Noun):
    """One of the runs."""

    id: str
    stage: str
    generation: int
    attempt: int
    index: int
    """Of its item; 0 where the stage is of one run."""
    item: str | None = None
    """As JSON, cut short; None where the stage has none, or has begun again since."""
    kind: str | None = None
    state: RunState | None = None


class ChildPage(NamedTuple):
    """Some of them."""

    children: tuple[Child, ...]
    next_cursor: str | None


def page_of(run: Run, ports: Ports, *, cursor: str | None, limit: int) -> ChildPage:
    """Return the runs behind the cursor, by stage, generation, attempt and index."""
    places = list(islice(_places(run, ports, *_read_cursor(cursor)), limit + 1))
    known = _of_these_items(run, ports)
    shown = tuple(_child(run, key, index, ports, known) for key, index in places[:limit])
    is_full = len(places) > limit
    key, index = places[limit - 1] if is_full else ("", 0)
    return ChildPage(shown, f"{key}#{index}" if is_full else None)


def ids(run: Run, ports: Ports) -> Iterator[str]:
    """Yield the ids of all that the run has started; some may be gone."""
    return (child_id(run, key, index) for key, index in _places(run, ports, "", -1))


def waited_for(run: Run, ports: Ports) -> dict[str, tuple[str, ...]]:
    """Return stage → the ids of its runs that were started and are not known to have ended."""
    found = {}
    for stage in run.stages:
        if stage.children is not None:
            key = key_of(stage.stage_name, stage.children.generation, stage.children.attempt)
            document = ports.documents.load(partition_of(run), key)
            if document is not None:
                still_open = _progress(document).open
                found[stage.stage_name] = tuple(child_id(run, key, each) for each in still_open)
    return found


def failed_below(run: Run, ports: Ports) -> tuple[Run, ...]:
    """Return the runs that the run's failure came from: each has started the next, and the last
    failed by itself. None where it failed of no other, or that is gone."""
    found: list[Run] = []
    while (child_id := lineage.failed_below(found[-1] if found else run)) is not None:
        try:
            child = ports.runs.load(child_id)
        except (NotFound, Conflict):
            break
        if child.error is None:  # it has gone on since
            break
        found.append(child)
    return tuple(found)


def check_on_its_own(run: Run, ports: Ports) -> None:
    """Raise Conflict for a run that another one waits for, and whose result that will read.

    Deleted it would be started again, and begun again it would have no result for a while.
    """
    if run.plan.parent is None:
        return
    try:
        parent = ports.runs.load(run.plan.parent)
    except (NotFound, Conflict):  # it is gone, or about to go
        return
    if parent.settled_at is None:
        raise Conflict(
            f"run {run.id} belongs to run {parent.id}, which has not settled: wait for that, or "
            "cancel it"
        )


def _places(run: Run, ports: Ports, after: str, index: int) -> Iterator[tuple[str, int]]:
    """Yield (key of the attempt, index) of everything behind that place."""
    first = ports.documents.load(partition_of(run), after) if after else None
    if first is not None:
        yield from ((after, each) for each in _progress(first).started() if each > index)
    while some := ports.documents.list(partition_of(run), after=after, limit=DOCUMENTS_AT_ONCE):
        for document in some:
            yield from ((document.key, each) for each in _progress(document).started())
        after = some[-1].key


def _child(run: Run, key: str, index: int, ports: Ports, known: Collection[str]) -> Child:
    stage, generation, attempt = key.split("#")
    child = Child(
        id=child_id(run, key, index),
        stage=stage,
        generation=int(generation),
        attempt=int(attempt),
        index=index,
        item=lineage.item_text(run, stage, index) if key in known else None,
    )
    try:
        found = ports.runs.load(child.id)
    except (NotFound, Conflict):  # gone, or on its way
        return child
    return child.model_copy(update={"kind": found.kind, "state": found.state})


def _of_these_items(run: Run, ports: Ports) -> set[str]:
    """Return the keys of the attempts whose items are those that the run refers to now.

    What an attempt before a rollback referred to may be something else by now; the last one, and
    those of which it has kept runs, had the same.
    """
    found: set[str] = set()
    for stage in run.stages:
        last = stage.children or stage.former
        if last is not None and lineage.has_items(run, stage.stage_name):
            key = key_of(stage.stage_name, last.generation, last.attempt)
            document = ports.documents.load(partition_of(run), key)
            found |= {key, *(_progress(document).kept if document else ())}
    return found


def _progress(document: Document) -> Progress:
    return Progress.model_validate(document.content)


def _read_cursor(cursor: str | None) -> tuple[str, int]:
    if cursor is None:
        return "", -1
    key, _, index = cursor.rpartition("#")
    if key.count("#") != 2 or not (index.isascii() and index.isdigit()):
        raise InvalidRequest(
            f"{cursor!r:.100} is no cursor of ours",
            field="cursor",
            value=cursor[:100],
            mend="send next_cursor of the page before, or none",
        )
    return key, int(index)
