"""Batch jobs as runs: of a definition of their own or of one that is there, at home and on AWS."""

from __future__ import annotations

import boto3
import pytest

from chalicelib import bootstrap, intake, kinds
from chalicelib.core.errors import Forbidden, InvalidRequest
from chalicelib.core.group_rules import GroupRules
from chalicelib.core.run import RunState
from chalicelib.core.states.failures import failure_of, output_of
from chalicelib.local.folders import OWN_FILE_SYSTEM_ID as FS
from tests.flow.aws_worlds import IMAGE, aws_account
from tests.flow.test_data_sync_runs import Home
from tests.flow.test_function_runs import definitions

TOOL = "ghcr.io/lab/tool:1"


@pytest.fixture
def home(tmp_path):
    yield Home(tmp_path)
    bootstrap.use(bootstrap.settings().model_copy(update={"root": tmp_path / "gone"}))


def job(home, **document):
    return kinds.start("batch-job", document, home.home.ports)


def shell(script, **more):
    return {"image": TOOL, "command": ["/bin/sh", "-ec", script], **more}


def test_the_result_tells_which_job_it_was_and_the_definition_goes(home, tmp_path):
    script = f'printf "$A $FALSEWORK_RUN_ID" > {tmp_path}/told'
    run = home.drive(job(home, run_id="j", **shell(script, environment={"A": "a"})).id)
    assert run.state is RunState.SUCCESS, run.error
    assert (tmp_path / "told").read_text() == "a j"
    told, (seen,) = output_of(run), home.home.ports.jobs.find("default", run.jobs[-1].name)
    assert (told["JobName"], told["JobId"]) == (seen.name, seen.job_id)
    assert told["JobArn"] == f"arn:aws:batch:us-east-1:000000000000:job/{seen.job_id}"
    assert definitions(home) == []


def test_a_failure_is_the_jobs_and_the_definition_goes_all_the_same(home):
    run = home.drive(job(home, **shell("exit 3")).id)
    assert (run.state, run.error.cause, failure_of(run).Error) == (
        RunState.ERROR, "user", "States.TaskFailed",
    )  # fmt: skip
    assert definitions(home) == []


def test_what_create_definition_answers_is_submitted_as_it_stands(home, tmp_path):
    created = intake.define_job(
        {
            "image": TOOL,
            "job_definition_name": "dev-me",
            "job_queue_name": "default",
            "command": ["/bin/sh", "-ec", f'printf "$A $B" > {tmp_path}/told'],
            "environment": {"A": "a", "B": "b"},
        },
        home.home.ports,
    )
    before = definitions(home)
    overrides = {"Environment": [{"Name": "B", "Value": "other"}]}
    both = [*created["container_overrides"]["Environment"], *overrides["Environment"]]
    run = job(home, **{**created, "container_overrides": {"Environment": both}})
    assert home.drive(run.id).state is RunState.SUCCESS
    assert (tmp_path / "told").read_text() == "a other"
    assert run.plan.stage("submit").action.tags["job_name"] == created["job_name"]
    assert definitions(home) == before


def test_parameters_stand_for_the_references_of_the_command(home, tmp_path):
    command = ["/bin/sh", "-ec", 'printf "$0 $1" > told', "Ref::a", "Ref::other"]
    run = home.drive(
        job(home, image=TOOL, parameters={"a": "x"},
            command=[*command[:2], f"cd {tmp_path}; {command[2]}", *command[3:]]).id
    )  # fmt: skip
    assert run.state is RunState.SUCCESS, run.error
    assert (tmp_path / "told").read_text() == "x Ref::other"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"job_queue": "other"}, "job_queue"),
        ({"job_role_arn": "arn:other"}, "job_role_arn"),
        ({"volumes": [{"name": "v", "host": {"sourcePath": "/"}}]}, "volumes.0.host.sourcePath"),
        (
            {"volumes": [{"name": "v", "efsVolumeConfiguration": {"fileSystemId": FS}}]},
            "volumes.0",
        ),
        ({"privileged": True}, "privileged"),
    ],
)
def test_what_the_group_or_the_site_does_not_allow_is_forbidden(home, changes, field):
    rules = GroupRules(job_queues=("default",), job_roles=("arn:own",), roots=("/data",))
    ports = home.home.ports
    strict = ports._replace(site=ports.site.model_copy(update={"groups": {"default": rules}}))
    with pytest.raises(Forbidden) as refused:
        kinds.start("batch-job", shell("true", **changes), strict)
    assert refused.value.field == field


class TestOnAws:
    def registered(self, **container):
        batch = boto3.client("batch", region_name="us-east-1")
        told = {"image": IMAGE, "vcpus": 4, "memory": 512, **container}
        return batch.register_job_definition(
            jobDefinitionName="theirs", type="container", containerProperties=told
        )["jobDefinitionArn"]

    def test_a_definition_that_is_there_is_used_and_stays(self):
        with aws_account() as world:
            arn = self.registered()
            document = {"kind": "batch-job", "run_id": "j", "job_definition": "theirs",
                        "job_queue": "default", "memory": 1024}  # fmt: skip
            world.submit_by_queue(document)
            plan = world.run("j").plan.stage("submit").action
            assert (plan.definition, plan.resource_requirements) == (
                arn,
                ({"type": "MEMORY", "value": "1024"}, {"type": "VCPU", "value": "4"}),
            )
            (job_id,) = world.waiting("j")
            world.finish(job_id)
            world.tell(job_id, "SUCCEEDED")
            run = world.run("j")
            assert (run.state, run.settled_at is None) == (RunState.SUCCESS, False)
            assert output_of(run)["JobId"] == job_id
            assert world.home.ports.definitions.describe(arn).arn == arn

    @pytest.mark.parametrize(
        ("container", "error"),
        [
            ({"jobRoleArn": "arn:aws:iam::123456789012:role/admin"}, Forbidden),
            ({"privileged": True}, Forbidden),
            ({"linuxParameters": {"devices": [{"hostPath": "/dev/mem"}]}}, Forbidden),
            ({"secrets": [{"name": "S", "valueFrom": "arn:s"}]}, Forbidden),
        ],
        ids=["role", "privileged", "device", "secret"],
    )
    def test_what_a_definition_allows_counts_as_the_requests_own(self, container, error):
        with aws_account() as world:
            arn = self.registered(**container)
            rules = {"default": GroupRules(job_roles=())}
            ports = world.home.ports
            ports = ports._replace(site=ports.site.model_copy(update={"groups": rules}))
            document = {"job_definition": arn, "job_queue": "default"}
            with pytest.raises(error):
                kinds.start("batch-job", document, ports)

    @pytest.mark.parametrize(
        ("role", "is_allowed"),
        [("billing", False), ("falsework-job-worker", False), ("falsework-user-lab", True)],
        ids=["another team's", "our worker's", "for users' jobs"],
    )
    def test_a_definitions_role_is_had_only_if_it_is_for_users_jobs(self, role, is_allowed):
        with aws_account() as world:
            arn = self.registered(jobRoleArn=f"arn:aws:iam::123456789012:role/{role}")
            document = {"job_definition": arn, "job_queue": "default"}
            if is_allowed:
                kinds.start("batch-job", document, world.home.ports)
                return
            with pytest.raises(Forbidden, match=role):
                kinds.start("batch-job", document, world.home.ports)

    @pytest.mark.parametrize("kind", ["batch-job", "batch-lambda"])
    def test_no_job_gets_the_role_that_reads_secrets_unasked(self, kind):
        role = "arn:aws:iam::123456789012:role/starts-jobs"
        document = {"job_queue": "default", "image": IMAGE, "job_role_arn": role}
        document |= {"handler": "h.h", "payload": {}} if kind == "batch-lambda" else {}
        with aws_account() as world:
            world.restart(job_execution_role_arn=role)
            with pytest.raises(Forbidden, match="starts-jobs"):
                kinds.start(kind, document, world.home.ports)

    def test_one_that_was_taken_back_is_none(self):
        with aws_account() as world:
            arn = self.registered()
            world.home.ports.definitions.deregister(arn)
            for name in (arn, "theirs", "theirs:1", "never"):
                with pytest.raises(InvalidRequest, match="no active job definition"):
                    kinds.start("batch-job", {"job_definition": name}, world.home.ports)
