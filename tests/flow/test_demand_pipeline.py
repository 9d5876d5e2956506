"""A demand execution as a pipeline of its own parts comes to what the built-in kind comes to."""

from __future__ import annotations

import json

import pytest

from chalicelib import bootstrap, intake, kinds
from chalicelib.core.run import RunState
from chalicelib.settings import Settings
from tests.flow.doors import CHECKOUT, copying_demand
from tests.flow.test_pipelines import drive

PARTS = json.loads((CHECKOUT / "examples/demand_pipeline.json").read_text())
SCRIPT = (
    "cp ${IN} ${OUT}/copy && wc -c < ${IN} > ${OUT}/size && mkdir ${OUT}/d && cp ${IN} ${OUT}/d"
)


@pytest.fixture(params=["host", "auto"])
def ports(tmp_path, request):
    bootstrap.use(Settings(root=tmp_path / "root", runner=request.param))
    yield bootstrap.ports()
    bootstrap.use(Settings(root=tmp_path / "gone"))


def results(ports, name):
    prefix = f"s3://bucket/results/{name}/"
    return {
        each.uri.removeprefix(prefix): ports.objects.read(each.uri)
        for each in ports.objects.list(prefix)
        if not each.uri.endswith("manifest.json")
    }


def left_over():
    """The files that are left on the scratch file system."""
    root = bootstrap.home().root / "efs"
    return [path for path in root.rglob("*") if path.is_file() and "locks" not in str(path)]


def test_a_pipeline_of_its_parts_has_the_outputs_of_the_built_in_kind(ports):
    ports.objects.write("s3://bucket/in.txt", b"hello\n")
    built_in = drive(intake.submit(copying_demand("whole", SCRIPT), ports).id)
    assert built_in.state is RunState.SUCCESS, built_in.error
    document = {**PARTS, "input": {"demand_execution": copying_demand("parts", SCRIPT)}}
    parts = drive(kinds.start("pipeline", document, ports).id)
    assert parts.state is RunState.SUCCESS, parts.error
    assert results(ports, "parts") == results(ports, "whole") != {}
    (told,) = parts.stage("output").result["outputs"]
    assert told["request"]["destination_path"] == "s3://bucket/results/parts/res"
    moved = results(ports, "parts").values()
    assert told["result"] == {
        "bytes_transferred": sum(map(len, moved)),
        "files_transferred": len(moved),
    }
    assert left_over() == []


def test_a_failing_command_fails_the_pipeline_and_brings_nothing_home(ports):
    ports.objects.write("s3://bucket/in.txt", b"hello\n")
    document = {**PARTS, "input": {"demand_execution": copying_demand("parts", "exit 3")}}
    parts = drive(kinds.start("pipeline", document, ports).id)
    assert (parts.state, parts.error.stage, parts.error.cause) == (
        RunState.ERROR, "execute", "child",
    )  # fmt: skip
    assert results(ports, "parts") == {}
