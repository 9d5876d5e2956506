"""A pipeline's stages as states. The state document is what references see in our own runs::

    {"input": …, "stages": {NAME: {"result": …}}, "run": {"id", "group"}}

so that ``$.stages.sort.result`` is the same text in both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue

from chalicelib.core.asl.expressions import Expression, at, fields, looked_up
from chalicelib.core.asl.order import Order, SideBySide, names_in, order_of
from chalicelib.core.asl.parts import Part, Place, State, chain, closed, either, passing, single
from chalicelib.core.asl.runs import KINDS, run_stage
from chalicelib.core.documents import at_field, parse_document, shortened
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.options import Options
from chalicelib.core.pipelines.checks import afters, check_pipeline
from chalicelib.core.pipelines.model import (
    AnyStage,
    ChoiceStage,
    Pipeline,
    RunStage,
    ValueStage,
)
from chalicelib.core.pipelines.references import found_in, references_of, stages_in
from chalicelib.core.plans.demand_execution import KIND as DEMAND


def pipeline_part(pipeline: Pipeline, options: Options, place: Place) -> Part:
    """Return the states of a checked pipeline; they begin with the document, and end with what it
    comes to. Raises InvalidRequest for what cannot be said."""
    _check_demands(pipeline)
    after = afters(pipeline)
    stages = {stage.name: stage for stage in pipeline.stages}
    parts: dict[str, Part] = {}
    for number, stage in enumerate(pipeline.stages):
        with at_field(f"stages.{number}"):
            seconds = options.stage_timeout(stage.name)
            parts[stage.name] = _conditional(stage, _stage(stage, seconds, place), place)
    output = looked_up(pipeline.output) if pipeline.output is not None else None
    ends = at("stages", pipeline.stages[-1].name, "result") if output is None else at("output")
    made = () if output is None else (passing(place.name("output"), {"output": output}, "$"),)
    end = single(place.name("end"), {"Type": "Pass", "OutputPath": ends})
    return chain(_ordered(order_of(after), parts, (), stages, place), *made, end)


def _check_demands(pipeline: Pipeline) -> None:
    """What a demand comes to here are its tasks: nothing lists the outputs, as our own runs do."""
    demand = {s.name for s in pipeline.stages if isinstance(s, RunStage) and s.kind == DEMAND}
    told = [
        (f"stages.{number}.{field}", text)
        for number, stage in enumerate(pipeline.stages)
        for field, text, _ in references_of(stage)
    ]
    for field, text in (*told, *found_in(pipeline.output, "output")):
        for name in demand.intersection(stages_in(text)):
            raise InvalidRequest(
                f"in a state machine the demand of stage {name} has no result to refer to",
                field=field,
                value=shortened(text),
                mend="name the outputs' place yourself: the demand's output_s3_prefix",
            )


def _ordered(
    order: Order,
    parts: Mapping[str, Part],
    done: tuple[str, ...],
    stages: Mapping[str, AnyStage],
    place: Place,
) -> Part:
    """Return the parts in their order; ``done``: those whose results the document has already."""
    if isinstance(order, str):
        return parts[order]
    if isinstance(order, SideBySide):
        branches = [_ordered(each, parts, done, stages, place) for each in order.parts]
        return _beside(order, branches, done, stages, place)
    found = []
    for part in order.parts:
        found.append(_ordered(part, parts, done, stages, place))
        done = (*done, *_results(names_in(part), stages))
    return chain(*found)


def _beside(
    order: SideBySide,
    branches: list[Part],
    done: tuple[str, ...],
    stages: Mapping[str, AnyStage],
    place: Place,
) -> Part:
    """Return a Parallel state: from each branch those results that were made in it."""
    made = {
        name: number
        for number, part in enumerate(order.parts)
        for name in _results(names_in(part), stages)
    }
    places = {**dict.fromkeys(done, 0), **made}
    results = {name: Expression(f"$[{n}]{at('stages', name)[1:]}") for name, n in places.items()}
    state = {
        "Type": "Parallel",
        "Branches": [closed(branch) for branch in branches],
        "ResultSelector": fields(results),
        "ResultPath": at("stages"),
    }
    return single(place.name("-and-".join(branch.start for branch in branches)), state)


def _results(names: tuple[str, ...], stages: Mapping[str, AnyStage]) -> tuple[str, ...]:
    """Return the members that the stages add to the document's."""
    hooked = [name for name in names if _augments(stages[name])]
    return (*names, *(f"{name}.augment_input" for name in hooked))


def _augments(stage: AnyStage) -> bool:
    return isinstance(stage, RunStage) and stage.status.augment_input is not None


def _conditional(stage: AnyStage, part: Part, place: Place) -> Part:
    """What is left out is done all the same, and without a result."""
    if stage.when is None:
        return part
    rule = {
        "Variable": at("stages", stage.when.choice, "result"),
        "StringEquals": stage.when.branch,
    }
    names = _results((stage.name,), {stage.name: stage})
    left_out = chain(
        *(
            single(
                place.name(f"{name}.left-out"),
                {"Type": "Pass", "Result": {"result": None}, "ResultPath": at("stages", name)},
            )
            for name in names
        )
    )
    return either(place.name(f"{stage.name}.when"), rule, part, left_out)


def _stage(stage: AnyStage, seconds: int | None, place: Place) -> Part:
    match stage:
        case ValueStage():
            told = {"result": looked_up(stage.value)}
            return passing(place.name(stage.name), told, at("stages", stage.name))
        case ChoiceStage():
            return _choice(stage, place)
        case RunStage():
            return run_stage(stage, seconds or stage.timeout_seconds, place)


def _choice(stage: ChoiceStage, place: Place) -> Part:
    name = place.name(stage.name)
    states: dict[str, State] = {}
    passes: dict[str, Part] = {}
    for branch in sorted(stage.branches):
        state = {"Type": "Pass", "Result": {"result": branch},
                 "ResultPath": at("stages", stage.name)}  # fmt: skip
        passes[branch] = single(place.name(f"{stage.name}.{branch}"), state)
        states |= passes[branch].states
    cases = []
    for number, case in enumerate(stage.cases):
        with at_field(f"cases.{number}.when"):
            _check_paths(case.when)
        cases.append({**case.when, "Next": passes[case.then].start})
    default = {"Default": passes[stage.default].start} if stage.default is not None else {}
    return Part(name, {name: {"Type": "Choice", "Choices": cases, **default}, **states})


def _check_paths(rule: JsonValue) -> None:
    match rule:
        case Mapping():
            for name, value in rule.items():
                is_path = name == "Variable" or name.endswith("Path")
                if is_path and not str(value).startswith("$"):
                    raise InvalidRequest(
                        "a rule of Amazon States Language compares what is at a path",
                        field=name,
                        value=shortened(value),
                        mend="make the value in a stage of kind value, and name its result",
                    )
                _check_paths(value)
        case list():
            for each_rule in rule:
                _check_paths(each_rule)
        case _:
            return


def nested(request: dict[str, Any], place: Place) -> Part:
    """Return a pipeline within the pipeline: a document of its own, in states of its own."""
    body = {key: value for key, value in request.items() if key not in {"kind", "run_id"}}
    if body.pop("options", None):
        raise InvalidRequest(
            "the options of a pipeline within a pipeline are nothing that Step Functions knows",
            field="options",
            mend="leave them out",
        )
    given = looked_up(body.pop("input", None))
    pipeline = parse_document(Pipeline, body)
    check_pipeline(pipeline, KINDS)
    told = {"input": given, "stages": {}, "run": at("run")}
    begin = passing(place.name("begin"), told, "$")
    return chain(begin, pipeline_part(pipeline, Options(), place))
