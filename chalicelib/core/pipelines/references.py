"""What the texts of a pipeline refer to, and whether that will be there.

::

    $.input.…   $.stages.NAME.result.…   $.run.id   $.item, $.index within a for_each
    $.stages['NAME.augment_input'].result after that hook   $.error in a failed hook
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from pydantic import JsonValue

from chalicelib.core.documents import at_field, shortened
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.pipelines.model import AnyStage, ChoiceStage, RunStage, ValueStage
from chalicelib.core.run_values import is_reference, parts_of
from chalicelib.core.states.intrinsics import check
from chalicelib.core.states.paths import Step, steps
from chalicelib.core.states.templates import check_keys

_ROOTS: Final = ("input", "stages", "run")
_OF_ITEMS: Final = ("item", "index")
_HERE: Final = frozenset({*_OF_ITEMS, "error"})
"""What there is in some places only."""
_OF_RUN: Final = ("id", "group")
_CONTEXT: Final = (Step("Execution"), Step("Name"))


def references_of(stage: AnyStage) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield every reference of the stage: its field, its text, and what it may see besides."""
    match stage:
        case ChoiceStage():
            for place, case in enumerate(stage.cases):
                for field, text in found_in(dict(case.when), f"cases.{place}.when"):
                    yield field, text, ()
        case ValueStage():
            check_all_keys(stage.value, "value")
            for field, text in found_in(stage.value, "value"):
                yield field, text, ()
        case RunStage():
            yield from _texts_of_runs(stage)


def _texts_of_runs(stage: RunStage) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    if stage.for_each is not None:
        if not is_reference(stage.for_each):
            raise InvalidRequest(
                "for_each is a reference to a list",
                field="for_each",
                value=stage.for_each,
                mend="write $.input.… or $.stages.NAME.result…",
            )
        yield "for_each", stage.for_each, ()
    items = _OF_ITEMS if stage.for_each is not None else ()
    own = (f"{stage.name}.augment_input",) if stage.status.augment_input else ()
    for name in ("defaults", "request"):
        for field, text in _looked_up(stage.kind, getattr(stage, name), name):
            yield field, text, (*items, *own)
    for name in type(stage.status).model_fields:
        hook = getattr(stage.status, name)
        if hook is None:
            continue
        for field, text in _looked_up(hook.kind, hook.request, f"status.{name}.request"):
            is_late = name in {"post_run", "completed"}
            extra = ("error",) if name == "failed" else (stage.name,) if is_late else ()
            yield field, text, (*own, *extra)


def stages_in(text: str) -> Iterator[str]:
    """Yield the names of the stages that a reference mentions."""
    for path in check(text):
        found = () if path.startswith("$$") else steps(path)
        if len(found) > 1 and found[0].name == "stages":
            yield str(found[1].name)


def has_references(tree: JsonValue) -> bool:
    """Tell whether anything in it is still to be looked up."""
    return next(found_in(tree, ""), None) is not None


def found_in(tree: JsonValue, field: str) -> Iterator[tuple[str, str]]:
    """Yield (field, reference) of everything in the tree, which is at ``field``."""
    match tree:
        case str() if is_reference(tree):
            yield field, tree
        case Mapping():
            for name, value in tree.items():
                yield from found_in(value, f"{field}.{name}")
        case list() | tuple():
            for place, value in enumerate(tree):
                yield from found_in(value, f"{field}.{place}")


def _looked_up(
    kind: str, request: dict[str, JsonValue] | str, field: str
) -> Iterator[tuple[str, str]]:
    told = request if isinstance(request, str) else parts_of(kind, request)[0]
    check_all_keys(told, field)
    return found_in(told, field)


def check_all_keys(tree: JsonValue, field: str) -> None:
    """Raise InvalidRequest for a key of the tree, which is at ``field``, that ends in ``.$`` and
    should not."""
    inner: Iterable[tuple[object, JsonValue]] = ()
    if isinstance(tree, Mapping):
        with at_field(field):
            check_keys(tree, is_reference)
        inner = tree.items()
    elif isinstance(tree, list | tuple):
        inner = enumerate(tree)
    for name, value in inner:
        check_all_keys(value, f"{field}.{name}")


def check_reference(text: str, field: str, before: set[str], extra: tuple[str, ...]) -> None:
    """Raise InvalidRequest for a reference to what the stage does not come after, or to nothing.

    ``extra``: what can be referred to from there, and not from everywhere.
    """
    try:
        paths = [(path, _steps(path)) for path in check(text)]
    except InvalidRequest as exc:
        raise _refused(str(exc), field, text, exc.mend) from exc
    for path, found in paths:
        if path.startswith("$$"):
            if found != _CONTEXT:
                raise _refused(f"there is no {path:.100}", field, text, "it is $$.Execution.Name")
        elif found:
            _check_root(found, field, text, before, extra)


def _steps(path: str) -> tuple[Step, ...]:
    return steps(path.removeprefix("$") if path.startswith("$$") else path)


def _check_root(
    found: tuple[Step, ...], field: str, text: str, before: set[str], extra: tuple[str, ...]
) -> None:
    root, *below = (step.name for step in found)
    if root == "stages":
        _check_stage(below, field, text, {*before, *(set(extra) - _HERE)})
    elif root == "run" and below and below[0] not in _OF_RUN:
        raise _refused(
            f"there is no $.run.{below[0]!s:.100}", field, text, "it is $.run.id or $.run.group"
        )
    elif root not in {*_ROOTS, *_HERE.intersection(extra)}:
        mend = "refer to $.input, $.stages.NAME.result or $.run; $.item within a for_each"
        raise _refused(f"there is no $.{root}", field, text, mend)


def _check_stage(below: list[str | None], field: str, text: str, known: set[str]) -> None:
    if not below or below[0] not in known:
        name = below[0] if below else "$.stages alone"
        told = ", ".join(sorted(known)) or "none"
        raise _refused(
            f"{name!s:.100} is no stage that is done before this one",
            field,
            text,
            f"name one of {told}, or put it into after",
        )
    if below[1:] and below[1] != "result":
        raise _refused(
            f"a stage has no {below[1]!s:.100}", field, text, f"it is $.stages.{below[0]}.result"
        )


def _refused(why: str, field: str, text: str, mend: str) -> InvalidRequest:
    return InvalidRequest(why, field=field, value=shortened(text), mend=mend)
