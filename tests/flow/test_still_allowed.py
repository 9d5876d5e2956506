"""Runs that are to go on after the site's rules have changed: today's are the ones that count."""

from __future__ import annotations

import boto3
import pytest

from chalicelib import bootstrap, intake, kinds
from chalicelib.core.errors import Forbidden
from chalicelib.core.group_rules import GroupRules
from chalicelib.core.lifecycle import decide
from chalicelib.core.site import Site
from chalicelib.local.folders import OWN_FILE_SYSTEM_ID as FS
from chalicelib.settings import Settings
from chalicelib.still_allowed import check_still_allowed
from tests.flow.aws_worlds import IMAGE, aws_account
from tests.flow.doors import TrustedHttp, copying_demand, shell_demand
from tests.flow.test_groups import cancel, post, problem

ROLE = "arn:aws:iam::123456789012:role/job"
SECRET = "arn:aws:ssm:us-east-1:123456789012:parameter/lab/key"
PLATFORM = "demand_execution.execution_platform.aws_batch"
PARAMETERS = "demand_execution.execution_parameters"


@pytest.fixture
def site(tmp_path):
    """Set what the site of a home of this machine is, as often as the test wishes."""

    def use(**told):
        site = Site.model_validate({"default_job_queue": "default", **told})
        bootstrap.use(Settings(root=tmp_path / "root", site=site))
        return TrustedHttp()

    yield use
    bootstrap.use(Settings(root=tmp_path / "gone"))


def lab(**rules):
    return {"lab": GroupRules.model_validate(rules)}


def with_role(run_id):
    platform = {"aws_batch": {"job_queue_name": "default", "job_role": ROLE}}
    return {**shell_demand(run_id, "true"), "execution_platform": platform}


VOLUMES = [
    {"name": "v", "efsVolumeConfiguration": {"fileSystemId": FS, "rootDirectory": "/data/lab"}}
]
MACHINE = [{"name": "v", "host": {"sourcePath": "/data"}}]
MOUNTS = [{"containerPath": "/lab", "sourceVolume": "v"}]
ONE_JOB = {"image": "busybox", "command": ["true"], "job_queue": "default"}
HANDLER = {"image": "busybox", "handler": "h.h", "payload": {}, "bucket_name": "bucket"}
SYNC = {"source_path": "s3://bucket/in/", "destination_path": f"{FS}:/scratch/in"}
FALLBACK = {"fallback_job_queue_name": "default"}

NARROWED = {
    "queue": ("/demand-executions", copying_demand("e1"), {}, {"job_queues": ("other",)},
              f"{PLATFORM}.job_queue_name"),
    "input": ("/demand-executions", copying_demand("e1"), {}, {"buckets": ("other",)},
              f"{PARAMETERS}.output_s3_prefix"),
    "volume": ("/demand-executions", copying_demand("e1"), {}, {"roots": (f"{FS}:/shared",)},
               "file_system_configurations"),
    "role": ("/demand-executions", with_role("e1"), {}, {"job_roles": ()}, f"{PLATFORM}.job_role"),
    "sync's bucket": ("/data-syncs", {**SYNC, "run_id": "e1"}, {}, {"buckets": ("other",)},
                      "source_path"),
    "sync's path": ("/data-syncs", {**SYNC, "run_id": "e1"}, {}, {"roots": (f"{FS}:/other",)},
                    "destination_path"),
    "sync's queue": ("/data-syncs", {**SYNC, "run_id": "e1"}, FALLBACK, {"job_queues": ("other",)},
                     "site.default_job_queue"),
    "job's queue": ("/batch-jobs", {**ONE_JOB, "run_id": "e1"}, {}, {"job_queues": ("other",)},
                    "job_queue"),
    "job's volume": ("/batch-jobs",
                     {**ONE_JOB, "run_id": "e1", "volumes": VOLUMES, "mount_points": MOUNTS}, {},
                     {"roots": (f"{FS}:/data/other",)}, "volumes.0"),
    "handler's bucket": ("/batch-lambdas", {**HANDLER, "run_id": "e1"}, {},
                         {"buckets": ("other",)}, "bucket_name"),
}  # fmt: skip


@pytest.mark.parametrize("word", ["resume", "rollback"])
@pytest.mark.parametrize(
    ("path", "document", "options", "rules", "field"), NARROWED.values(), ids=NARROWED.keys()
)
def test_what_is_off_its_groups_lists_by_now_keeps_a_run_from_going_on(  # noqa: PLR0917
    site, path, document, options, rules, field, word
):
    http = site(groups=lab())
    bootstrap.home().ports.objects.write("s3://bucket/in.txt", b"x")
    told = {**document, "options": {"group": "lab", **options}}
    if post(http, path, told).json_body["ended_at"] is None:
        cancel(http, "e1")
    run = bootstrap.ports().runs.load("e1")
    body = {"stage": run.plan.stages[0].name} if word == "rollback" else {}
    found = problem(post(site(groups=lab(**rules)), f"/runs/e1/{word}", body), 403)
    assert found["errors"][0]["field"] == field
    assert "run e1 cannot go on" in found["detail"]
    assert "ask the operator" in found["errors"][0]["mend"]
    assert bootstrap.ports().runs.load("e1") == run
    assert post(site(groups=lab()), f"/runs/e1/{word}", body).status_code == 202


def test_a_group_that_is_not_listed_any_more_starts_nothing(site):
    post(site(groups=lab()), "/demand-executions", demand_of_lab())
    cancel(TrustedHttp(), "e1")
    found = problem(post(site(groups={"other": GroupRules()}), "/runs/e1/resume"), 403)
    assert found["errors"][0]["field"] == "options.group"


def test_what_a_definition_that_is_there_has_is_compared_again_as_long_as_it_is_there():
    role = "arn:aws:iam::123456789012:role/falsework-user-lab"
    container = {"image": IMAGE, "vcpus": 1, "memory": 512, "jobRoleArn": role}
    document = {"job_definition": "theirs", "job_queue": "default", "run_id": "j"}
    with aws_account() as world:
        arn = boto3.client("batch", region_name="us-east-1").register_job_definition(
            jobDefinitionName="theirs", type="container", containerProperties=container
        )["jobDefinitionArn"]
        run = kinds.start("batch-job", document, world.home.ports)
        check_still_allowed(run, world.home.ports)
        groups = {"default": GroupRules(job_roles=("other",))}
        world.restart(site=world.settings.site.model_copy(update={"groups": groups}))
        with pytest.raises(Forbidden) as caught:
            check_still_allowed(run, world.home.ports)
        assert (caught.value.field, caught.value.value) == ("job_role_arn", role)
        world.home.ports.definitions.deregister(arn)
        check_still_allowed(run, world.home.ports)


def test_a_function_that_runs_may_not_call_any_more_is_not_called_again(site):
    function = {"function_name": "lab-sum", "run_id": "e1"}
    http = site(allowed_functions=("lab-",))
    run = post(http, "/lambda-functions", function).json_body
    assert run["state"] == "ERROR", run
    assert post(site(allowed_functions=("lab-",)), "/runs/e1/resume").status_code == 202
    found = problem(post(site(allowed_functions=("other-",)), "/runs/e1/resume"), 403)
    assert found["errors"][0]["field"] == "function_name"


def demand_of_lab(**options):
    return {**shell_demand("e1", "true"), "options": {"group": "lab", **options}}


@pytest.mark.parametrize(
    ("then", "options", "field"),
    [
        ({"allow_privileged": True}, {"privileged": True}, "privileged"),
        ({"allowed_secrets": (SECRET,)}, {"secrets": {"KEY": SECRET}}, "options.secrets"),
    ],
    ids=["privilege", "secret"],
)
def test_what_the_site_has_forbidden_since_keeps_a_run_from_going_on(site, then, options, field):
    site(**then)
    run = decide(None, intake.plan_of(demand_of_lab(**options), bootstrap.ports())).run
    check_still_allowed(run, bootstrap.ports())
    site()
    with pytest.raises(Forbidden) as caught:
        check_still_allowed(run, bootstrap.ports())
    assert caught.value.field == field


OF_A_JOB = {
    "its machine": (
        {"volumes": MACHINE, "mount_points": MOUNTS},
        {"allow_host_volumes": True},
        {},
        "volumes.0.host.sourcePath",
    ),
    "our worker's role": ({"job_role_arn": ROLE}, {}, {"worker_role_arn": ROLE}, "job_role_arn"),
}


@pytest.mark.parametrize(("more", "then", "now", "field"), OF_A_JOB.values(), ids=OF_A_JOB)
def test_a_site_without_groups_has_rules_as_well(site, more, then, now, field):
    http = site(**then)
    if (
        post(http, "/batch-jobs", {**ONE_JOB, "run_id": "e1", **more}).json_body["ended_at"]
        is None
    ):
        cancel(http, "e1")
    found = problem(post(site(**now), "/runs/e1/resume"), 403)
    assert found["errors"][0]["field"] == field
    assert post(site(**then), "/runs/e1/resume").status_code == 202


def test_a_definition_that_was_there_is_looked_at_again(site):
    site()
    there = {"image": "busybox", "job_definition_name": "d", "job_queue_name": "default",
             "job_role_arn": ROLE}  # fmt: skip
    arn = intake.define_job(there, bootstrap.ports())["job_definition_arn"]
    job = {"job_definition": arn, "job_queue": "default", "run_id": "e1"}
    kinds.start("batch-job", job, bootstrap.ports())
    run = bootstrap.ports().runs.load("e1")
    check_still_allowed(run, bootstrap.ports())
    site(has_local_paths=False)
    with pytest.raises(Forbidden, match="not for the jobs of this site"):
        check_still_allowed(run, bootstrap.ports())
