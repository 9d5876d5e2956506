"""A pipeline's plan: each stage of the document becomes a chain, and the chains are joined."""

from __future__ import annotations

from chalicelib.core.kind_submissions import KindSubmission
from chalicelib.core.options import check_options
from chalicelib.core.pipelines.checks import afters
from chalicelib.core.pipelines.model import (
    AnyStage,
    ChoiceStage,
    Hook,
    Pipeline,
    RunStage,
    ValueStage,
)
from chalicelib.core.plans.combinators import (
    Chain,
    Hooks,
    for_each,
    only_if,
    parallel,
    single,
    with_defaults,
    with_status,
)
from chalicelib.core.plans.functions import kind_plan
from chalicelib.core.plans.plan import Plan, StagePlan
from chalicelib.core.plans.run_actions import Choose, MakeValue, RunsAction
from chalicelib.core.site import Site

OUTPUT = "output"


def plan_pipeline(pipeline: Pipeline, submission: KindSubmission, site: Site) -> Plan:
    """Return the plan of a pipeline that was checked. Raises InvalidRequest for its options."""
    chains: dict[str, Chain] = {}
    after = afters(pipeline)
    for stage in pipeline.stages:
        chains[stage.name] = _chain(stage)
    joined = [
        chains[name].behind(tuple(end for each in after[name] for end in chains[each].last))
        for name in chains
    ]
    whole = parallel(*joined)
    if pipeline.output is not None:
        made = StagePlan(name=OUTPUT, action=MakeValue(value=pipeline.output))
        last = single(made).behind(tuple(stage.name for stage in whole.stages))
        whole = parallel(whole, last)
    names = [stage.name for stage in whole.all()]
    check_options(submission.options, names, [stage.name for stage in whole.closing])
    stages = tuple(_timed(stage, submission) for stage in whole.all())
    plan = kind_plan(submission, stages, site)
    result_from = OUTPUT if pipeline.output is not None else pipeline.stages[-1].name
    request = {**plan.request, "input": pipeline.input}
    return plan.model_copy(update={"request": request, "result_from": result_from})


def _timed(stage: StagePlan, submission: KindSubmission) -> StagePlan:
    seconds = submission.options.stage_timeout(stage.name)
    return stage if seconds is None else stage.model_copy(update={"timeout_seconds": seconds})


def _chain(stage: AnyStage) -> Chain:
    match stage:
        case ChoiceStage():
            action = Choose(cases=stage.cases, default=stage.default)
            chain = single(StagePlan(name=stage.name, action=action))
        case ValueStage():
            chain = single(StagePlan(name=stage.name, action=MakeValue(value=stage.value)))
        case RunStage():
            chain = with_status(_task(stage), _hooks(stage))
    return chain if stage.when is None else only_if(stage.when.choice, stage.when.branch, chain)


def _task(stage: RunStage) -> StagePlan:
    action = RunsAction(
        kind=stage.kind,
        request=stage.request,
        may_fail=stage.may_fail,
        keeps_results=stage.keep_results,
    )
    task = StagePlan(name=stage.name, action=action, timeout_seconds=stage.timeout_seconds)
    task = with_defaults(task, stage.defaults)
    return task if stage.for_each is None else for_each(task, stage.for_each, stage.at_once)


def _hooks(stage: RunStage) -> Hooks:
    status = stage.status
    return Hooks(
        augment_input=_hook(stage, "augment_input", status.augment_input),
        started=_hook(stage, "started", status.started, may_fail=True),
        pre_run=_hook(stage, "pre_run", status.pre_run),
        post_run=_hook(stage, "post_run", status.post_run),
        completed=_hook(stage, "completed", status.completed, may_fail=True),
        failed=_hook(stage, "failed", status.failed, may_fail=True),
    )


def _hook(
    stage: RunStage, name: str, hook: Hook | None, *, may_fail: bool = False
) -> StagePlan | None:
    if hook is None:
        return None
    action = RunsAction(kind=hook.kind, request=hook.request, may_fail=may_fail)
    return StagePlan(name=f"{stage.name}.{name}", action=action)
