"""What the texts of a pipeline refer to, and whether that will be there.

::

    $.input.…   $.stages.NAME.result.…   $.run.id   $.item, $.index within a for_each
    $.stages['NAME.augment_input'].result after that hook   $.error in a failed hook
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from pydantic import JsonValue

from chalicelib.core.documents import shortened
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.pipelines.model import AnyStage, ChoiceStage, RunStage, ValueStage
from chalicelib.core.run_values import is_reference, parts_of
from chalicelib.core.states.paths import steps

_PATH: Final = re.compile(
    r"\$\.(?P<root>[A-Za-z_]+)(?:\.(?P<name>[A-Za-z0-9_-]+)|\['(?P<quoted>[^']+)'\])?"
)
_ROOTS: Final = ("input", "stages", "run")
_OF_ITEMS: Final = ("item", "index")


def references_of(stage: AnyStage) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield every reference of the stage: its field, its text, and what it may see besides."""
    match stage:
        case ChoiceStage():
            for place, case in enumerate(stage.cases):
                for field, text in found_in(dict(case.when), f"cases.{place}.when"):
                    yield field, text, ()
        case ValueStage():
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


def _check_path(text: str, field: str) -> None:
    if not text.startswith("$"):
        return
    try:
        steps(text.removeprefix("$") if text.startswith("$$") else text)
    except InvalidRequest as exc:
        raise InvalidRequest(str(exc), field=field, value=shortened(text), mend=exc.mend) from exc


def stages_in(text: str) -> Iterator[str]:
    """Yield the names of the stages that a reference mentions."""
    for match in _PATH.finditer(text):
        if match["root"] == "stages":
            yield match["quoted"] or match["name"]


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
    return found_in(told, field)


def check_reference(text: str, field: str, before: set[str], extra: tuple[str, ...]) -> None:
    """Raise InvalidRequest for a reference to what the stage does not come after, or to nothing.

    ``extra``: what can be referred to from there, and not from everywhere.
    """
    _check_path(text, field)
    for match in _PATH.finditer(text):
        root, name = match["root"], match["quoted"] or match["name"]
        if root == "stages" and name not in {*before, *extra}:
            raise InvalidRequest(
                f"{name or '$.stages alone'!s:.100} is no stage that is done before this one",
                field=field,
                value=shortened(text),
                mend=f"name one of {', '.join(sorted(before)) or 'none'}, or put it into after",
            )
        if root not in (*_ROOTS, *extra):
            raise InvalidRequest(
                f"there is no $.{root}",
                field=field,
                value=shortened(text),
                mend="refer to $.input, $.stages.NAME.result or $.run; $.item within a for_each",
            )
