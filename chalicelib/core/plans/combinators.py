"""What plans are built with: a chain of stages goes in, a larger one comes out.

::

    sequence(a, b)          a ─▶ b
    parallel(a, b)          both begin together; what comes next comes after both
    choice(c, {x: a, y: b}) one of them; the stages of the others are left out
    for_each(a, "$.input")  a for each item
    with_defaults(a, {…})   a, and what its request does not say
    enclose(n, […], "$.x")  a pipeline that sees nothing but what is at $.x
    with_status(a, hooks)   started ─▶ pre_run ─▶ a ─▶ post_run ─▶ completed, or failed

A chain knows where it begins, for what is put before it, and where it ends, for what comes next.
Stages that close a run belong to no chain; they are collected beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

from pydantic import JsonValue

from chalicelib.core.plans.plan import StagePlan
from chalicelib.core.plans.run_actions import MOST_AT_ONCE, PIPELINE, Chosen, RunsAction
from chalicelib.core.states.merging import merged


class Chain(NamedTuple):
    """Some stages, the first and the last of them, and what closes the run for their sake."""

    stages: tuple[StagePlan, ...]
    first: tuple[str, ...]
    last: tuple[str, ...]
    closing: tuple[StagePlan, ...] = ()

    def behind(self, names: tuple[str, ...]) -> Self:
        """Return the chain, its first stages after those of these names as well."""
        if not names:
            return self
        stages = tuple(
            stage.model_copy(update={"after": tuple(dict.fromkeys((*names, *stage.after)))})
            if stage.name in self.first
            else stage
            for stage in self.stages
        )
        return self._replace(stages=stages)

    def all(self) -> tuple[StagePlan, ...]:
        """Return the stages as a plan has them: those that close come last."""
        return (*self.stages, *self.closing)


EMPTY = Chain((), (), ())


def single(stage: StagePlan) -> Chain:
    """Return the chain of one stage."""
    if stage.is_closing:
        return Chain((), (), (), (stage,))
    return Chain((stage,), (stage.name,), (stage.name,))


def sequence(*parts: StagePlan | Chain) -> Chain:
    """Return the parts one after another; an empty one is as if it were not there."""
    whole = EMPTY
    for part in map(_chain, parts):
        if not part.stages:
            whole = whole._replace(closing=(*whole.closing, *part.closing))
            continue
        part = part.behind(whole.last)  # noqa: PLW2901 -- the same part, in its place
        whole = Chain(
            (*whole.stages, *part.stages),
            whole.first or part.first,
            part.last,
            (*whole.closing, *part.closing),
        )
    return whole


def parallel(*parts: StagePlan | Chain) -> Chain:
    """Return the parts side by side."""
    chains = [_chain(part) for part in parts]
    return Chain(
        tuple(stage for chain in chains for stage in chain.stages),
        tuple(name for chain in chains for name in chain.first),
        tuple(name for chain in chains for name in chain.last),
        tuple(stage for chain in chains for stage in chain.closing),
    )


def choice(choose: StagePlan, branches: Mapping[str, StagePlan | Chain]) -> Chain:
    """Return the choice and its branches; what comes next comes after whichever is taken."""
    chains = [only_if(choose.name, branch, part) for branch, part in branches.items()]
    taken = parallel(*chains)
    whole = sequence(choose, taken)
    empty = any(not chain.stages for chain in chains)
    return whole._replace(last=(*taken.last, choose.name)) if empty else whole


def only_if(stage: str, branch: str, part: StagePlan | Chain) -> Chain:
    """Return the part, left out unless the choice of that name took the branch."""
    chain = _chain(part)
    when = Chosen(stage=stage, branch=branch)
    return chain._replace(
        # What waits for a choice of its own within the part is left out with that choice.
        stages=tuple(
            each if each.when is not None else each.model_copy(update={"when": when})
            for each in chain.stages
        )
    )


def for_each(task: StagePlan, items: str, at_once: int = MOST_AT_ONCE) -> StagePlan:
    """Return the stage, its run started for each of the items that the reference finds."""
    return _changed(task, for_each=items, at_once=at_once)


def with_defaults(task: StagePlan, defaults: Mapping[str, JsonValue]) -> StagePlan:
    """Return the stage, the defaults merged under the request of its runs (3.1)."""
    action = task.action
    assert isinstance(action, RunsAction)  # noqa: S101 -- nothing else has a request
    if isinstance(action.request, str):
        return _changed(task, defaults=merged(defaults, action.defaults))
    return _changed(task, request=merged(defaults, action.request))


def enclose(name: str, stages: Sequence[JsonValue], input_path: str) -> StagePlan:
    """Return a stage that runs these, as a document has them, on what is at the path (3.2).

    They see nothing but that; their output is the stage's result.
    """
    request: dict[str, JsonValue] = {"input": input_path, "stages": list(stages)}
    return StagePlan(name=name, action=RunsAction(kind=PIPELINE, request=request))


class Hooks(NamedTuple):
    """What is done around a task (4.8); those of a status may fail, and are told so."""

    augment_input: StagePlan | None = None
    started: StagePlan | None = None
    pre_run: StagePlan | None = None
    post_run: StagePlan | None = None
    completed: StagePlan | None = None
    failed: StagePlan | None = None


def with_status(task: StagePlan, hooks: Hooks) -> Chain:
    """Return the task with what is done around it, in the order of section 4.8."""
    before = [hooks.augment_input, hooks.started, hooks.pre_run]
    after = [hooks.post_run, hooks.completed]
    chain = sequence(*(hook for hook in before if hook), task, *(hook for hook in after if hook))
    if hooks.failed is None:
        return chain
    told = {"is_closing": True, "closes_on": "error", "closes_for": task.name, "after": ()}
    return chain._replace(closing=(*chain.closing, hooks.failed.model_copy(update=told)))


def _changed(task: StagePlan, **changes: Any) -> StagePlan:
    action = task.action
    assert isinstance(action, RunsAction)  # noqa: S101 -- nothing else starts runs
    return task.model_copy(update={"action": action.model_copy(update=changes)})


def _chain(part: StagePlan | Chain) -> Chain:
    return single(part) if isinstance(part, StagePlan) else part
