"""The runs that a run has started, for whoever asks: all of them, and those it waits for.

They stand nowhere in the run. An attempt's document (``child_progress``) says how many there are,
and the ids follow from it. One that was deleted since, or not started yet, has no state. Nobody
else may take them from the run while it lasts.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple

from chalicelib.child_progress import Progress, child_id, key_of, partition_of
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
    kind: str | None = None
    state: RunState | None = None


class ChildPage(NamedTuple):
    """Some of them."""

    children: tuple[Child, ...]
    next_cursor: str | None


def page_of(run: Run, ports: Ports, *, cursor: str | None, limit: int) -> ChildPage:
    """Return the runs behind the cursor, by stage, generation, attempt and index."""
    places = list(islice(_places(run, ports, *_read_cursor(cursor)), limit + 1))
    shown = tuple(_child(run, key, index, ports) for key, index in places[:limit])
    is_full = len(places) > limit
    key, index = places[limit - 1] if is_full else ("", 0)
    return ChildPage(shown, f"{key}#{index}" if is_full else None)


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
        yield from ((after, each) for each in range(index + 1, _progress(first).next))
    while some := ports.documents.list(partition_of(run), after=after, limit=DOCUMENTS_AT_ONCE):
        for document in some:
            yield from ((document.key, each) for each in range(_progress(document).next))
        after = some[-1].key


def _child(run: Run, key: str, index: int, ports: Ports) -> Child:
    stage, generation, attempt = key.split("#")
    child = Child(
        id=child_id(run, key, index),
        stage=stage,
        generation=int(generation),
        attempt=int(attempt),
        index=index,
    )
    try:
        found = ports.runs.load(child.id)
    except (NotFound, Conflict):  # gone, or on its way
        return child
    return child.model_copy(update={"kind": found.kind, "state": found.state})


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
