"""State machines in moto's interpreter come to what the same documents come to in our engine."""

from __future__ import annotations

import copy

import pytest

from chalicelib import bootstrap, kinds
from chalicelib.core.asl.machine import state_machine
from chalicelib.core.states.failures import failure_of, output_of
from chalicelib.local.folders import OWN_FILE_SYSTEM_ID as FS
from tests.clouds.step_functions import step_functions
from tests.flow.test_data_sync_runs import Home

HANDLERS = "aibs_informatics_aws_lambda.handlers.data_sync."
LIST = f"{HANDLERS}list_data_paths_handler"
STATS = f"{HANDLERS}get_data_path_stats_handler"
INPUT = {
    "n": 3,
    "names": ["one", "two", "three"],
    "rows": [{"Value": 0, "at": "a"}, {"Value": 2, "at": "b"}],
    "path": "s3://bucket/in/",
    "text": "it is {a} text",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("asl")
    yield Home(folder)
    bootstrap.use(bootstrap.settings().model_copy(update={"root": folder / "gone"}))


@pytest.fixture(scope="module")
def states(home):
    """What is told of one machine is not told of another: each execution has its own objects."""
    with step_functions(home.root, lambda *call: home.home.ports.functions.invoke(*call, "t")) as (
        lent
    ):
        yield lent


def value(name, told, **more):
    return {"name": name, "kind": "value", "value": told, **more}


def call(name, payload, function=LIST, **more):
    request = {"function_name": function, "payload": payload}
    return {"name": name, "kind": "lambda-function", "request": request, **more}


def pipeline(*stages, **fields):
    return {"kind": "pipeline", "input": INPUT, "stages": list(stages), **fields}


def function(payload, **more):
    return {"kind": "batch-lambda", "image": "falsework-worker", "handler": LIST,
            "payload": payload, **more}  # fmt: skip


def shell(script, payload=1, **more):
    place = 'F="$FALSEWORK_ROOT/s3/${AWS_LAMBDA_EVENT_RESPONSE_LOCATION#s3://}"; '
    return function(payload, image="ghcr.io/lab/tool:1", handler="tool.main",
                    command=["/bin/sh", "-ec", f"{place}{script}"], **more)  # fmt: skip


def chosen(number):
    rule = {"Variable": "$.input.n", "NumericEquals": number}
    return {"name": "which", "kind": "choice", "cases": [{"when": rule, "then": "three"}],
            "default": "other"}  # fmt: skip


def when(branch):
    return {"choice": "which", "branch": branch}


DOCUMENTS = {
    "one value": pipeline(
        value("v", {"a": "$.input.n", "b": ["$.input.n", ["$.input.names[1]"]]})
    ),
    "the last result": pipeline(value("v", 1), value("w", None)),
    "an output": pipeline(
        value("v", "$.input.rows"), output={"at": "$.stages.v.result[0]", "x": ["y"]}
    ),
    "functions of States": pipeline(
        value("a", "States.Format('{}-{}', $.input.n, $.run.group)"),
        value("b", "States.JsonMerge($.input.rows[0], $.input.rows[1], false)"),
        value("c", ["States.ArrayGetItem($.input.names, 2)", "$.stages.a.result"]),
        value("d", "$.input.rows[?(@.Value != 0 && @.Value != '0')]"),
        output={"a": "$.stages.a.result", "b": "$.stages.b.result", "c": "$.stages.c.result",
                "d": "$.stages.d.result"},
    ),
    "the branch that holds": pipeline(
        chosen(3), value("yes", 1, when=when("three")), value("no", 2, when=when("other"),
        after=["which"]), value("end", ["$.stages.yes.result", "$.stages.no.result",
        "$.stages.which.result"], after=["yes", "no"]),
    ),
    "the branch that is left": pipeline(
        chosen(4), value("yes", 1, when=when("three")), value("no", 2, when=when("other"),
        after=["which"]), value("end", ["$.stages.yes.result", "$.stages.no.result",
        "$.stages.which.result"], after=["yes", "no"]),
    ),
    "side by side": pipeline(
        value("a", 1), value("b-1", 2, after=["a"]), value("c", "$.stages.a.result", after=["a"]),
        value("d", "$.stages.c.result", after=["c"]), value("e", 5, after=[]),
        value("f", ["$.stages.a.result", "$.stages['b-1'].result", "$.stages.d.result",
                    "$.stages.e.result"], after=["b-1", "d", "e"]),
    ),
    "a function": pipeline(call("list", {"path": "$.input.path"})),
    "a function for each": pipeline(
        value("paths", ["s3://bucket/in/", "s3://bucket/other/"]),
        call("list", {"path": "$.item"}, for_each="$.stages.paths.result", at_once=1),
    ),
    "each item and its place": pipeline(
        {"name": "n", "kind": "pipeline", "for_each": "$.input.names",
         "request": {"input": ["$.item", "$.index"], "stages": [value("v", "$.input")]}},
    ),
    "no items": pipeline(value("none", []), call("list", {}, for_each="$.stages.none.result")),
    "results that are not kept": pipeline(call("list", {"path": "$.input.path"},
                                               keep_results=False)),
    "a failure that may be": pipeline(
        call("list", {"no": "path"}, may_fail=True), value("on", "$.stages.list.result.Error"),
    ),
    "a pipeline in a pipeline": pipeline(
        value("a", 7), {"name": "in", "kind": "pipeline", "request": {
            "input": "$.stages.a.result", "stages": [value("a", ["$.input", "$.run.group"])],
            "output": {"x": "$.stages.a.result"}}},
    ),
    "hooks around a task": pipeline(
        call("list", {"path": "$.stages['list.augment_input'].result"}, status={
            "augment_input": {"kind": "pipeline", "request": {
                "input": "$.input.path", "stages": [value("v", "$.input")]}},
            "started": {"kind": "lambda-function", "request": {"function_name": "nobody"}},
            "pre_run": {"kind": "lambda-function", "request": {
                "function_name": LIST, "payload": {"path": "$.input.path"}}},
            "completed": {"kind": "lambda-function", "request": {
                "function_name": "nobody", "payload": "$.stages.list.result"}},
        }),
        output="$.stages.list.result",
    ),
    "a handler as a job": pipeline(
        {"name": "list", "kind": "batch-lambda", "request": {
            "image": "falsework-worker", "handler": LIST, "payload": {"path": "$.input.path"}}},
        value("n", "$.stages.list.result.paths[0]"),
    ),
    "a job with what was found": pipeline(
        value("v", {"word": "hello", "memory": 512}),
        {"name": "j", "kind": "batch-lambda", "request": {
            **shell('printf \'{"is": "%s"}\' "$WORD" > "$F"', environment={
                "WORD": "$.stages.v.result.word"}),
            "memory": "$.stages.v.result.memory", "payload": "$.stages.v.result"}},
    ),
    "a handler": function({"path": "s3://bucket/in/"}),
    "a handler that the payload names": function(
        {"path": "s3://bucket/in/", "which": "list"},
        handler=f"States.Format('{HANDLERS}{{}}_data_paths_handler', $.which)",
    ),
    "a part of a payload": function({"in": {"path": "s3://bucket/in/"}}, payload_path="$.in"),
    "a text as payload": shell(
        'cp "$FALSEWORK_ROOT/s3/${AWS_LAMBDA_EVENT_PAYLOAD#s3://}" "$F"', "[1, 2]"
    ),
    "a Lambda function": {"kind": "lambda-function", "function_name": STATS,
                          "payload": {"path": f"{FS}:/scratch/"}},
    "statistics": {"kind": "data-path-stats", "path": "s3://bucket/in/"},
    "a list": {"kind": "list-data-paths", "path": "s3://bucket/in/"},
    "outdated": {"kind": "outdated-data-paths", "path": f"{FS}:/scratch",
                 "days_since_last_accessed": 0},
    "a sync": {"kind": "data-sync", "source_path": "s3://bucket/in/",
               "destination_path": f"{FS}:/sync/one", "include_detailed_response": True},
    "a clean-up": {"kind": "file-system-cleanup", "path": f"{FS}:/scratch",
                   "days_since_last_accessed": 0, "min_depth": 1, "max_depth": 1},
    "syncs that are looked up": pipeline(
        {"name": "sync", "kind": "data-sync", "for_each": "$.input.names", "keep_results": False,
         "request": {"source_path": "$.input.path",
                     "destination_path": f"States.Format('{FS}:/sync/{{}}', $.item)"}},
        {"name": "stats", "kind": "data-path-stats", "request": {"path": f"{FS}:/sync"}},
        output="$.stages.stats.result.path_stats.object_count",
    ),
    "removal": {"kind": "remove-data-paths", "paths": [f"{FS}:/scratch/x"]},
}  # fmt: skip


SAMPLE = [
    name if place % 3 == 0 else pytest.param(name, marks=pytest.mark.campaign)
    for place, name in enumerate(DOCUMENTS)
]
"""Both ways take seconds: the campaign takes all of them."""


@pytest.mark.parametrize("name", SAMPLE)
def test_a_state_machine_comes_to_what_our_own_run_comes_to(home, states, name):
    document = DOCUMENTS[name]
    fill(home)
    machine = state_machine(copy.deepcopy(document), home.home.ports.site)
    run = home.drive(started(document, home).id)
    assert failure_of(run) is None, run.error
    fill(home)
    ended = states.run(machine)
    assert (ended.status, ended.error, ended.cause) == ("SUCCEEDED", None, None)
    assert told(ended.output) == told(output_of(run))


def test_a_sync_in_batches_brings_the_files_and_tells_of_the_batches(home, states):
    fill(home)
    request = {"source_path": "s3://bucket/in/", "destination_path": f"{FS}:/sync/batches",
               "batch_size_bytes_limit": 8}  # fmt: skip
    ended = states.run(state_machine({"kind": "data-sync", **request}, home.home.ports.site))
    assert ended.status == "SUCCEEDED", ended
    assert ended.output["request"] == request
    made = ended.output["tasks"]["prep-batch-data-sync-requests"]["response"]["requests"]
    assert len(made) == 2
    assert home.there("efs", "sync/batches") == {"a": "12345678", "x/b": "12345678"}


def test_a_batch_job_tells_which_it_was_and_leaves_no_definition(home, states):
    request = {"image": "ghcr.io/lab/tool:1", "command": ["/bin/sh", "-c", 'test "$A" = 5'],
               "environment": {"A": "5"}, "job_name": "mine"}  # fmt: skip
    before = active(states)
    ended = states.run(state_machine({"kind": "batch-job", **request}, home.home.ports.site))
    assert ended.status == "SUCCEEDED", ended
    run = home.drive(started({"kind": "batch-job", **request}, home).id)
    assert ended.output.keys() == output_of(run).keys() == {"JobName", "JobId", "JobArn"}
    assert active(states) == before


def active(states):
    found = states.batch.describe_job_definitions(status="ACTIVE")["jobDefinitions"]
    return [each["jobDefinitionName"] for each in found]


FAILURES = {
    "a function that raises": {"kind": "lambda-function", "function_name": LIST,
                               "payload": {"no": "path"}},
    "a job that fails": shell("exit 3"),
    "a job that fails within": pipeline(
        {"name": "in", "kind": "pipeline", "request": {"stages": [
            {"name": "j", "kind": "batch-lambda", "request": shell("exit 3")}]}}
    ),
    "one of many": pipeline(
        {"name": "j", "kind": "batch-lambda", "for_each": "$.input.names",
         "request": shell('test "$N" = one && echo 1 > "$F"', environment={"N": "$.item"})}
    ),
    "no branch": pipeline(chosen(4) | {"default": None}, value("v", 1, when=when("three"))),
}  # fmt: skip


ITERATIONS_ENDED = {"one of many": 2}


@pytest.mark.parametrize("name", FAILURES)
def test_a_state_machine_fails_of_what_our_own_run_fails_of(home, states, name):
    document = FAILURES[name]
    run = home.drive(started(document, home).id)
    before = len(active(states))
    ended = states.run(state_machine(copy.deepcopy(document), home.home.ports.site))
    assert ended.status == "FAILED"
    ours = failure_of(run)
    assert ours is not None
    # moto knows no States.NoChoiceMatched.
    assert ended.error == {"no branch": "States.Runtime"}.get(name, ours.Error)
    # A Map that fails ends its other iterations, even between define-job and deregister.
    assert len(active(states)) <= before + ITERATIONS_ENDED.get(name, 0)


def test_a_failed_hook_is_run_and_the_failure_stays_what_it_was(home, states):
    note = {"kind": "lambda-function", "request": {"function_name": LIST, "payload": "$.error"}}
    document = pipeline(call("list", {"no": "path"}, status={"failed": note}))
    ended = states.run(state_machine(document, home.home.ports.site))
    assert (ended.status, ended.error) == ("FAILED", "InvalidRequest")
    assert "list.failed.invoke" in ended.visited


def test_an_execution_may_bring_an_input_of_its_own(home, states):
    machine = state_machine(pipeline(value("v", "$.input.n")), home.home.ports.site)
    assert states.run(machine).output == 3
    assert states.run(machine, {"input": {"n": "other"}}).output == "other"


def test_a_stage_is_tried_again_as_often_as_the_options_say(home, states):
    document = pipeline(call("list", {"no": "path"}), options={"max_attempts": 2})
    ended = states.run(state_machine(document, home.home.ports.site))
    assert ended.visited.count("list.invoke") == 2


def fill(home):
    for kind, name in (("s3", "in"), ("s3", "other"), ("efs", "scratch")):
        home.fill(kind, name, "a", "x/b")


def started(document, home):
    ports = home.home.ports
    if document["kind"] == "pipeline":
        return kinds.submit_pipeline(copy.deepcopy(document), kinds.connected(ports))
    body = {key: value for key, value in document.items() if key != "kind"}
    return kinds.start(document["kind"], copy.deepcopy(body), ports)


def told(output):
    """The output without the moment at which it was made."""
    if isinstance(output, dict):
        return {key: told(each) for key, each in output.items() if key != "last_accessed"}
    return [told(each) for each in output] if isinstance(output, list) else output
