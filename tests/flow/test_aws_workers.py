"""The real worker and the user's real command, as subprocesses, against S3 and DynamoDB (moto).

Only Batch is by hand: each job is started as Batch would start it, with the environment that the
engine gave it and what Batch adds.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from chalicelib import calls, engine, intake
from chalicelib.aws.clients import Clients
from chalicelib.aws.home import open_home
from chalicelib.core.job_state import JobStatus
from chalicelib.core.run import Run, RunState
from chalicelib.core.site import Site
from chalicelib.job_ports import JobRequest, JobSeen
from chalicelib.local.facilities import LocalFacilities
from chalicelib.local.folders import Folders, own_file_systems
from chalicelib.settings import Settings
from tests.clouds.clients import client
from tests.clouds.foundation import create_table
from tests.clouds.worker_requests import WORKER_KEY

HERE = str(Path(__file__).parents[2])
LOST_THE_CLAIM = 75


class BatchByHand:
    """Accepts jobs and starts none."""

    def __init__(self) -> None:
        self.definitions: dict[str, Any] = {}
        self.accepted: list[JobRequest] = []
        self.stopped: list[tuple[str, str]] = []
        self._ids = itertools.count(1)

    def define(self, definition: Any) -> str:
        arn = f"arn:aws:batch:us-east-1:123456789012:job-definition/{definition.name}:1"
        self.definitions[arn] = definition
        return arn

    def submit(self, job: JobRequest) -> str:
        self.accepted.append(job)
        return f"job-{next(self._ids)}"

    def stop(self, job_id: str, reason: str) -> None:
        self.stopped.append((job_id, reason))

    def describe(self, job_ids: Sequence[str]) -> tuple[JobSeen, ...]:
        """How children are is known to who started them, and to nobody else."""
        assert all(":" in each for each in job_ids)
        return ()


class Account:
    """Buckets, a table, and one machine on which jobs are started."""

    def __init__(self, endpoint: str, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.environment = {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        for name, value in self.environment.items():
            patch.setenv(name, value)
        self.folder = folder
        for name in ("scratch", "shared"):
            (folder / name).mkdir()
        self.s3 = client("s3", endpoint)
        self.data = f"data-{uuid.uuid4().hex}"
        for bucket in (self.data, "falsework"):
            self.s3.create_bucket(Bucket=bucket)
        site = Site(worker_image="123456789012.dkr.ecr.us-east-1.amazonaws.com/worker:1")
        file_systems = own_file_systems(site)
        settings = Settings(
            table=create_table(client("dynamodb", endpoint)), site=site, file_systems=file_systems
        )
        self.batch = BatchByHand()
        self.clients = Clients("us-east-1")
        self.ports = open_home(settings, self.clients).ports._replace(
            jobs=self.batch,
            facilities=LocalFacilities(file_systems, Folders(folder, file_systems)),
        )

    def submit(self) -> Run:
        demand = {
            "execution_type": "copy",
            "execution_id": "e1",
            "execution_image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/tool:1",
            "execution_parameters": {
                "command": ["mkdir", "${OUT}", "&&", "cp", "-r", "${TREE}/.", "${OUT}"],
                "params": {
                    "tree": f"s3://{self.data}/tree @ tree",
                    "out": "out",
                    "note": 'a "b" $c `d`',
                },
                "inputs": ["tree"],
                "outputs": ["out"],
                "output_s3_prefix": f"s3://{self.data}/results",
            },
            "execution_platform": {"aws_batch": {"job_queue_name": "default"}},
        }
        paths = {
            role: {"container_path": str(self.folder / role)} for role in ("scratch", "shared")
        }
        document = {"demand_execution": demand, "file_system_configurations": paths}
        return intake.submit(document, self.ports)

    def start(self, stage: str) -> subprocess.CompletedProcess[str]:
        """Start the stage's job as Batch would."""
        job = self.load().job(stage)
        assert job is not None
        return self.start_copy(stage, str(job.job_id))

    def start_copy(self, stage: str, job_id: str) -> subprocess.CompletedProcess[str]:
        request = next(r for r in self.batch.accepted if r.environment["FALSEWORK_STAGE"] == stage)
        argv = list(request.command or self.batch.definitions[request.definition_arn].command)
        about = {"AWS_BATCH_JOB_ID": job_id, "AWS_BATCH_JOB_ATTEMPT": "1"}
        if argv[0] == "falsework-worker":
            argv[:1] = [sys.executable, "-m", "chalicelib.worker"]
            about["AWS_ACCESS_KEY_ID"] = WORKER_KEY
        path = {"PATH": os.environ["PATH"], "PYTHONPATH": HERE}
        return subprocess.run(
            argv,
            env={**path, **request.environment, **self.environment, **about},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def tell(self, stage: str, status: JobStatus, exit_code: int = 0) -> Run:
        job = self.load().job(stage)
        assert job is not None
        seen = JobSeen(
            job_id=str(job.job_id),
            name=job.name,
            queue=job.queue,
            status=status,
            ended_attempts=1,
            exit_code=exit_code,
        )
        event = calls.job_changed(seen, "e1", self.ports.clock())
        assert event is not None
        return engine.handle(event, self.ports)

    def load(self) -> Run:
        return self.ports.runs.load("e1")

    def keys(self, prefix: str) -> list[str]:
        found = self.s3.list_objects_v2(Bucket=self.data, Prefix=prefix).get("Contents", [])
        return [each["Key"] for each in found]


@pytest.fixture
def account(moto_endpoint, tmp_path, monkeypatch):
    account = Account(moto_endpoint, tmp_path, monkeypatch)
    yield account
    account.clients.close()


def test_a_demand_goes_from_s3_to_s3(account):
    for key in ("a.txt", "deep/b.txt"):
        account.s3.put_object(Bucket=account.data, Key=f"tree/{key}", Body=key.encode())
    account.submit()
    for stage in ("stage-in", "execute", "stage-out", "clean-up"):
        done = account.start(stage)
        assert done.returncode == 0, done.stderr + done.stdout
        run = account.tell(stage, JobStatus.SUCCEEDED)
    assert run.state is RunState.SUCCESS
    assert run.settled_at is not None
    assert account.keys("results/out/") == [
        "results/out/.falsework-manifest.json",
        "results/out/a.txt",
        "results/out/deep/b.txt",
    ]
    manifest = account.s3.get_object(
        Bucket=account.data, Key="results/out/.falsework-manifest.json"
    )
    files = json.loads(manifest["Body"].read())["files"]
    assert [(file["path"], file["bytes"]) for file in files] == [("a.txt", 5), ("deep/b.txt", 10)]
    assert not (account.folder / "scratch/e1").exists()


def test_of_two_jobs_of_one_name_one_works_and_the_engine_adopts_it(account):
    account.s3.put_object(Bucket=account.data, Key="tree/a.txt", Body=b"a")
    account.submit()
    assert account.start_copy("stage-in", "the-other").returncode == 0
    ours = account.start("stage-in")
    assert ours.returncode == LOST_THE_CLAIM, ours.stderr
    run = account.tell("stage-in", JobStatus.FAILED, LOST_THE_CLAIM)
    assert run.stage("stage-in").result["files"] == 1
    assert run.job("execute") is not None
    # What did the work has nothing left to do; the run settles when it has ended as well.
    assert [job_id for job_id, _ in account.batch.stopped] == ["the-other"]


def test_what_the_worker_says_went_wrong_ends_the_run(account):
    account.submit()
    done = account.start("stage-in")
    assert done.returncode == 1, done.stderr
    run = account.tell("stage-in", JobStatus.FAILED, 1)
    assert run.state is RunState.ERROR
    assert f"s3://{account.data}/tree" in run.error.message
