"""Documents as state machines: what is in them, and what is refused."""

from __future__ import annotations

import json

import pytest

from chalicelib import kinds
from chalicelib.core.asl.expressions import Marks, at, rebased
from chalicelib.core.asl.machine import state_machine
from chalicelib.core.asl.parts import Names
from chalicelib.core.asl.runs import KINDS
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.limits import STATE_NAME_CHARACTERS
from chalicelib.core.site import Site
from tests.clouds.asl_validator import errors_of
from tests.clouds.node_packages import NoNode

SITE = Site(worker_image="w", fair_share_queues=("fair",), default_tags={"lab": "x"})
SYSTEMS = {
    "shared": {"file_system": "fs-11111111", "access_point": "fsap-11111111"},
    "scratch": {"file_system": "fs-22222222", "access_point": "fsap-22222222"},
}
DEMAND = {
    "execution_type": "t",
    "execution_image": "tool",
    "execution_parameters": {"command": ["true"]},
    "execution_platform": {"aws_batch": {"job_queue_name": "q"}},
}
SYNC = {"source_path": "s3://from/a", "destination_path": "fs-12345678:/b"}
CALL = {"function_name": "f", "payload": {"n": 1}}
REQUESTS = {
    "batch-lambda": {"image": "i", "handler": "h", "payload": {"n": "it's"}, "gpu": 1},
    "batch-executor": {"image": "i", "executor": "e", "payload": "text"},
    "batch-job": {"image": "i", "command": ["a"], "tags": {"x": "y"}},
    "lambda-function": CALL,
    "data-sync": SYNC,
    "data-path-stats": {"path": "s3://from/a"},
    "list-data-paths": {"path": "s3://from/a"},
    "outdated-data-paths": {"path": "fs-12345678:/b"},
    "remove-data-paths": {"paths": ["fs-12345678:/b"]},
    "file-system-cleanup": {"path": "fs-12345678:/b"},
    "demand-execution": {"demand_execution": DEMAND, "file_system_configurations": SYSTEMS},
    "pipeline": {"input": {"x": 1}, "stages": [{"name": "v", "kind": "value", "value": 1}]},
}


def machine(*stages, **fields):
    return state_machine({"kind": "pipeline", "stages": list(stages), **fields}, SITE)


def value(name, told=1, **more):
    return {"name": name, "kind": "value", "value": told, **more}


def ran(kind, request=None, **more):
    return {"name": "r", "kind": kind, "request": request or REQUESTS.get(kind, {}), **more}


def states(found):
    """Yield every state of the machine, and its name."""
    for name, state in found["States"].items():
        yield name, state
        for inner in (*state.get("Branches", ()), state.get("ItemProcessor")):
            if inner:
                yield from states(inner)


def named(found, name):
    return dict(states(found))[name]


CHOICE = {
    "name": "c",
    "kind": "choice",
    "cases": [{"when": {"Variable": "$.input", "IsNull": True}, "then": "x"}],
}
EVERYTHING = (
    value("a", {"x": "$.input", "y": ["$.input", ["$.run.id"]]}),
    value("b", after=["a"]),
    {**ran("batch-lambda"), "after": ["a"], "for_each": "$.input.list", "at_once": 3,
     "may_fail": True, "keep_results": False},
    {**CHOICE, "after": ["b", "r"]},
    {**ran("pipeline", {**REQUESTS["pipeline"], "input": "$.stages.a.result"}), "name": "p",
     "when": {"choice": "c", "branch": "x"}},
    {**ran("lambda-function"), "name": "hooked", "timeout_seconds": 9, "status": {
        name: {"kind": "lambda-function", "request": CALL}
        for name in ("augment_input", "started", "pre_run", "post_run", "completed", "failed")}},
    {**ran("data-sync", {**SYNC, "batch_size_bytes_limit": 5}), "name": "batches"},
    {**ran("data-sync", "$.stages.a.result"), "name": "later"},
)  # fmt: skip


def test_every_kind_of_run_can_be_exported():
    assert set(KINDS) == set(kinds.KINDS) == set(REQUESTS)


def test_a_validator_takes_what_each_kind_becomes():
    alone = [state_machine({"kind": kind, **each}, SITE) for kind, each in REQUESTS.items()]
    check(*alone, *(machine(ran(kind)) for kind in REQUESTS))


def test_a_validator_takes_everything_that_stages_can_be():
    options = {"timeout_seconds": {"run": 60}, "retry_policy": "STAGE"}
    found = machine(*EVERYTHING, output=["$.stages.a.result"], input=[1], options=options)
    check(found)
    assert found["TimeoutSeconds"] == 60
    assert named(found, "hooked.invoke")["TimeoutSeconds"] == 9
    assert named(found, "r")["MaxConcurrency"] == 3
    assert [each["MaxAttempts"] for each in named(found, "r")["Retry"]] == [2]


def check(*machines):
    for found in machines:
        names = [name for name, _ in states(found)]
        assert len(names) == len(set(names))
        assert max(map(len, names)) <= STATE_NAME_CHARACTERS
        assert "\\u0000next" not in json.dumps(found)
    try:
        assert errors_of(*machines) == [[]] * len(machines)
    except NoNode as exc:
        pytest.skip(str(exc))


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("r.put-request", (["S3.S3Exception"], 3, 5, "FULL")),
        ("r.read-response", (["S3.S3Exception"], 3, 5, "FULL")),
        ("r.define-job", (["Batch.BatchException"], 3, 7, "FULL")),
        ("r.invoke", (["Batch.BatchException"], 3, 7, "FULL")),
        ("r.deregister", (["Batch.BatchException"], 3, 7, "FULL")),
        ("r.deregister-after-failure", (["Batch.BatchException"], 3, 7, "FULL")),
    ],
)
def test_every_call_of_a_batch_lambda_has_its_row(name, row):
    (retry,) = named(machine(ran("batch-lambda")), name)["Retry"]
    assert retry["BackoffRate"] == 2
    assert row == (
        retry["ErrorEquals"],
        retry["IntervalSeconds"],
        retry["MaxAttempts"],
        retry["JitterStrategy"],
    )


def test_a_lambda_function_has_its_row_and_no_jitter():
    (retry,) = named(machine(ran("lambda-function")), "r.invoke")["Retry"]
    assert (retry["IntervalSeconds"], retry["MaxAttempts"]) == (2, 6)
    assert len(retry["ErrorEquals"]) == 4
    assert "JitterStrategy" not in retry


def test_a_job_that_fails_is_deregistered_and_fails_as_it_did():
    found = machine(ran("batch-lambda"))
    (catch,) = named(found, "r.invoke")["Catch"]
    assert catch == {"ErrorEquals": ["States.ALL"], "ResultPath": "$.taskResult.submit",
                     "Next": "r.deregister-after-failure"}  # fmt: skip
    assert named(found, "r.deregister-after-failure")["Next"] == "r.deregister-after-failure-done"
    assert named(found, "r.deregister-after-failure-done")["Next"] == "r.failed"
    assert named(found, "r.failed")["ErrorPath"] == "$.taskResult.submit.Error"


def test_the_request_and_the_response_are_where_others_look_for_them():
    found = machine(ran("batch-lambda"))
    template = "scratch/{}/{}/%s.json', $$.Execution.Name, $.taskResult.prep.task_id)"
    put, read = named(found, "r.put-request"), named(found, "r.read-response")
    assert put["Parameters"]["Key.$"] == f"States.Format('{template % 'request'}"
    assert read["Parameters"]["Key.$"] == f"States.Format('{template % 'response'}"
    told = named(found, "r.invoke")["Parameters"]["ContainerOverrides"]["Environment"]
    where = f"States.Format('s3://falsework/{template % 'response'}"
    assert {"Name": "AWS_LAMBDA_EVENT_RESPONSE_LOCATION", "Value.$": where} in told
    assert [each["Name"] for each in told] == sorted(each["Name"] for each in told)


def test_numbers_that_are_looked_up_reach_batch_as_text():
    request = {**REQUESTS["batch-lambda"], "memory": "$.input.memory"}
    told = named(machine(ran("batch-lambda", request)), "r.define-job")["Parameters"]
    asked = told["ContainerProperties"]["ResourceRequirements"]
    assert asked[1]["Value.$"] == "States.Format('{}', $.taskResult.prep.given.memory_0)"


def test_a_state_machine_in_china_calls_the_services_there():
    there = SITE.model_copy(update={"aws_region": "cn-north-1"})
    found = state_machine({"kind": "lambda-function", **CALL}, there)
    resource = named(found, "lambda-function.invoke")["Resource"]
    assert resource == "arn:aws-cn:states:::lambda:invoke"


def test_a_demand_is_tagged_and_cleaned_up_as_4_6_has_it():
    found = machine(ran("demand-execution"))
    submit = named(found, "r.execute")["Parameters"]
    assert submit["PropagateTags"] is True
    path = "$.config.scaffolding.setup_results.batch_args"
    assert submit["ContainerOverrides.$"] == f"{path}.container_overrides"
    assert named(found, "r.setup")["ResultSelector"] == {"batch_args.$": "$[0]"}
    asked = named(found, "r.is-cleaned-up")["Choices"][0]
    assert asked["IsPresent"] is True
    volumes = named(found, "r.scaffolding.define-job")["Parameters"]["ContainerProperties"]
    assert len(volumes["Volumes"]) == len(volumes["MountPoints"]) == 2


def test_a_file_system_is_mounted_over_tls_though_the_wire_does_not_say_so():
    mount = {"file_system": "fs-12345678", "container_path": "/b"}
    request = {**REQUESTS["batch-job"], "mount_point_configs": [mount]}
    told = named(machine(ran("batch-job", request)), "r.define-job")["Parameters"]
    (volume,) = told["ContainerProperties"]["Volumes"]
    assert volume["EfsVolumeConfiguration"]["TransitEncryption"] == "ENABLED"


N = (value("a", after=[]), value("b", after=[]), value("c", after=["a", "b"]),
     value("d", after=["b"]))  # fmt: skip
REFUSED = {
    "an N": (N, {}, "stages"),
    "a request that is looked up": ((ran("batch-lambda", "$.input"),), {}, "stages.0.request"),
    "a name that is looked up": (
        (ran("batch-lambda", {**REQUESTS["batch-lambda"], "name": "$.input.n"}),),
        {},
        "stages.0.request.name",
    ),
    "options of a run": (
        (ran("batch-job", {**REQUESTS["batch-job"], "options": {"max_attempts": 2}}),),
        {},
        "stages.0.request.options",
    ),
    "a limit of many": (
        (ran("lambda-function", for_each="$.input", timeout_seconds=5),),
        {},
        "stages.0.timeout_seconds",
    ),
    "a limit of a pipeline": (
        (ran("pipeline", timeout_seconds=5),),
        {},
        "stages.0.request.timeout_seconds",
    ),
    "a fair share queue": (
        (ran("batch-job", {**REQUESTS["batch-job"], "job_queue": "fair"}),),
        {},
        "stages.0.request.job_queue",
    ),
    "privilege": (
        (ran("batch-job", {**REQUESTS["batch-job"], "privileged": True}),),
        {},
        "stages.0.request.privileged",
    ),
    "a demand without file systems": (
        (ran("demand-execution", DEMAND),),
        {},
        "stages.0.request.file_system_configurations",
    ),
    "a demand's result": (
        (ran("demand-execution"), value("v", "$.stages.r.result.outputs")),
        {},
        "stages.1.value",
    ),
    "a rule over a function": (
        ({**CHOICE, "cases": [{"when": {"Variable": "States.UUID()", "IsNull": True},
          "then": "x"}]}, value("v", when={"choice": "c", "branch": "x"})),
        {},
        "stages.0.cases.0.when.Variable",
    ),
    "a budget of attempts": (
        (value("a"),),
        {"options": {"retry_policy": "GLOBAL", "max_attempts": 5}},
        "options.retry_policy",
    ),
    "a wait for a host": (
        (value("a"),),
        {"options": {"queue_wait_timeout_seconds": 5}},
        "options.queue_wait_timeout_seconds",
    ),
    "a key of States": (
        (ran("batch-job", {**REQUESTS["batch-job"], "tags": {"x.$": "y"}}),),
        {},
        "stages.0.request.tags.x",
    ),
    "an unknown kind": ((ran("magic"),), {}, "stages.0.kind"),
    "too much": ((value("a", "x" * 2_000_000),), {}, "stages"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_said_is_refused_where_it_stands(name):
    stages, fields, field = REFUSED[name]
    with pytest.raises(InvalidRequest) as refused:
        machine(*stages, **fields)
    assert refused.value.field == field
    assert refused.value.mend


def test_a_text_of_a_single_request_that_would_be_looked_up_is_refused():
    with pytest.raises(InvalidRequest) as refused:
        state_machine({"kind": "batch-job", "image": "i", "environment": {"A": "$.x"}}, SITE)
    assert refused.value.field == "environment.A"


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("$", "$.input"),
        ("$.a[0]", "$.input.a[0]"),
        ("$$.Execution.Name", "$$.Execution.Name"),
        ("States.Format('$.{}', $['a'])", "States.Format('$.{}', $.input['a'])"),
    ],
)
def test_a_path_is_read_below_another_place(expression, found):
    assert rebased(expression, "$.input") == found


def test_marks_are_replaced_wherever_they_have_come_to_stand():
    marks = Marks("a document")
    one, two = marks.mark("$.a"), marks.mark("$.b", 36)
    assert len(two) == 36
    written = marks.written({"x": one, "y": [f"it's {one}/{two}"], "z": 1, "n": None})
    assert written == {"x": "$.a", "y": ["States.Format('it\\'s {}/{}', $.a, $.b)"], "z": 1,
                       "n": None}  # fmt: skip
    assert marks.as_text(one) == "States.Format('{}', $.a)"
    assert marks.as_text("5") == "5"


def test_no_mark_stands_in_the_document_already():
    taken = Marks("").mark("$.a")
    assert not Marks(f"taken: {taken}").mark("$.a").startswith(taken[:6])


def test_names_of_states_are_short_and_nobody_elses():
    names = Names()
    long = "x" * 200
    taken = [names.take(text) for text in ("a", "a", long, long)]
    assert taken[0] == "a"
    assert len(set(taken)) == 4
    assert max(map(len, taken)) <= STATE_NAME_CHARACTERS


def test_a_path_is_quoted_where_it_has_to_be():
    assert at("stages", "a-b", "result") == "$.stages['a-b'].result"
