"""From a template and arguments to a demand; what a run says that was made so."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from chalicelib.core.errors import InvalidRequest
from chalicelib.core.flowserv.demands import Asked, Filling, demand_of, filling_of, with_runs
from chalicelib.core.flowserv.files import RunFile, kept
from chalicelib.core.flowserv.views import flowserv_view
from chalicelib.core.flowserv.workflows import (
    ORIGIN,
    Argument,
    Origin,
    Parameter,
    Workflow,
    made_by,
)
from chalicelib.core.plans.plan import Plan
from chalicelib.core.run import RunState
from chalicelib.core.site import Site
from tests.unit.flowserv.values import a_run

PARAMETERS = (
    Parameter(name="sample", dtype="file"),
    Parameter(name="seed", dtype="int", required=False, default=1),
    Parameter(name="note", required=False),
    Parameter(name="rate", dtype="float", required=False),
    Parameter(name="fast", dtype="bool", required=False),
)
FILE = {"type": "$file", "value": {"fileId": "s3://bkt/in/a.txt"}}
ASKED = Asked("e1", "align", "lab")


def arguments(**values):
    return [Argument(name=name, value=value) for name, value in values.items()]


def a_file(key):
    return RunFile("0" * 32, key, f"s3://bkt/r/{key}", 1, None)


# --- arguments


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({}, {}, id="default"),
        pytest.param({"seed": 7}, {"seed": 7}, id="integer"),
        pytest.param({"seed": "7"}, {"seed": 7}, id="integer-as-text"),
        pytest.param({"rate": "0.5"}, {"rate": 0.5}, id="float-as-text"),
        pytest.param({"fast": True}, {"fast": True}, id="bool"),
        pytest.param({"note": "a ${X} b"}, {"note": "a ${X} b"}, id="text"),
    ],
)
def test_arguments_fill_parameters_with_the_declared_type(given, expected):
    filling = filling_of(PARAMETERS, arguments(sample=FILE, **given))
    sample = {"local": "a.txt", "remote": "s3://bkt/in/a.txt"}
    assert filling == Filling({"sample": sample, "seed": 1} | expected, ("sample",))


def test_a_file_may_be_brought_to_another_name():
    value = {"type": "$file", "value": {"fileId": "s3://bkt/a", "targetPath": "in/x"}}
    filling = filling_of(PARAMETERS, arguments(sample=value))
    assert filling.params["sample"] == {"local": "in/x", "remote": "s3://bkt/a"}


@pytest.mark.parametrize(
    ("given", "field"),
    [
        pytest.param([], "arguments", id="missing"),
        pytest.param(arguments(sample=FILE, other=1), "arguments.1.name", id="unknown"),
        pytest.param(arguments(sample=FILE) * 2, "arguments.1.name", id="twice"),
        pytest.param(arguments(sample=FILE, seed="x"), "arguments.1.value", id="no-integer"),
        pytest.param(
            arguments(sample=FILE, seed=True), "arguments.1.value", id="yes-is-no-number"
        ),
        pytest.param(arguments(sample=FILE, note=1), "arguments.1.value", id="no-text"),
        pytest.param(arguments(sample=FILE, fast="yes"), "arguments.1.value", id="no-bool"),
        pytest.param(arguments(sample="s3://bkt/a"), "arguments.0.value", id="no-file"),
        pytest.param(
            arguments(sample={"type": "$file", "value": {"fileId": "0" * 32}}),
            "arguments.0.value.value.fileId",
            id="an-upload",
        ),
        pytest.param(
            arguments(sample={"type": "$file", "value": {"fileId": "s3://bkt/../x"}}),
            "arguments.0.value.value.fileId",
            id="a-way-out",
        ),
    ],
)
def test_an_argument_that_does_not_fit_is_refused_by_its_field(given, field):
    with pytest.raises(InvalidRequest) as caught:
        filling_of(PARAMETERS, given)
    assert (caught.value.field, bool(caught.value.mend)) == (field, True)


# --- templates


TEMPLATE = {
    "execution_type": "t",
    "execution_id": "never",
    "options": {"max_attempts": 2, "group": "never"},
    "execution_parameters": {
        "params": {"seed": 3, "out": "out"},
        "inputs": ["ref"],
        "output_s3_prefix": "s3://bkt/results/",
    },
}


def test_a_demand_has_an_id_a_group_and_a_place_of_its_own():
    filling = Filling({"seed": 7, "sample": "s3://bkt/a"}, ("sample",))
    assert demand_of(TEMPLATE, ASKED, filling) == {
        "execution_type": "t",
        "execution_id": "e1",
        "options": {"max_attempts": 2, "group": "lab"},
        "execution_parameters": {
            "params": {"seed": 7, "out": "out", "sample": "s3://bkt/a"},
            "inputs": ["ref", "sample"],
            "output_s3_prefix": "s3://bkt/results/align/runs/e1",
        },
    }
    assert TEMPLATE["execution_id"] == "never"


def test_a_template_may_be_a_scaffolding_request():
    bare = {key: value for key, value in TEMPLATE.items() if key != "options"}
    document = demand_of({"demand_execution": bare, "x": 1}, ASKED, Filling({}, ()))
    assert (document["x"], document["options"]) == (1, {"group": "lab"})
    assert document["demand_execution"]["execution_id"] == "e1"


@pytest.mark.parametrize(
    "template",
    [
        {"demandExecution": {}},
        {"executionParameters": {}},
        {"demand_execution": {"executionParameters": {}}},
    ],
)
def test_a_template_is_spelled_in_one_way(template):
    with pytest.raises(ValidationError, match="templates spell it"):
        Workflow(template=template)


@pytest.mark.parametrize("template", [{"execution_parameters": 1}, {"demand_execution": []}])
def test_a_template_that_cannot_be_filled_is_named(template):
    with pytest.raises(InvalidRequest, match="template"):
        demand_of(template, ASKED, Filling({}, ()))


def test_a_group_works_by_a_workflow_that_is_there():
    with pytest.raises(ValidationError, match="there is no workflow 'none'"):
        Site.model_validate({"group_workflows": {"lab": "none"}})


# --- post-processing


def test_runs_bring_their_files_once_and_keep_their_order():
    runs = ["b", "a", "b", "nobody"]
    files = [[a_file("out/x"), a_file("out/y")], [a_file("out/x")], [a_file("out/x")], []]
    filling = with_runs(Filling({}, ()), runs, files)
    assert json.loads(str(filling.params.pop("ranking"))) == runs
    assert {name: value["local"] for name, value in filling.params.items()} == {
        "RUN_1_1": "runs/b/out/x",
        "RUN_1_2": "runs/b/out/y",
        "RUN_2_1": "runs/a/out/x",
    }
    assert filling.inputs == tuple(filling.params)


# --- what such a run shows


WORKFLOW = Workflow.model_validate(
    {
        "template": {},
        "parameters": [{"name": "seed", "dtype": "int"}],
        "outputs": [
            {"source": "out/a", "key": "metrics", "title": "Metrics", "widget": "table"},
            {"source": "out/b"},
        ],
    }
)


def a_made_run(**origin):
    origin = Origin(workflow="align", arguments=arguments(seed="7"), **origin)
    request = {ORIGIN: origin.model_dump(mode="json")}
    return a_run(state=RunState.SUCCESS, group="lab", plan=Plan(stages=(), request=request))


def view_of(run, workflows):
    files = [a_file("out/a"), a_file("out/b")]
    return flowserv_view(run, files, made_by(run.plan.request, workflows))


def test_a_run_shows_its_workflow_and_its_arguments_as_they_were_given():
    shown = view_of(a_made_run(), {"align": WORKFLOW})
    assert (shown["workflowId"], shown["groupId"]) == ("align", "lab")
    assert shown["arguments"] == [{"name": "seed", "value": "7"}]
    assert [each["name"] for each in shown["parameters"]] == ["seed"]
    assert [{k: v for k, v in file.items() if k != "id"} for file in shown["files"]] == [
        {"name": "metrics", "title": "Metrics", "widget": "table"},
        {"name": "out/b"},
    ]


@pytest.mark.parametrize("workflows", [{"align": WORKFLOW}, {}], ids=["known", "gone"])
def test_a_post_processing_run_has_no_group(workflows):
    shown = view_of(a_made_run(ranking=("a",)), workflows)
    assert not {"groupId", "parameters"} & shown.keys()
    assert [file["name"] for file in shown["files"]] == ["out/a", "out/b"]


def test_only_declared_files_are_kept_where_any_are():
    files = [a_file("out/a"), a_file("out/b")]
    assert [file.key for file in kept(files, ["out/b", "out/c"])] == ["out/b"]
    assert list(kept(files, [])) == files
