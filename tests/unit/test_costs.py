"""What runs cost: seconds of what their jobs asked for, at the site's prices."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.core.commands import StopReason
from chalicelib.core.costs import brief, cost_of, with_children
from chalicelib.core.job_state import SUCCEEDED, ChildTimes, JobState, JobStatus
from chalicelib.core.moved_bytes import GIB
from chalicelib.core.plans.plan import DefineJobs, JobAction
from chalicelib.core.prices import MachinePrices, Prices
from chalicelib.core.run import HistoryEntry, Run, RunState, Stage, StageStatus
from tests.unit import runs

PLAIN = Prices(
    as_of="a test",
    queues={
        "*": MachinePrices(vcpu_hour=3600, memory_gib_hour=0, gpu_hour=0),
        "*spot*": MachinePrices(vcpu_hour=360, memory_gib_hour=0, gpu_hour=0, is_spot=True),
    },
    efs_written_gib=2,
    efs_read_gib=1,
    s3_thousand_puts=1000,
    s3_thousand_gets=100,
)
"""A vCPU costs one a second, on Spot a tenth of it."""
NEEDS = ({"type": "VCPU", "value": "2"}, {"type": "MEMORY", "value": "512"})


def a_job(serial: int, *, stage: str = "execute", seconds: float = 10, **told: Any) -> JobState:
    started_at = runs.at(100 * serial)
    given: dict[str, Any] = {
        "stage": stage,
        "serial": serial,
        "attempt": 1,
        "name": f"n{serial}",
        "queue": "default",
        "submit_started_at": runs.at(100 * serial - 5),
        "job_id": f"j{serial}",
        "status": JobStatus.SUCCEEDED,
        "started_at": started_at,
        "stopped_at": started_at + timedelta(seconds=seconds),
        **told,
    }
    return JobState.model_validate(given)


def a_run(*jobs: JobState, **told: Any) -> Run:
    plan = runs.a_plan()
    stages = tuple(
        stage.model_copy(update={"action": _with_needs(stage.action)})
        if isinstance(stage.action, JobAction)
        else stage
        for stage in plan.stages
    )
    states = [
        Stage(stage_name=stage.name, status=StageStatus.COMPLETE, attempts=1) for stage in stages
    ]
    given = {
        "id": "r1",
        "uid": runs.UID,
        "kind": "demand-execution",
        "state": RunState.SUCCESS,
        "created_at": runs.START,
        "settled_at": runs.at(1000),
        "serial": len(jobs),
        "stages": tuple(states),
        "jobs": jobs,
        "plan": plan.model_copy(update={"stages": stages}),
        **told,
    }
    return Run.model_validate(given)


def _with_needs(action: JobAction) -> JobAction:
    preparation = runs.worker("again").model_copy(
        update={"resource_requirements": ({"type": "VCPU", "value": "1"},)}
    )
    return action.model_copy(update={"resource_requirements": NEEDS, "preparation": preparation})


def cost(run: Run, prices: Prices = PLAIN, seconds: float = 5000):
    return cost_of(run, prices, runs.at(seconds))


FAILED = {"status": JobStatus.FAILED, "exit_code": 1}
RECLAIMED = {"status": JobStatus.FAILED, "reason": "Host EC2 (instance i-1) terminated."}


def test_a_job_costs_what_it_asked_for_as_long_as_it_ran():
    told = cost(a_run(a_job(1)))
    assert told.used.vcpu_seconds == 20
    assert told.used.memory_gib_seconds == 5
    assert told.amount == 20
    assert told.stages == {"execute": told.used}
    assert told.is_final
    assert brief(told) == {"amount": 20, "currency": "USD", "is_final": True}


@pytest.mark.parametrize(
    ("queue", "amount"),
    [
        pytest.param("default", 20, id="any-other-queue"),
        pytest.param("falsework-dev-spot", 2, id="by-its-name"),
        pytest.param(
            "arn:aws:batch:us-east-1:000000000000:job-queue/falsework-dev-spot", 2, id="by-its-arn"
        ),
    ],
)
def test_each_queue_has_its_machines_prices(queue, amount):
    assert cost(a_run(a_job(1, queue=queue))).amount == amount


def test_machines_of_an_unknown_queue_cost_nothing():
    prices = Prices(queues={"mine": MachinePrices()})
    told = cost(a_run(a_job(1)), prices)
    assert (told.amount, told.used.vcpu_seconds) == (0, 20)


@pytest.mark.parametrize(
    ("job", "retries", "interruptions"),
    [
        pytest.param(a_job(1), 0, 0, id="it-worked"),
        pytest.param(a_job(1, **FAILED), 20, 0, id="the-command-failed"),
        pytest.param(a_job(1, **RECLAIMED), 0, 20, id="Spot-took-it"),
        pytest.param(a_job(1, is_preparation=True), 10, 0, id="clearing-the-ground"),
        pytest.param(a_job(1, is_own=False), 20, 0, id="a-second-job-of-the-name"),
    ],
)
def test_what_was_in_vain_is_told_apart_and_is_part_of_the_whole(job, retries, interruptions):
    told = cost(a_run(job, a_job(2)))
    assert told.wasted.retries.amount == retries
    assert told.wasted.interruptions.amount == interruptions
    assert told.amount == 20 + (10 if job.is_preparation else 20)


def test_what_a_user_cancelled_was_not_wasted():
    stopped = a_job(1, status=JobStatus.FAILED, reason=str(StopReason.CANCELED), exit_code=137)
    run = a_run(stopped)
    stages = tuple(
        stage.model_copy(update={"status": StageStatus.CANCELED})
        if stage.stage_name == "execute"
        else stage
        for stage in run.stages
    )
    told = cost(run.model_copy(update={"stages": stages, "state": RunState.CANCELED}))
    assert (told.amount, told.wasted.retries.amount) == (20, 0)


@pytest.mark.parametrize(
    ("reason", "is_own", "status", "wasted"),
    [
        (StopReason.CANCELED, True, StageStatus.COMPLETE, 0),
        (StopReason.CANCELED, False, StageStatus.CANCELED, 20),
        (StopReason.STAGE_ENDED, True, StageStatus.COMPLETE, 20),
        (StopReason.STAGE_ENDED, True, StageStatus.CANCELED, 0),
    ],
    ids=["in another life", "an extra copy", "its stage failed", "its stage was cancelled"],
)
def test_a_job_that_was_stopped_was_wasted_unless_its_user_wanted_it_no_more(
    reason, is_own, status, wasted
):
    job = a_job(1, status=JobStatus.FAILED, reason=str(reason), is_own=is_own)
    run = a_run(job)
    stages = tuple(stage.model_copy(update={"status": status}) for stage in run.stages)
    told = cost(run.model_copy(update={"stages": stages}))
    assert told.wasted.retries.amount == wasted


def test_a_job_that_runs_is_charged_until_now():
    running = a_job(1, status=JobStatus.RUNNING, stopped_at=None)
    told = cost(a_run(running, settled_at=None), seconds=130)
    assert (told.amount, told.is_final) == (60, False)


def test_bytes_are_counted_where_a_stage_tells_of_them():
    run = a_run()
    staged = {"params": {"a": {"files": 9, "copied_files": 2, "copied_bytes": 3 * GIB}}}
    stages = tuple(
        stage.model_copy(update={"result": staged}) if stage.stage_name == "stage-in" else stage
        for stage in run.stages
    )
    outputs = {"out": {"uri": "s3://b/k", "manifest": "m", "files": 4, "bytes": 5 * GIB}}
    told = cost(run.model_copy(update={"stages": stages, "outputs": outputs})).moved
    assert told.efs_written_bytes == 3 * GIB
    assert told.efs_read_bytes == 5 * GIB
    assert told.amount == 3 * 2 + 5 * 1 + 4 * 1 + 2 * 0.1


@pytest.mark.parametrize(
    ("destination", "amount"),
    [
        pytest.param("s3://bucket/key", 2 * 1 + 3 * 1, id="to-S3"),
        pytest.param("fs-1:/a", 2 * 2 + 3 * 0.1, id="to-EFS"),
    ],
)
def test_a_sync_is_charged_for_the_way_it_went(destination, amount):
    told = {"files_transferred": 3, "bytes_transferred": 2 * GIB}
    result = {"request": {"destination_path": destination}, "result": told}
    run = a_run()
    stages = (run.stages[0].model_copy(update={"result": result}), *run.stages[1:])
    assert cost(run.model_copy(update={"stages": stages})).moved.amount == pytest.approx(amount)


@pytest.mark.parametrize(
    "result",
    [None, 7, [], {"params": 7}, {"params": {"a": {"copied_bytes": "x"}}}, {"result": {}}],
    ids=str,
)
def test_a_result_that_tells_of_no_bytes_costs_nothing(result):
    run = a_run()
    stages = (run.stages[0].model_copy(update={"result": result}), *run.stages[1:])
    assert cost(run.model_copy(update={"stages": stages})).moved.amount == 0


def with_action(run: Run, name: str, action: object) -> Run:
    stages = tuple(
        stage.model_copy(update={"action": action}) if stage.name == name else stage
        for stage in run.plan.stages
    )
    return run.model_copy(update={"plan": run.plan.model_copy(update={"stages": stages})})


@pytest.mark.parametrize(
    ("children", "vcpu_seconds"),
    [(None, 10 * 2), (1, 10 * 8), (2, 30 * 8)],
    ids=["whole", "one batch", "two batches"],
)
def test_batches_are_charged_for_what_they_ask_for_and_not_for_what_divided_them(
    children, vcpu_seconds
):
    times = ChildTimes(next=2, known=2, seconds={SUCCEEDED: 30})
    run = a_run(a_job(1, stage="stage-in", children=children, child_times=times))
    batches = runs.worker("b").model_copy(
        update={"resource_requirements": ({"type": "VCPU", "value": "8"},)}
    )
    dividing = run.plan.stage("stage-in").action.model_copy(update={"fan_out": batches})
    assert cost(with_action(run, "stage-in", dividing)).used.vcpu_seconds == vcpu_seconds


@pytest.mark.parametrize(
    ("own", "gpus"),
    [((), 4), (({"type": "GPU", "value": "1"},), 1), (({"type": "GPU", "value": "x"},), 4)],
    ids=["nothing", "less", "no number"],
)
def test_what_a_job_does_not_say_is_what_its_definition_asks_for(own, gpus):
    run = a_run(a_job(1))
    defined = run.plan.stage("define-jobs").action.definitions
    user = defined["user"].model_copy(
        update={"resource_requirements": ({"type": "GPU", "value": "4"},)}
    )
    others = DefineJobs(definitions={"worker": defined["worker"]})
    run = with_action(run, "scaffold", others)
    run = with_action(run, "define-jobs", DefineJobs(definitions={"user": user}))
    action = run.plan.stage("execute").action
    run = with_action(run, "execute", action.model_copy(update={"resource_requirements": own}))
    assert cost(run).used.gpu_seconds == 10 * gpus


def test_what_a_run_cannot_know_is_named_and_not_guessed():
    array = a_job(2, stage="stage-in", children=40)
    told = cost(a_run(array, serial=5))
    assert told.amount == 0
    assert told.not_counted == (
        "stage-in: 40 of the 40 children of array n2, whose times nobody knows",
        "4 submissions that the run no longer lists, or that never became jobs",
    )


def an_array(known: int = 40, **told: Any) -> JobState:
    """Its own times are another thing than its children's."""
    seconds = {SUCCEEDED: 300.0, "user": 20.0, "infrastructure": 7.0}
    times = ChildTimes(next=40, known=known, seconds=seconds)
    given = {"stage": "stage-in", "children": 40, "child_times": times, **told}
    return a_job(1, seconds=999, **given)


def test_the_children_of_an_array_cost_as_long_as_each_of_them_ran():
    told = cost(a_run(an_array()))
    assert told.used.vcpu_seconds == 2 * 327
    assert told.stages["stage-in"].amount == 2 * 327
    assert told.wasted.retries.amount == 2 * 20
    assert told.wasted.interruptions.amount == 2 * 7
    assert told.not_counted == ()
    assert told.is_final


@pytest.mark.parametrize(
    ("array", "check_at", "is_final", "why"),
    [
        pytest.param(
            a_job(1, children=40, status=JobStatus.RUNNING, stopped_at=None, started_at=None),
            None, False, "the 40 children of array n1, until all of them have ended", id="it runs",
        ),
        pytest.param(
            an_array(child_times=ChildTimes(next=30, known=30)), runs.at(2000), False,
            "10 of the 40 children of array n1, which are still looked at", id="half looked at",
        ),
        pytest.param(
            an_array(child_times=None), None, True,
            "40 of the 40 children of array n1, whose times nobody knows", id="an earlier version",
        ),
        pytest.param(
            an_array(known=38), None, True,
            "2 of the 40 children of array n1, whose times nobody knows", id="forgotten by Batch",
        ),
    ],
)  # fmt: skip
def test_children_that_nobody_has_counted_are_told_with_the_reason(array, check_at, is_final, why):
    settled_at = runs.at(1000) if array.has_ended else None
    told = cost(a_run(array, settled_at=settled_at, next_check_at=check_at))
    assert why in told.not_counted[0]
    assert told.is_final is is_final


def test_an_array_that_never_was_there_had_no_children():
    lost = an_array(child_times=None, status=None, job_id=None, is_absent=True, is_own=False)
    assert not [each for each in cost(a_run(lost)).not_counted if "children" in each]


def test_children_that_a_user_cancelled_were_not_wasted():
    times = ChildTimes(next=40, known=40, seconds={"canceled": 10.0})
    array = an_array(child_times=times, status=JobStatus.FAILED, reason=str(StopReason.CANCELED))
    told = cost(a_run(array))
    assert (told.amount, told.wasted.retries.amount) == (20, 0)


def test_what_a_user_cancelled_and_resumed_later_was_not_wasted_either():
    stopped = a_job(1, status=JobStatus.FAILED, reason=str(StopReason.CANCELED), exit_code=137)
    told = cost(a_run(stopped, a_job(2, generation=2), generation=2))
    assert (told.amount, told.wasted.retries.amount) == (40, 0)


def test_bytes_of_earlier_attempts_are_said_to_be_missing():
    run = a_run()
    entry = HistoryEntry(
        attempt=1, begin_status="CREATED", end_status="RETRY", begin_ts="", end_ts="",
        message="", run_time_seconds=1,
    )  # fmt: skip
    last = entry.model_copy(update={"attempt": 2, "end_status": StageStatus.COMPLETE})
    stages = tuple(
        stage.model_copy(update={"history": (entry, last), "attempts": 2})
        if stage.stage_name in {"stage-in", "execute"}
        else stage.model_copy(update={"history": (last,)})
        for stage in run.stages
    )
    assert cost(run.model_copy(update={"stages": stages})).not_counted == (
        "stage-in: the bytes that attempts before the last one moved",
    )


def test_the_runs_that_a_run_has_started_are_added_up_beside_it():
    own = cost(a_run(a_job(1)))
    failed = cost(a_run(a_job(1, **FAILED), settled_at=None))
    told = with_children(own, [own, failed], is_whole=True)
    assert (told.amount, told.total) == (20, 60)
    assert told.children.runs == 2
    assert told.children.amount == 40
    assert told.children.wasted.retries.amount == 20
    assert (told.is_final, told.children.is_final) == (True, False)
    assert not with_children(own, [own], is_whole=False).children.is_final


def test_a_job_that_names_no_resources_is_said_to_be_missing():
    run = a_run(a_job(1, stage="stage-in"))
    bare = runs.a_plan()
    assert cost(run.model_copy(update={"plan": bare})).not_counted == (
        "stage-in: its job names no resources",
    )


def test_the_default_prices_are_those_of_a_machine_taken_apart():
    machine = Prices().of_queue("anything")
    assert 4 * machine.vcpu_hour + 16 * machine.memory_gib_hour == pytest.approx(0.192)
    assert 4 * machine.vcpu_hour + 8 * machine.memory_gib_hour == pytest.approx(0.17)
    spot = Prices().of_queue("falsework-dev-spot")
    assert spot.is_spot
    assert spot.vcpu_hour < machine.vcpu_hour
