"""A pipeline looked at as a whole, before anything of it starts: what refers to what.

A stage may refer to those that are certain to be done before it, and to no others. Nothing here
knows what a kind's request must hold: that is asked of the kind itself, where nothing in the
request is still to be looked up.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from pydantic import JsonValue

from chalicelib.core.documents import shortened
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.pipelines.model import (
    KIND,
    AnyStage,
    ChoiceStage,
    Hook,
    Pipeline,
    RunStage,
    ValueStage,
)
from chalicelib.core.run_values import is_reference

DEEPEST: Final = 5
"""Pipelines in pipelines: each level is a run that waits for another."""
_PATH: Final = re.compile(
    r"\$\.(?P<root>[A-Za-z_]+)(?:\.(?P<name>[A-Za-z0-9_-]+)|\['(?P<quoted>[^']+)'\])?"
)
_ROOTS: Final = ("input", "stages", "run")
_OF_ITEMS: Final = ("item", "index")


def check_pipeline(pipeline: Pipeline, kinds: Collection[str]) -> None:
    """Raise InvalidRequest for what could never be performed, naming the field."""
    before = _befores(pipeline)
    for place, stage in enumerate(pipeline.stages):
        where = f"stages.{place}"
        _check_kind(stage, where, kinds)
        _check_when(pipeline, stage, where, before[stage.name])
        for field, text, extra in _texts(stage):
            _check_reference(text, f"{where}.{field}", before[stage.name], extra)
    for field, text in _found(pipeline.output, "output"):
        _check_reference(text, field, {stage.name for stage in pipeline.stages}, ())
    _check_choices(pipeline)
    check_depth(pipeline.to_wire())


def check_depth(document: Mapping[str, JsonValue], depth: int = 1) -> None:
    """Raise InvalidRequest for pipelines in pipelines in pipelines."""
    if depth > DEEPEST:
        raise InvalidRequest(
            f"pipelines are nested deeper than {DEEPEST}", field="stages", mend="flatten them"
        )
    stages = document.get("stages")
    for stage in stages if isinstance(stages, list) else []:
        if isinstance(stage, Mapping) and stage.get("kind") == KIND:
            inner = stage.get("request")
            if isinstance(inner, Mapping):
                check_depth(inner, depth + 1)


def afters(pipeline: Pipeline) -> dict[str, tuple[str, ...]]:
    """Return what each stage comes after, said or not."""
    found: dict[str, tuple[str, ...]] = {}
    last: tuple[str, ...] = ()
    for stage in pipeline.stages:
        found[stage.name] = last if stage.after is None else stage.after
        last = (stage.name,)
    return found


def has_references(tree: JsonValue) -> bool:
    """Tell whether anything in it is still to be looked up."""
    return next(_found(tree, ""), None) is not None


def _befores(pipeline: Pipeline) -> dict[str, set[str]]:
    """Return for each stage those that are done before it begins. Raises for cycles."""
    direct = afters(pipeline)
    done: dict[str, set[str]] = {}
    waiting = dict(direct)
    while waiting:
        free = [name for name, after in waiting.items() if all(each in done for each in after)]
        if not free:
            _refuse_knot(pipeline, direct, waiting)
        for name in free:
            after = waiting.pop(name)
            done[name] = {*after, *(each for earlier in after for each in done[earlier])}
    return done


def _refuse_knot(
    pipeline: Pipeline,
    direct: Mapping[str, tuple[str, ...]],
    waiting: Mapping[str, tuple[str, ...]],
) -> None:
    for place, stage in enumerate(pipeline.stages):
        for name in direct[stage.name]:
            if name not in direct:
                raise InvalidRequest(
                    f"there is no stage {name!r:.100}",
                    field=f"stages.{place}.after",
                    value=shortened(name),
                    mend=f"name one of {', '.join(direct)}",
                )
    names = ", ".join(waiting)
    raise InvalidRequest(
        f"these stages wait for one another: {names}",
        field="stages",
        value=shortened(names),
        mend="let one of them come first",
    )


def _check_kind(stage: AnyStage, where: str, kinds: Collection[str]) -> None:
    if not isinstance(stage, RunStage):
        return
    hooks = {
        f"{where}.status.{name}": hook.kind
        for name in type(stage.status).model_fields
        if isinstance(hook := getattr(stage.status, name), Hook)
    }
    for field, kind in {where: stage.kind, **hooks}.items():
        if kind not in kinds:
            raise InvalidRequest(
                f"there is no kind {kind!r:.100}",
                field=f"{field}.kind",
                value=shortened(kind),
                mend=f"name one of {', '.join(sorted({*kinds, 'choice', 'value'}))}",
            )


def _check_when(pipeline: Pipeline, stage: AnyStage, where: str, before: set[str]) -> None:
    if stage.when is None:
        return
    choices = {each.name: each for each in pipeline.stages if isinstance(each, ChoiceStage)}
    chosen = choices.get(stage.when.choice)
    if chosen is None or chosen.name not in before:
        raise InvalidRequest(
            f"{stage.when.choice!r:.100} is no choice that is made before this stage",
            field=f"{where}.when.choice",
            value=shortened(stage.when.choice),
            mend=f"name a choice that it comes after: {', '.join(sorted(choices)) or 'none yet'}",
        )
    if stage.when.branch not in chosen.branches:
        raise InvalidRequest(
            f"{chosen.name} has no branch {stage.when.branch!r:.100}",
            field=f"{where}.when.branch",
            value=shortened(stage.when.branch),
            mend=f"name one of {', '.join(sorted(chosen.branches))}",
        )


def _check_choices(pipeline: Pipeline) -> None:
    """A choice that decides nothing is a mistake in a name, most likely."""
    named = {stage.when.choice for stage in pipeline.stages if stage.when is not None}
    texts = [text for stage in pipeline.stages for _, text, _ in _texts(stage)]
    texts += [text for _, text in _found(pipeline.output, "output")]
    seen = {m["quoted"] or m["name"] for text in texts for m in _PATH.finditer(text)}
    for place, stage in enumerate(pipeline.stages):
        if isinstance(stage, ChoiceStage) and stage.name not in named | seen:
            raise InvalidRequest(
                f"no stage looks at the choice {stage.name}",
                field=f"stages.{place}.name",
                value=stage.name,
                mend='give some stage "when": {"choice": …, "branch": …}, or leave the choice out',
            )


def _texts(stage: AnyStage) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield every reference of the stage: its field, its text, and what it may see besides."""
    match stage:
        case ChoiceStage():
            for place, case in enumerate(stage.cases):
                for field, text in _found(dict(case.when), f"cases.{place}.when"):
                    yield field, text, ()
        case ValueStage():
            for field, text in _found(stage.value, "value"):
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
        for field, text in _found(getattr(stage, name), name):
            yield field, text, (*items, *own)
    for name in type(stage.status).model_fields:
        hook = getattr(stage.status, name)
        for field, text in _found(hook.request if hook else None, f"status.{name}.request"):
            is_late = name in {"post_run", "completed"}
            extra = ("error",) if name == "failed" else (stage.name,) if is_late else ()
            yield field, text, (*own, *extra)


def _found(tree: JsonValue, field: str) -> Iterator[tuple[str, str]]:
    match tree:
        case str() if is_reference(tree):
            yield field, tree
        case Mapping():
            for name, value in tree.items():
                yield from _found(value, f"{field}.{name}")
        case list() | tuple():
            for place, value in enumerate(tree):
                yield from _found(value, f"{field}.{place}")


def _check_reference(text: str, field: str, before: set[str], extra: tuple[str, ...]) -> None:
    for match in _PATH.finditer(text):
        root, name = match["root"], match["quoted"] or match["name"]
        if root == "stages" and name not in {*before, *extra}:
            raise InvalidRequest(
                f"{name!s:.100} is no stage that is done before this one",
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
