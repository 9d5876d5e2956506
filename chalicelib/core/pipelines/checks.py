"""A pipeline looked at as a whole, before anything of it starts: what refers to what.

A stage may refer to those that are certain to be done before it, and to no others. Nothing here
knows what a kind's request must hold: that is asked of the kind itself, where nothing in the
request is still to be looked up.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from pydantic import JsonValue

from chalicelib.core.documents import at_field, shortened
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.pipelines.model import (
    KIND,
    AnyStage,
    ChoiceStage,
    Hook,
    Pipeline,
    RunStage,
)
from chalicelib.core.pipelines.references import (
    check_all_keys,
    check_reference,
    found_in,
    references_of,
    stages_in,
)

DEEPEST: Final = 5
"""Pipelines in pipelines: each level is a run that waits for another."""


def check_pipeline(pipeline: Pipeline, kinds: Collection[str]) -> None:
    """Raise InvalidRequest for what could never be performed, naming the field."""
    before = _befores(pipeline)
    for place, stage in enumerate(pipeline.stages):
        where = f"stages.{place}"
        _check_kind(stage, where, kinds)
        _check_when(pipeline, stage, where, before[stage.name])
        with at_field(where):
            for field, text, extra in references_of(stage):
                check_reference(text, field, before[stage.name], extra)
    check_all_keys(pipeline.output, "output")
    for field, text in found_in(pipeline.output, "output"):
        check_reference(text, field, {stage.name for stage in pipeline.stages}, ())
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
    texts = [text for stage in pipeline.stages for _, text, _ in references_of(stage)]
    texts += [text for _, text in found_in(pipeline.output, "output")]
    seen = {name for text in texts for name in stages_in(text)}
    for place, stage in enumerate(pipeline.stages):
        if isinstance(stage, ChoiceStage) and stage.name not in named | seen:
            raise InvalidRequest(
                f"no stage looks at the choice {stage.name}",
                field=f"stages.{place}.name",
                value=stage.name,
                mend='give some stage "when": {"choice": …, "branch": …}, or leave the choice out',
            )
