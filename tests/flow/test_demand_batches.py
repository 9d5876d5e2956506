"""A demand whose inputs and outputs are too much for one job, with real workers."""

from __future__ import annotations

import json
import time

import pytest

from chalicelib import bootstrap, intake
from chalicelib.core.job_state import SUCCEEDED
from chalicelib.core.run import RunState
from chalicelib.core.site import Site
from chalicelib.local.engine_loop import Loop
from chalicelib.run_manager import spending
from chalicelib.settings import Settings
from tests.flow.doors import shell_demand
from tests.flow.waiting import DEADLINE_SECONDS

NAMES = ("a", "b/1", "b/2", "c/d/1", "e")


@pytest.fixture
def home(tmp_path):
    bootstrap.use(Settings(root=tmp_path / "root", site=Site(batch_bytes=17)))
    home = bootstrap.home()
    for name in NAMES:
        home.ports.objects.write(f"s3://bucket/in/{name}", name.ljust(8).encode())
    yield home
    bootstrap.use(Settings(root=tmp_path / "gone"))


def test_it_goes_through_arrays_from_its_inputs_to_its_manifest(home):
    demand = shell_demand(
        "e1",
        "mkdir -p ${OUT} && cp -r ${TREE}/. ${OUT}",
        params={"tree": "s3://bucket/in/ @ tree", "out": "out"},
        inputs=["tree"],
        outputs=["out"],
        output_s3_prefix="s3://bucket/results",
    )
    intake.submit(demand, home.ports)
    end = time.monotonic() + DEADLINE_SECONDS
    load = lambda: home.ports.runs.load("e1")  # noqa: E731
    Loop(home).run_until(lambda: load().settled_at or time.monotonic() > end)
    run = load()
    assert (run.state, run.error) == (RunState.SUCCESS, None)
    asked = [(job.stage, job.children) for job in run.jobs]
    for stage in ("stage-in", "stage-out"):
        assert [children for name, children in asked if name == stage] == [None, 3, None]
    for job in run.jobs:
        assert (job.child_times is None) == (job.children is None)
        if job.child_times is not None:
            assert (job.child_times.known, [*job.child_times.seconds]) == (3, [SUCCEEDED])
    told = spending.cost("e1", home.ports)
    assert told.is_final
    assert not [each for each in told.not_counted if "children" in each]
    assert run.stage("stage-in").result["files"] == 5
    assert run.outputs["out"]["files"] == 5
    manifest = json.loads(home.ports.objects.read(run.outputs["out"]["manifest"]))
    assert [file["path"] for file in manifest["files"]] == sorted(NAMES)
    for name in NAMES:
        assert home.ports.objects.read(f"s3://bucket/results/out/{name}").strip() == name.encode()
