"""What a stage that begins again keeps: the runs of its attempt before that have succeeded.

They are not started again, and what they came to stands for the same items of the new attempt. So
a run that failed can be mended by itself (``resume`` of it), and then the one that had started it
goes on without having it done again. Only the engine's word that nothing changed which the stage
refers to (``Stage.former``) lets it look there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from chalicelib.child_progress import Family, Progress, child_of, key_of, load_of
from chalicelib.core.run import RunState


def with_kept(family: Family, progress: Progress) -> Progress:
    """Return the progress of an attempt that nobody has begun, with what it need not do."""
    former = family.run.stage(family.command.stage).former
    if former is None:
        return progress
    key = key_of(family.command.stage, former.generation, former.attempt)
    before = load_of(family, key)
    if before is None:
        return progress
    found = _candidates(before, key)
    if family.command.is_over:  # it ends before it has begun: the next attempt looks at them
        return progress.model_copy(update={"count": before.count, "kept": _grouped(found)})
    if before.count != progress.count:
        return progress
    good = ((index, owner) for index, owner in found if _has_succeeded(family, index, owner))
    return progress.model_copy(update={"kept": _grouped(good)})


def _candidates(before: Progress, key: str) -> Iterator[tuple[int, str]]:
    owners = before.owners()
    for index in range(before.count):
        owner = owners.get(index)
        if owner is not None or index < before.next:
            yield index, owner or key


def _has_succeeded(family: Family, index: int, owner: str) -> bool:
    child = child_of(family, index, owner)
    return child is not None and child.state is RunState.SUCCESS and child.settled_at is not None


def _grouped(found: Iterable[tuple[int, str]]) -> dict[str, tuple[int, ...]]:
    kept: dict[str, tuple[int, ...]] = {}
    for index, owner in found:
        kept[owner] = (*kept.get(owner, ()), index)
    return kept
