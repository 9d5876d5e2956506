"""Pipelines on a real embedded home: a document becomes runs, one after another."""

from __future__ import annotations

import json
import time

import pytest

from chalicelib import bootstrap, kinds
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.run import RunState
from chalicelib.settings import Settings
from tests.flow.doors import copying_demand


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
    ],
    ids=["kind", "value", "after", "cycle", "later stage", "root", "request", "twice"],
)
def test_what_could_never_be_performed_is_refused_before_it_starts(home, stages, field):
    with pytest.raises(InvalidRequest) as refused:
        kinds.submit_pipeline(pipeline(*stages), bootstrap.ports())
    assert refused.value.field == field
    assert refused.value.mend
    assert bootstrap.ports().runs.list().runs == ()


def test_a_preview_shows_the_plan_and_creates_nothing(home):
    document = pipeline({"name": "a", "kind": "value", "value": 1})
    shown = kinds.preview_pipeline(document, bootstrap.ports())
    assert [stage["name"] for stage in shown["stages"]] == ["a"]
    assert json.dumps(shown)
    assert bootstrap.ports().runs.list().runs == ()
