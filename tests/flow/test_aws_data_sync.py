"""A data sync on AWS (moto): the real worker as a subprocess for every job and array child."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from chalicelib import calls, engine, file_intake
from chalicelib.core.job_state import JobStatus
from chalicelib.core.run import RunState
from chalicelib.job_ports import JobSeen
from chalicelib.local.folders import OWN_FILE_SYSTEM_ID as FS
from tests.clouds.worker_requests import WORKER_KEY
from tests.flow.test_aws_workers import HERE, Account

NAMES = ("a", "b/1", "b/2", "e")


class Syncing(Account):
    """An account whose file system lies in a folder."""

    def __init__(self, *args) -> None:
        super().__init__(*args)
        site = self.ports.site.model_copy(update={"worker_mounts": {FS: str(self.folder)}})
        self.ports = self.ports._replace(site=site)

    def sync(self, **options):
        document = {"source_path": f"s3://{self.data}/in/", "destination_path": f"{FS}:/out",
                    "run_id": "e1", "include_detailed_response": True, **options}  # fmt: skip
        return file_intake.submit_file_job("data-sync", document, self.ports)

    def work(self, **more: str) -> int:
        """Start the job that was accepted last as Batch would; return its exit code."""
        request, number = self.batch.accepted[-1], len(self.batch.accepted)
        assert request.command is not None
        about = {"AWS_BATCH_JOB_ID": f"job-{number}", "PATH": os.environ["PATH"]}
        own = {"AWS_ACCESS_KEY_ID": WORKER_KEY}
        done = subprocess.run(
            [sys.executable, "-m", "chalicelib.worker", *request.command[1:]],
            env={
                **about,
                "PYTHONPATH": HERE,
                **request.environment,
                **self.environment,
                **own,
                **more,
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode in {0, 1}, done.stdout + done.stderr
        return done.returncode

    def children(self, *indexes: int) -> None:
        for index in indexes:
            told = {"AWS_BATCH_JOB_ID": f"job-2:{index}", "AWS_BATCH_JOB_ARRAY_INDEX": str(index)}
            assert self.work(**told) == 0

    def ended(self, status=JobStatus.SUCCEEDED):
        return self.tell("sync", status, int(status is not JobStatus.SUCCEEDED))


@pytest.fixture
def account(moto_endpoint, tmp_path, monkeypatch):
    account = Syncing(moto_endpoint, tmp_path, monkeypatch)
    for name in NAMES:
        account.s3.put_object(Bucket=account.data, Key=f"in/{name}", Body=b"12345678")
    yield account
    account.clients.close()


def test_what_fits_is_one_job(account):
    account.sync()
    assert account.work() == 0
    run = account.ended()
    assert run.state is RunState.SUCCESS
    told = run.stage("sync").result["result"]
    assert told == {"bytes_transferred": 32, "files_transferred": 4}
    assert (account.folder / "out/b/2").read_bytes() == b"12345678"


def test_what_does_not_fit_is_an_array_and_then_its_finish(account):
    (account.folder / "out").mkdir()
    (account.folder / "out/extra").write_text("extra")
    account.sync(batch_size_bytes_limit=17, delete=True)
    assert account.work() == 0
    account.ended()
    array = account.batch.accepted[-1]
    assert (array.array_size, array.command) == (2, ("falsework-worker", "sync-batch"))
    account.children(0, 1)
    assert (account.folder / "out/extra").exists()
    account.ended()
    assert account.batch.accepted[-1].command == ("falsework-worker", "sync")
    assert account.work() == 0
    run = account.ended()
    assert run.state is RunState.SUCCESS
    assert run.stage("sync").result["result"]["files_transferred"] == 4
    assert not (account.folder / "out/extra").exists()


def test_the_same_operations_answer_over_objects(account):
    document = {"path": f"s3://{account.data}/in/", "run_id": "e1"}
    run = file_intake.submit_file_job("data-path-stats", document, account.ports)
    assert account.work() == 0
    job = run.job("stats")
    seen = JobSeen(job_id=job.job_id, name=job.name, queue=job.queue, exit_code=0,
                   status=JobStatus.SUCCEEDED, ended_attempts=1)  # fmt: skip
    run = engine.handle(calls.job_changed(seen, "e1", account.ports.clock()), account.ports)
    assert run.stage("stats").result["path_stats"]["object_count"] == 4


def test_what_is_moved_within_s3_is_gone_from_where_it_was(account):
    destination = f"s3://{account.data}/out/"
    account.sync(destination_path=destination, retain_source_data=False)
    assert account.work() == 0
    assert account.ended().state is RunState.SUCCESS
    assert account.keys("in/") == []
    assert account.keys("out/") == [f"out/{name}" for name in NAMES]
