"""Works that are pushed on AWS (moto): dispatched by the handlers, executed by the real worker."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import boto3
import pytest

from chalicelib import calls, engine
from chalicelib.aws.secrets import SecretsManager
from chalicelib.core.errors import Refused
from chalicelib.core.job_state import JobStatus
from chalicelib.core.run import RunState
from chalicelib.core.site import Site
from chalicelib.core.work.leases import Ending, lease_name
from chalicelib.core.work.model import WorkStatus
from chalicelib.job_ports import JobSeen
from chalicelib.run_manager.files import list_files
from chalicelib.works import buckets
from chalicelib.works.pushing import DEPOSIT_WORKS, push
from tests.contract.aws_places import REGION
from tests.flow.aws_worlds import IMAGE, SITE, aws_account
from tests.flow.config_world import a_config
from tests.flow.test_aws_workers import HERE, Account
from tests.flow.test_aws_works import asking

ADDRESS = "https://127.0.0.1:9/services/T0/B0/hidden"


@pytest.fixture
def world():
    with aws_account() as world:
        secrets = boto3.client("secretsmanager", region_name=REGION)
        arn = secrets.create_secret(Name="slack", SecretString=ADDRESS)["ARN"]
        places = {"batch": {"queue": "default", "image": IMAGE}}
        told = Site.model_validate({"work_sites": places, "slack_webhooks": {"default": arn}})
        changes = {name: getattr(told, name) for name in ("work_sites", "slack_webhooks")}
        world.restart(site=SITE.model_copy(update=changes))
        world.secrets = secrets
        yield world


def a_work(**told):
    return {"pipeline": "p", "site": "batch", "user": "u", "command": ["true"], **told}


def deposit(world, *works):
    return buckets.deposit(list(works), world.home.works, world.now)


def stored(world, work_id):
    (kept,) = world.home.works.works.get([work_id])
    return kept.document


def end(world, run_id, *, is_good=True):
    """The run's job writes its ending and ends, and Batch says so."""
    (job_id,) = world.waiting(run_id)
    lease = world.run(run_id).plan.stage("take").action.lease
    ending = Ending(status=WorkStatus.SUCCESS, results={"n": 1}, start=lease.start, stop=1.0)
    if is_good:
        world.home.ports.objects.write(lease.ending_uri, ending.model_dump_json().encode())
    world.finish(job_id, is_good=is_good)
    world.tell(job_id, "SUCCEEDED" if is_good else "FAILED")


def test_the_sweep_dispatches_and_the_end_of_the_job_is_reported(world, caplog):
    slack = {"slack": {"message": "over"}}
    (work_id,) = deposit(world, a_work(notify=slack))
    assert world.sweep()["pushed_works"] == 1
    run_id = lease_name(work_id, 1)
    assert world.accepted(run_id) == {"work": 1}
    assert stored(world, work_id)["status"] == "running"
    end(world, run_id)
    work = stored(world, work_id)
    assert (work["status"], work["results"]) == ("success", {"n": 1})
    assert world.run(run_id).settled_at is not None
    assert "Slack was not told" in caplog.text
    assert "hidden" not in caplog.text
    assert world.sweep()["pushed_works"] == 0


def test_a_deposit_dispatches_a_few_and_the_sweep_the_others(world):
    body = json.dumps([a_work() for _ in range(DEPOSIT_WORKS + 2)])
    headers = {"Content-Type": "application/json"}
    answer = world.http.post("/buckets/work", headers=headers, body=body)
    assert (answer.status_code, answer.json_body) == (200, True)
    runs = world.home.ports.runs
    assert len(runs.list(group="default").runs) == DEPOSIT_WORKS
    assert world.sweep()["pushed_works"] == 2
    assert len(runs.list(group="default").runs) == DEPOSIT_WORKS + 2


def test_a_config_of_pushed_works_goes_on_when_they_end_and_not_when_the_sweep_comes(world):
    ask = asking(world)
    ask("POST", "/pipelines/v2/configs", a_config(defaults={"user": "u", "site": "batch"}))
    for name in ("one", "two"):
        (work,) = buckets.view({"query": {"pipeline": name}}, world.home.works)
        end(world, lease_name(work["id"], 1))
    (found,) = ask("GET", "/pipelines/v2/configs", query={"database": ["pipelines"]})
    assert found["status"] == "success"


def test_a_secret_is_read_by_its_arn_and_nothing_else(world):
    secrets = SecretsManager(world.secrets)
    arn = world.home.ports.site.slack_webhooks["default"]
    assert secrets.read(arn) == ADDRESS
    with pytest.raises(Refused):
        secrets.read(f"{arn}x")
    with pytest.raises(Refused, match="by its ARN"):
        secrets.read("env:HOME")


class Pushing(Account):
    """An account with a site whose works are pushed."""

    def __init__(self, *args) -> None:
        super().__init__(*args)
        place = {"queue": "default", "image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/w:1"}
        told = Site.model_validate({"work_sites": {"batch": place}})
        site = self.ports.site.model_copy(update={"work_sites": told.work_sites})
        self.ports = self.ports._replace(site=site)
        self.works = self.ports.works._works

    def execute(self, run_id: str):
        """Start the run's job as Batch would, and tell of its end."""
        job, request = self.ports.runs.load(run_id).job("work"), self.batch.accepted[-1]
        path = {"PATH": os.environ["PATH"], "PYTHONPATH": HERE, "HOME": str(self.folder)}
        done = subprocess.run(
            [sys.executable, "-m", "chalicelib.worker", *request.command[1:]],
            env={
                **path,
                **request.environment,
                **self.environment,
                "AWS_BATCH_JOB_ID": job.job_id,
            },
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        seen = JobSeen(
            job_id=job.job_id,
            name=job.name,
            queue=job.queue,
            status=JobStatus.FAILED if done.returncode else JobStatus.SUCCEEDED,
            ended_attempts=1,
            exit_code=done.returncode,
        )
        event = calls.job_changed(seen, run_id, self.ports.clock())
        return engine.handle(event, self.ports), done


def test_the_real_worker_executes_the_work_and_stores_its_plots(
    moto_endpoint, tmp_path, monkeypatch
):
    account = Pushing(moto_endpoint, tmp_path, monkeypatch)
    (tmp_path / "plot.png").write_text("picture")
    work = a_work(command=["/bin/echo", "hello"], plots=["plot.png"])
    (work_id,) = buckets.deposit([work], account.works, account.ports.clock())
    assert push(account.works, account.ports) == 1
    run, done = account.execute(lease_name(work_id, 1))
    account.clients.close()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "hello" in done.stdout
    assert run.state is RunState.SUCCESS
    (file,) = list_files(run, account.ports)
    assert file.key == "plots/plot.png"
    (kept,) = account.works.works.get([work_id])
    assert kept.document["results"]["stdout"] == ["hello"]
    assert kept.document["plots"] == [file.uri]
    assert account.ports.objects.read(file.uri) == b"picture"
