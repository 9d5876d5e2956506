"""An embedded home with something of everything in it, under names that are known beforehand."""

from __future__ import annotations

from chalicelib.core.plans.plan import NoAction, Plan, StagePlan
from chalicelib.core.run import RunError, RunState, Stage, StageStatus
from chalicelib.core.site import Site
from chalicelib.works import buckets, results
from tests.flow.test_run_management import made
from tests.unit.flowserv.values import AT

GROUP, WORKFLOW, PIPELINE, FILE_KEY = "lab", "align", "pulsar-search", "out/m.json"
SCHEMA = {"file": FILE_KEY, "schema": [{"name": "auc", "label": "AUC", "dtype": "float"}]}
TEMPLATE = {
    "execution_type": "test",
    "execution_image": "none",
    "execution_parameters": {"command": ["true"]},
    "execution_platform": {"aws_batch": {"job_queue_name": "default"}},
}
SITE = Site.model_validate(
    {
        "result_schemas": {GROUP: SCHEMA},
        "workflows": {WORKFLOW: {"template": TEMPLATE, "result_schema": SCHEMA}},
        "group_workflows": {GROUP: WORKFLOW},
    }
)
STATES = tuple(RunState)
SEEN = tuple(f"seen-{state.lower()}" for state in STATES)
"""They have not settled, so nobody can delete them."""
SUCCESSFUL = f"seen-{RunState.SUCCESS.lower()}"
CHANGED = tuple(f"changed-{state.lower()}-{number}" for state in STATES for number in range(3))
PLAN = Plan(stages=(StagePlan(name="execute", action=NoAction()),))
WORK = {"pipeline": PIPELINE, "site": "local", "user": "ann", "command": ["true"]}
RESULT = {**WORK, "id": "0" * 24, "status": "success", "results": {"snr": 12.5}}


def populate(home):
    """Put it all in."""
    for run_id, state in zip(SEEN, STATES, strict=True):
        _save(home, run_id, state, settled_at=None)
    for run_id in CHANGED:
        _save(home, run_id, RunState[run_id.split("-")[1].upper()])
    buckets.deposit([WORK] * 5, home.works, AT)
    results.deposit_results([RESULT], home.works)


def _save(home, run_id, state, **fields):
    stage = Stage(task_id=run_id, stage_name="execute", status=StageStatus.CREATED)
    failed = RunError(stage="execute", cause="exit", message="it fell")
    made(
        home,
        run_id,
        {"m.json": b'{"auc": 0.5}', "a.txt": b"0123456789"},
        state=state,
        group=GROUP,
        stages=(stage,),
        plan=PLAN,
        error=failed if state is RunState.ERROR else None,
        **fields,
    )
