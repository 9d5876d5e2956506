"""Pipelines on a real embedded home: a document becomes runs, one after another."""

from __future__ import annotations

import json
import re
import time

import pytest

from chalicelib import bootstrap, kinds
from chalicelib.core.documents import parse_document
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.pipelines.checks import check_pipeline
from chalicelib.core.pipelines.model import Pipeline, RunStage, StatusHooks
from chalicelib.core.run import RunState
from chalicelib.core.states.failures import failure_of, output_of
from chalicelib.settings import Settings
from tests.flow.doors import CHECKOUT, copying_demand, falsework
from tests.flow.pipeline_parts import choice, hook, ran, says, value

RULE = {"Variable": "$.input", "IsNumeric": True}


@pytest.fixture
def home(tmp_path):
    bootstrap.use(Settings(root=tmp_path / "root", runner="host"))
    yield bootstrap.home()
    bootstrap.use(Settings(root=tmp_path / "gone"))


def drive(run_id):
    runs = bootstrap.ports().runs
    end = time.monotonic() + 60
    bootstrap.local_loop().run_until(
        lambda: runs.load(run_id).settled_at is not None or time.monotonic() > end
    )
    return runs.load(run_id)


def pipeline(*stages, **fields):
    return {"run_id": "p1", "stages": list(stages), **fields}


def test_a_demand_a_sync_and_what_they_come_to(home):
    home.ports.objects.write("s3://bucket/in.txt", b"hello\n")
    demand = {key: value for key, value in copying_demand("x").items() if key != "execution_id"}
    run = kinds.submit_pipeline(
        pipeline(
            {"name": "copy", "kind": "demand-execution", "request": demand},
            {
                "name": "sync",
                "kind": "data-sync",
                "request": {
                    "source_path": "$.stages.copy.result.outputs.out.uri",
                    "destination_path": "$.input.home",
                },
            },
            input={"home": "s3://bucket/home/"},
            output={"where": "$.input.home"},
        ),
        bootstrap.ports(),
    )
    run = drive(run.id)
    assert run.state is RunState.SUCCESS, run.error
    assert home.ports.objects.read("s3://bucket/home/copy") == b"hello\n"
    assert run.stage("output").result == {"where": "s3://bucket/home/"}


@pytest.mark.parametrize(
    ("stages", "field"),
    [
        ([{"name": "a", "kind": "nothing"}], "stages.0.kind"),
        ([{"name": "a", "kind": "value"}], "stages.0.value"),
        ([{"name": "a", "kind": "value", "value": 1, "after": ["b"]}], "stages.0.after"),
        (
            [
                {"name": "a", "kind": "value", "value": 1, "after": ["b"]},
                {"name": "b", "kind": "value", "value": 1, "after": ["a"]},
            ],
            "stages",
        ),
        ([{"name": "a", "kind": "value", "value": "$.stages.b.result"}], "stages.0.value"),
        ([{"name": "a", "kind": "value", "value": "$.somewhere"}], "stages.0.value"),
        ([{"name": "a", "kind": "data-sync", "request": {}}], "stages.0.request.source_path"),
        ([{"name": "a", "kind": "value", "value": 1}] * 2, "stages.1.name"),
        ([{"name": "a", "kind": "value", "value": "$.input["}], "stages.0.value"),
        ([{"name": "a", "kind": "data-sync", "request": "all"}], "stages.0.request"),
        ([{"name": "a", "kind": "data-sync", "for_each": "all"}], "stages.0.for_each"),
        ([{"name": "a", "kind": "value", "value": "$.item"}], "stages.0.value"),
        ([choice("c", "$.input", a=1)], "stages.0.name"),
        (
            [
                choice("c", "$.input", a=1),
                {"name": "v", "kind": "value", "value": 1, "when": {"choice": "c", "branch": "b"}},
            ],
            "stages.1.when.branch",
        ),
        (
            [{"name": "v", "kind": "value", "value": 1, "when": {"choice": "c", "branch": "b"}}],
            "stages.0.when.choice",
        ),
        (
            [ran("a", says(1), status={"started": {"kind": "x", "request": {}}})],
            "stages.0.status.started.kind",
        ),
        (
            [ran("a", says(1), status={"failed": {"kind": "data-sync", "request": {}}})],
            "stages.0.status.failed.request.source_path",
        ),
        (
            [ran("a", says(1), status={"pre_run": hook(says("$.stages.a.result"))})],
            "stages.0.status.pre_run.request.input",
        ),
        (
            [ran("a", {"input": "$.input", "stages": [{"name": "b", "kind": "nothing"}]})],
            "stages.0.request.stages.0.kind",
        ),
        ([value("a", 1), value("b", "$['stages']['c'].result")], "stages.1.value"),
        ([value("a", 1), value("b", "$.stages.a.reslt")], "stages.1.value"),
        ([value("a", "$.run.nothing")], "stages.0.value"),
        ([value("a", "$$.State.Name")], "stages.0.value"),
        ([value("a", "States.Hash('a', 'MD5')")], "stages.0.value"),
        ([value("a", "States.Array($.input")], "stages.0.value"),
        ([value("a", {"deep": ["$.input.none"]})], "stages.0.value.deep.0"),
        ([ran("a", says(1), for_each="$.input.home")], "stages.0.for_each"),
        ([value("a", [{"x.$": "text"}])], "stages.0.value.0.x"),
        ([value("a", {"x.$": "$.input", "x": 1})], "stages.0.value.x"),
        ([ran("a", {"input": {"x.$": 1}, "stages": []})], "stages.0.request.input.x"),
    ],
    ids=[
        "kind",
        "value",
        "after",
        "cycle",
        "later stage",
        "root",
        "request",
        "twice",
        "path",
        "text",
        "items",
        "no items",
        "idle choice",
        "branch",
        "choice",
        "hook's kind",
        "hook's request",
        "hook too early",
        "nested",
        "brackets",
        "no result",
        "no fact of the run",
        "context",
        "function",
        "syntax",
        "missing input",
        "no list",
        "no reference",
        "two values",
        "key of a request",
    ],
)
def test_what_could_never_be_performed_is_refused_before_it_starts(home, stages, field):
    with pytest.raises(InvalidRequest) as refused:
        kinds.submit_pipeline(pipeline(*stages, input={"home": "s3://b/"}), bootstrap.ports())
    assert refused.value.field == field
    assert refused.value.mend
    assert bootstrap.ports().runs.list().runs == ()


@pytest.mark.parametrize(
    "stages",
    [
        [choice("c", "$.input.none", a=1), value("b", "$.stages.c.result")],
        [
            choice("c", "$.input.home", a=1),
            value("b", "$.input.none", when={"choice": "c", "branch": "a"}),
        ],
        [ran("a", {"input": "$.input", "stages": [value("b", "$.input.none")]})],
        [value("a", ["$", "$$.Execution.Name", "States.Format('{} $.none', $.run.id)"])],
        [ran("a", says(1), status={"failed": hook(says("$.error.Cause"))})],
    ],
    ids=["asked by a choice", "behind a choice", "another's input", "known", "error"],
)
def test_what_may_be_there_when_it_is_asked_for_is_not_refused(home, stages):
    document = pipeline(*stages, input={"home": 2})
    assert kinds.preview_pipeline(document, bootstrap.ports())["stages"]


def test_a_preview_shows_the_plan_and_creates_nothing(home):
    document = pipeline({"name": "a", "kind": "value", "value": 1})
    shown = kinds.preview_pipeline(document, bootstrap.ports())
    assert [stage["name"] for stage in shown["stages"]] == ["a"]
    assert json.dumps(shown)
    assert bootstrap.ports().runs.list().runs == ()


class TestTheDocumentation:
    """What docs/pipelines.md shows is so."""

    @pytest.fixture
    def shown(self):
        text = (CHECKOUT / "docs/pipelines.md").read_text()
        return [json.loads(part.split("```")[0]) for part in text.split("```json")[1:]]

    def test_its_example_runs(self, tmp_path, shown):
        (tmp_path / "pipeline.json").write_text(json.dumps(shown[0]))
        reads = tmp_path / ".falsework/s3/data/reads/a"
        reads.parent.mkdir(parents=True)
        reads.write_text("a")
        seen = falsework("validate", "pipeline.json", cwd=tmp_path)
        assert seen.returncode == 0, seen.stderr
        assert "data-sync for each of $.input.copies" in seen.stdout
        done = falsework("run", "pipeline.json", "--wait", cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.endswith('{\n  "copied": [\n    "reads/",\n    "reads/a"\n  ]\n}\n')
        assert (tmp_path / ".falsework/s3/data/b/a").read_text() == "a"
        (run_id,) = re.findall(r"^run +(\S+)$", done.stdout, re.MULTILINE)
        told = falsework("show", run_id, cwd=tmp_path).stdout
        assert told.count(f"SUCCESS  {run_id}.copy.") == 2

    def test_its_choice_is_one(self, shown):
        look = {"name": "look", "kind": "value", "value": {"size_bytes": 2_000_000}}
        end = {"name": "e", "kind": "value", "value": "$.stages.size.result"}
        parsed = parse_document(Pipeline, {"stages": [look, shown[1], end]})
        check_pipeline(parsed, kinds.KINDS)

    def test_its_batch_job_is_accepted(self, home, shown):
        assert kinds.submit(shown[2], bootstrap.ports(), "docs").kind == "batch-job"

    def test_every_kind_is_named(self):
        text = (CHECKOUT / "docs/pipelines.md").read_text()
        row = next(line for line in text.splitlines() if line.startswith("| `kind` |"))
        assert all(f"`{kind}`" in row for kind in kinds.KINDS)

    def test_every_hook_and_field_is_named(self):
        text = (CHECKOUT / "docs/pipelines.md").read_text()
        fields = {*StatusHooks.model_fields, *RunStage.model_fields, *Pipeline.model_fields}
        assert [name for name in fields if f"`{name}`" not in text] == []


def test_the_result_is_the_last_stages_own_and_not_its_hooks(home):
    hook = {
        "kind": "pipeline",
        "request": {"stages": [{"name": "h", "kind": "value", "value": 0}]},
    }
    inner = {"stages": [{"name": "v", "kind": "value", "value": 7}]}
    run = kinds.submit_pipeline(
        pipeline(
            {"name": "a", "kind": "pipeline", "request": inner, "status": {"completed": hook}}
        ),
        bootstrap.ports(),
    )
    assert output_of(drive(run.id)) == 7


def test_the_name_of_a_childs_error_is_kept(home):
    failing = {"stages": [{"name": "v", "kind": "choice", "cases": [{"when": RULE, "then": "x"}]},
                          {"name": "w", "kind": "value", "value": 1,
                           "when": {"choice": "v", "branch": "x"}}]}  # fmt: skip
    run = kinds.submit_pipeline(
        pipeline({"name": "a", "kind": "pipeline", "request": failing}), bootstrap.ports()
    )
    failure = failure_of(drive(run.id))
    assert failure.Cause.startswith("run p1.a.0.")
    assert f"({failure.Error})" in failure.Cause
