"""Runs that share an input, with real workers: each gets the version of its time."""

from __future__ import annotations

import time

import pytest

from chalicelib import bootstrap, intake
from chalicelib.core.data_sync.requests import RemoveDataPathsRequest
from chalicelib.core.mounts import volumes_of
from chalicelib.core.run import RunState
from chalicelib.core.site import FileSystems, Mount
from chalicelib.local.engine_loop import Loop
from chalicelib.settings import Settings
from chalicelib.worker.sync.locations import Locations
from chalicelib.worker.sync.paths import remove_paths
from tests.flow.doors import copying_demand, until
from tests.flow.waiting import DEADLINE_SECONDS


class Machine:
    """An embedded home whose runs do not isolate their inputs."""

    def __init__(self, root) -> None:
        bootstrap.use(Settings(root=root))
        self.home = bootstrap.home()
        self.objects = self.home.ports.objects
        self.loop = Loop(self.home)

    def submit(self, run_id: str, script: str = "cp ${IN} ${OUT}/copy") -> None:
        document = {
            "demand_execution": copying_demand(run_id, script),
            "context_manager_configuration": {"isolate_inputs": False},
        }
        intake.submit(document, self.home.ports)

    def run(self, until_) -> None:
        end = time.monotonic() + DEADLINE_SECONDS
        self.loop.run_until(lambda: until_() or time.monotonic() > end)

    def settle(self, run_id: str) -> bytes:
        self.run(lambda: self.home.ports.runs.load(run_id).settled_at)
        run = self.home.ports.runs.load(run_id)
        assert (run.state, run.error) == (RunState.SUCCESS, None)
        return self.objects.read(f"s3://bucket/results/{run_id}/res/copy")

    def is_executing(self, run_id: str) -> bool:
        jobs = self.home.ports.runs.load(run_id).jobs
        return any(job.stage == "execute" for job in jobs)

    def remove_shared(self) -> tuple[str, ...]:
        ((file_system, folder),) = self.home.ports.site.worker_mounts.items()
        volumes = volumes_of((Mount(id=file_system, path=folder),), FileSystems())
        request = RemoveDataPathsRequest(paths=(f"{file_system}:/shared",))
        remove_paths(request, Locations(volumes))
        shared = self.home.root.joinpath(folder, "shared")
        return tuple(path.name for path in shared.iterdir() if path.is_file())


@pytest.fixture
def machine(tmp_path):
    yield Machine(tmp_path / "root")
    bootstrap.use(Settings(root=tmp_path / "gone"))


def test_a_changed_object_is_another_input_and_nobody_takes_it_from_under_a_run(machine, tmp_path):
    gate = tmp_path / "gate"
    machine.objects.write("s3://bucket/in.txt", b"old")
    machine.submit("e1")
    assert machine.settle("e1") == b"old"
    machine.objects.write("s3://bucket/in.txt", b"new")
    machine.submit("e2", f"{until(gate)}; cp ${{IN}} ${{OUT}}/copy")
    machine.run(lambda: machine.is_executing("e2"))
    assert len(machine.remove_shared()) == 1
    gate.touch()
    assert machine.settle("e2") == b"new"
    assert machine.remove_shared() == ()
