from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib import calls
from chalicelib.core.demand.scaffolding import prepare
from chalicelib.core.plans.demand_execution import plan_demand
from chalicelib.core.plans.plan import (
    CleanUpPolicy,
    JobAction,
    NoAction,
    Plan,
    PutDocuments,
    RetryPolicy,
    WriteFile,
)
from chalicelib.core.run import StageStatus
from chalicelib.core.site import Site
from chalicelib.core.submission import parse_submission
from chalicelib.core.worker_documents import CleanUpOrder, StageInOrder, StageOutOrder, read_order
from chalicelib.local.folders import own_file_systems
from tests.flow.worlds import a_demand
from tests.unit.runs import UID, a_run

SITE = Site(allowed_secrets=("arn:",))


def the_plan(
    *, has_file_systems: bool = True, site: Site = SITE, document: Any = None, **options: Any
) -> Plan:
    submission = parse_submission({**(document or a_demand()), "options": options})
    scaffolding = prepare(
        submission.request, site, own_file_systems(site), privileged=submission.options.privileged
    )
    return plan_demand(submission, scaffolding, site, UID, has_file_systems=has_file_systems)


def without_data() -> dict[str, Any]:
    return a_demand(execution_parameters={"command": ["true"]})


def order(plan: Plan, name: str) -> Any:
    (action,) = [stage.action for stage in plan.stages if stage.name == "scaffold"]
    assert isinstance(action, PutDocuments)
    (uri,) = action.documents
    return read_order(lambda place: action.documents[place].encode(), f"{uri}#{name}")


def actions(plan: Plan) -> dict[str, str]:
    return {stage.name: stage.action.action for stage in plan.stages}


def test_a_demand_with_inputs_and_outputs_has_four_jobs():
    assert actions(the_plan()) == {
        "scaffold": "put-documents",
        "define-jobs": "define-jobs",
        "stage-in": "job",
        "execute": "job",
        "stage-out": "job",
        "clean-up": "job",
    }


def test_without_inputs_and_outputs_only_execute_and_clean_up_cost_a_job():
    plan = the_plan(document=without_data())
    assert actions(plan)["stage-in"] == "write-file"
    assert actions(plan)["stage-out"] == "none"
    assert [s.name for s in plan.stages if s.action.action == "job"] == ["execute", "clean-up"]


def test_the_environment_file_needs_a_job_where_file_systems_are_not_at_hand():
    plan = the_plan(document=without_data(), has_file_systems=False)
    assert actions(plan)["stage-in"] == "job"
    files = StageInOrder.model_validate_json(order(plan, "stage-in")).files
    assert [file.path for file in files] == ["fs-0000000000000001:/scratch/e1/.demand.env"]


def test_the_call_writes_what_scaffolding_made():
    action = the_plan(document=without_data()).stage("stage-in").action
    assert isinstance(action, WriteFile)
    assert action.text == 'export EXECUTION_ID="e1"'


def test_without_an_environment_file_there_is_nothing_to_stage():
    document = {
        "demand_execution": without_data(),
        "context_manager_configuration": {"env_file_write_mode": "NEVER"},
    }
    assert actions(the_plan(document=document))["stage-in"] == "none"


def test_each_stage_comes_after_the_one_before_and_only_clean_up_closes():
    plan = the_plan()
    names = [stage.name for stage in plan.stages]
    assert [stage.after for stage in plan.stages] == [(), *((name,) for name in names[:-1])]
    assert [stage.name for stage in plan.stages if stage.is_closing] == ["clean-up"]


class TestLimits:
    def test_nothing_given_is_the_plans_own(self):
        plan, bare = the_plan(), Plan(stages=())
        assert (plan.retry_policy, plan.max_attempts) == (RetryPolicy.NONE, 1)
        assert plan.timeout_seconds == bare.timeout_seconds
        assert plan.queue_wait_timeout_seconds is None
        assert {stage.timeout_seconds for stage in plan.stages} == {None}

    def test_what_is_given_is_the_plans(self):
        plan = the_plan(
            retry_policy="GLOBAL",
            max_attempts=7,
            timeout_seconds={"run": 600, "execute": 60},
            queue_wait_timeout_seconds=90,
        )
        assert (plan.retry_policy, plan.max_attempts) == (RetryPolicy.GLOBAL, 7)
        assert (plan.timeout_seconds, plan.queue_wait_timeout_seconds) == (600, 90)
        assert [stage.timeout_seconds for stage in plan.stages] == [
            None, None, None, 60, None, None
        ]  # fmt: skip

    def test_what_lies_in_the_working_directory_is_of_stage_in_and_execute(self):
        assert [stage.name for stage in the_plan().stages if stage.has_files] == [
            "stage-in", "execute"
        ]  # fmt: skip

    @pytest.mark.parametrize("queue", [None, "spare"])
    def test_every_job_has_the_fallback_queue_and_the_preparation_too(self, queue):
        given = {"fallback_job_queue_name": queue} if queue else {}
        jobs = [s.action for s in the_plan(**given).stages if isinstance(s.action, JobAction)]
        prepared = [job.preparation for job in jobs if job.preparation]
        assert [job.fallback_queue for job in (*jobs, *prepared)] == [queue] * 5

    @pytest.mark.parametrize("document", [None, without_data()], ids=["data", "no data"])
    def test_execute_is_prepared_by_staging_in_again(self, document):
        plan = the_plan(document=document)
        preparations = {
            stage.name: stage.action.preparation
            for stage in plan.stages
            if isinstance(stage.action, JobAction) and stage.action.preparation
        }
        assert list(preparations) == ["execute"]
        preparation = preparations["execute"]
        assert preparation.command == ("falsework-worker", "stage-in", "--again")
        assert (preparation.is_worker, preparation.definition) == (True, "worker")
        uri = preparation.environment["FALSEWORK_REQUEST_URI"]
        assert uri.endswith("/orders.json#stage-in")
        assert StageInOrder.model_validate_json(order(plan, "stage-in"))


class TestOrders:
    def test_stage_in_brings_each_input_to_its_place(self):
        syncs = StageInOrder.model_validate_json(order(the_plan(), "stage-in")).syncs
        assert [(s.param, s.request.source_path, s.request.destination_path) for s in syncs] == [
            ("reads", "s3://data/reads", "fs-0000000000000001:/scratch/e1/reads"),
            ("ref", "s3://data/ref", "fs-0000000000000001:/scratch/e1/tmpbdf0c7d4"),
        ]

    def test_stage_out_deletes_nothing_unless_the_site_mirrors(self):
        for site, deletes in (
            (SITE, False),
            (SITE.model_copy(update={"mirror_outputs": True}), True),
        ):
            (sync,) = StageOutOrder.model_validate_json(
                order(the_plan(site=site), "stage-out")
            ).syncs
            assert (sync.param, sync.request.delete) == ("out", deletes)

    def test_clean_up_knows_the_root_and_the_outputs(self):
        found = CleanUpOrder.model_validate_json(order(the_plan(), "clean-up"))
        assert found.root == "fs-0000000000000001:/scratch/e1"
        assert found.outputs == ("fs-0000000000000001:/scratch/e1/out",)
        assert found.paths[-1] == found.root

    def test_all_orders_stand_below_the_runs_own_prefix(self):
        action = the_plan().stage("scaffold").action
        assert isinstance(action, PutDocuments)
        assert all(uri.startswith(f"s3://falsework/runs/e1/{UID}/") for uri in action.documents)


class TestCleanUp:
    def keeping(self) -> dict[str, Any]:
        return {
            "demand_execution": a_demand(),
            "context_manager_configuration": {
                "cleanup_inputs": False,
                "cleanup_working_dir": False,
            },
        }

    def test_never_means_never(self):
        action = the_plan(cleanup="never").stage("clean-up").action
        assert action == NoAction(message="nothing is removed: options.cleanup is never")

    def test_the_requests_switches_count(self):
        assert actions(the_plan(document=self.keeping()))["clean-up"] == "none"

    @pytest.mark.parametrize("policy", ["always", "on_success"])
    def test_the_option_wins_over_the_switches(self, policy):
        plan = the_plan(document=self.keeping(), cleanup=policy)
        assert plan.clean_up is CleanUpPolicy(policy)
        assert CleanUpOrder.model_validate_json(order(plan, "clean-up")).paths == (
            "fs-0000000000000001:/scratch/e1",
        )


class TestDefinitions:
    def definitions(self, **options: Any):
        return the_plan(**options).stage("define-jobs").action.definitions

    def test_the_worker_may_write_on_every_volume_and_the_user_not_on_the_shared_one(self):
        found = self.definitions()
        assert [m["readOnly"] for m in found["user"].mount_points] == [False, True]
        assert [m["readOnly"] for m in found["worker"].mount_points] == [False, False]
        assert found["worker"].volumes == found["user"].volumes

    def test_secrets_are_references(self):
        found = self.definitions(secrets={"TOKEN": "arn:aws:secretsmanager:s"})
        assert found["user"].secrets == {"TOKEN": "arn:aws:secretsmanager:s"}
        assert found["worker"].secrets == {}

    def test_nothing_is_privileged_by_default(self):
        assert not any(job.privileged for job in self.definitions().values())

    def test_tags_are_merged_with_the_sites_defaults_under_the_requests_own(self):
        site = SITE.model_copy(update={"default_tags": {"team": "a", "cost": "1"}})
        document = a_demand(execution_metadata={"tags": {"team": "b"}, "user": "ada"})
        tags = self.definitions(site=site, document=document)["user"].tags
        assert tags == {"team": "b", "cost": "1", "USER": "ada"}


class TestDigests:
    def test_the_same_content_in_another_spelling_has_the_same_digest(self):
        camel = {
            "executionType": "align",
            "executionId": "e1",
            "executionImage": "python:3.11",
            "executionParameters": a_demand()["execution_parameters"],
            "executionPlatform": {"awsBatch": {"jobQueueName": "default"}},
            "unknown": 1,
        }
        assert parse_submission(camel).digest() == parse_submission(a_demand()).digest()

    @pytest.mark.parametrize(
        "changed",
        [
            {**a_demand(), "options": {"cleanup": "never"}},
            a_demand(execution_image="python:3.12"),
            {
                "demand_execution": a_demand(),
                "context_manager_configuration": {"isolate_inputs": False},
            },
        ],
    )
    def test_other_content_has_another_one(self, changed):
        assert parse_submission(changed).digest() != parse_submission(a_demand()).digest()


class TestJobRequests:
    def job(self, run, stage):
        return calls.job_request(run, run.job(stage))

    def test_a_job_knows_who_it_is(self):
        run = a_run(until="execute")
        request = self.job(run, "execute")
        assert request.environment == {
            "FALSEWORK_RUN_ID": "r1",
            "FALSEWORK_STAGE": "execute",
            "FALSEWORK_SERIAL": "2",
            "FALSEWORK_JOB_NAME": f"falsework-{UID}-execute-2",
        }
        assert request.tags["falsework:run"] == "r1"

    def test_a_worker_knows_where_its_outcome_goes(self):
        environment = self.job(a_run(until="stage-in"), "stage-in").environment
        uri = f"s3://f/out/falsework-{UID}-stage-in-1.json"
        assert environment["FALSEWORK_OUTCOME_URI"] == uri

    def test_clean_up_keeps_the_outputs_until_they_are_saved(self):
        plan = the_plan(cleanup="always")
        run = a_run(until="clean-up").model_copy(update={"plan": plan})
        assert self.job(run, "clean-up").command == ("falsework-worker", "clean-up")
        unsaved = tuple(
            stage.model_copy(update={"status": StageStatus.CREATED, "result": None})
            if stage.stage_name == "stage-out"
            else stage
            for stage in run.stages
        )
        command = self.job(run.model_copy(update={"stages": unsaved}), "clean-up").command
        assert command == ("falsework-worker", "clean-up", "--keep-outputs")


def test_a_plan_survives_being_stored():
    plan = the_plan()
    assert Plan.model_validate_json(plan.model_dump_json()) == plan
    assert json.loads(plan.model_dump_json())["stages"][0]["name"] == "scaffold"
