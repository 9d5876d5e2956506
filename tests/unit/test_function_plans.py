"""Requests for functions and the plans that they become: defaults, variables, keys, refusals."""

from __future__ import annotations

import json

import pytest

from chalicelib.core.errors import Forbidden, InvalidRequest, TooLarge
from chalicelib.core.function_requests import (
    BATCH_EXECUTOR,
    BATCH_LAMBDA,
    LAMBDA_FUNCTION,
    parse_function_request,
)
from chalicelib.core.options import Options
from chalicelib.core.plans.batch_invoked import Invocation, batch_invoked
from chalicelib.core.plans.functions import invocation, plan_call, plan_job
from chalicelib.core.plans.plan import CleanUpPolicy
from chalicelib.core.site import Site
from chalicelib.core.states.objects import task_id
from chalicelib.core.states.retries import BATCH_RETRY, LAMBDA_RETRY, S3_RETRY
from tests.unit.runs import UID

SITE = Site(env_base="dev-me", account_id="123456789012", allowed_functions=("lab-",))
FS = "fs-0a1000000000000a"
BODY = {"image": "ghcr.io/lab/tool:1", "handler": "pkg.handler", "payload": {"n": 1}}
PLACE = f"s3://falsework/scratch/r1/{task_id(UID, 'invoke')}/"
OF_SITE = {"env_base": "dev-me", "AWS_REGION": "us-east-1", "AWS_ACCOUNT_ID": "123456789012"}


def call_of(document, kind=BATCH_LAMBDA, site=SITE):
    return invocation(parse_function_request(kind, document, site), "r1")


def plan(document, kind=BATCH_LAMBDA, site=SITE):
    submission = parse_function_request(kind, document, site)
    if kind == LAMBDA_FUNCTION:
        return plan_call(submission, site)
    return plan_job(submission, invocation(submission, "r1"), "r1", UID, site)


class TestBatchLambda:
    def test_the_stages_are_those_of_the_construct(self):
        made = plan(BODY)
        assert [(each.name, each.after, each.retry) for each in made.stages] == [
            ("put-request", (), S3_RETRY),
            ("define-job", ("put-request",), BATCH_RETRY),
            ("invoke", ("define-job",), None),
            ("deregister", ("invoke",), BATCH_RETRY),
            ("read-response", ("invoke",), S3_RETRY),
        ]
        assert [each.name for each in made.stages if each.is_closing] == ["deregister"]
        assert made.clean_up is CleanUpPolicy.ALWAYS

    def test_the_container_gets_exactly_the_variables_of_the_contract(self):
        job = plan({**BODY, "name": "count"}).stage("invoke").action
        assert job.environment == {
            "AWS_LAMBDA_FUNCTION_NAME": "count",
            "AWS_LAMBDA_FUNCTION_HANDLER": "pkg.handler",
            "AWS_LAMBDA_EVENT_PAYLOAD": f"{PLACE}request.json",
            "AWS_LAMBDA_EVENT_RESPONSE_LOCATION": f"{PLACE}response.json",
            **OF_SITE,
        }
        assert (job.command, job.is_worker, job.queue) == (None, False, "default")

    def test_the_requests_own_variables_are_added_and_the_fixed_ones_win(self):
        given = {"A": "1", "AWS_REGION": "mars", "AWS_LAMBDA_FUNCTION_NAME": "x"}
        pairs = [{"Name": name, "Value": value} for name, value in given.items()]
        for environment in (given, pairs):
            told = plan({**BODY, "environment": environment}).stage("invoke").action.environment
            assert (told["A"], told["AWS_REGION"]) == ("1", "us-east-1")
            assert told["AWS_LAMBDA_FUNCTION_NAME"] == "batch-lambda"

    def test_our_own_worker_is_told_what_workers_are_told(self):
        site = SITE.model_copy(
            update={"worker_environment": {"T": "t"}, "worker_mounts": {FS: "/mnt"}}
        )
        made = plan({**BODY, "image": "falsework-worker"}, site=site)
        told = made.stage("invoke").action.environment
        assert told["T"] == "t"
        assert (told["EFS_MOUNT_POINT_ID_1"], told["EFS_MOUNT_POINT_PATH_1"]) == (FS, "/mnt")
        assert definition(made).command == ("falsework-worker", "lambda")
        assert "T" not in plan(BODY, site=site).stage("invoke").action.environment

    def test_the_request_is_put_as_json_and_a_text_as_it_is(self):
        put = plan(BODY).stage("put-request").action
        assert {uri: json.loads(text) for uri, text in put.documents.items()} == {
            f"{PLACE}request.json": {"n": 1}
        }
        assert put.result == {"Bucket": "falsework", "Key": f"{PLACE[15:]}request.json"}
        text = plan({**BODY, "payload": "as is"}).stage("put-request").action
        assert list(text.documents.values()) == ["as is"]

    def test_defaults_are_merged_under_the_request(self):
        call = call_of(BODY)
        assert call.resource_requirements == (
            {"type": "MEMORY", "value": "1024"}, {"type": "VCPU", "value": "1"},
        )  # fmt: skip
        assert (call.queue, call.bucket, call.job_role_arn, call.command) == (
            "default", "falsework", None, (),
        )  # fmt: skip
        own = {
            "job_queue": "spot", "memory": 2048, "vcpus": "0.5", "gpu": "1", "jobRoleArn": "arn:r",
            "bucketName": "lab", "key_prefix": "x/", "command": ["run"],
        }  # fmt: skip
        call = call_of({**BODY, **own})
        assert [each["value"] for each in call.resource_requirements] == ["1", "2048", "0.5"]
        assert (call.queue, call.bucket, call.job_role_arn, call.command, call.key_prefix) == (
            "spot", "lab", "arn:r", ("run",), "x/",
        )  # fmt: skip

    def test_null_wins_over_a_default_and_zero_asks_for_nothing(self):
        assert call_of({**BODY, "memory": None, "vcpus": 0}).resource_requirements == ()
        assert call_of({**BODY, "job_role_arn": None}).job_role_arn is None

    def test_references_are_looked_up_in_the_payload(self):
        pair = {"Name": "A", "Value": "1"}
        found = {"i": "img", "h": "h.h", "q": "spot", "b": "lab", "e": [pair]}
        names = {"image": "$.i", "job_queue": "$.q", "bucket_name": "$.b", "environment": "$.e"}
        handler = "States.Format('{}.x', $.h)"
        call = call_of({**names, "handler": handler, "payload": found, "payload_path": "$.e[0]"})
        assert (call.image, call.queue, call.bucket) == ("img", "spot", "lab")
        assert call.handler == "h.h.x"
        assert (call.environment, call.payload) == ({"A": "1"}, pair)
        assert call_of({**BODY, "handler": "$$.Execution.Name"}).handler == "r1"

    def test_the_definition_is_the_runs_own_and_tried_again_by_us(self):
        mounts = {"mount_point_configs": [{"file_system": FS, "container_path": "/data"}]}
        found = definition(plan({**BODY, "name": "get stats", **mounts}))
        assert found.name == f"dev-me-get-stats-{UID}"
        assert found.retry_strategy["attempts"] == 5
        assert found.volumes[0]["efsVolumeConfiguration"]["rootDirectory"] == "/"
        assert found.mount_points[0]["containerPath"] == "/data"
        plain = {"MountPoints": [], "Volumes": []}
        assert definition(plan({**BODY, **plain})).volumes == ()

    def test_options_hold(self):
        options = {"max_attempts": 2, "timeout_seconds": {"invoke": 60, "run": 90},
                   "fallback_job_queue_name": "on-demand"}  # fmt: skip
        made = plan({**BODY, "options": options})
        assert (made.max_attempts, made.timeout_seconds) == (2, 90)
        assert made.stage("invoke").timeout_seconds == 60
        assert made.stage("invoke").action.fallback_queue == "on-demand"

    def test_several_chains_stand_in_one_plan(self):
        call = Invocation(name="n", image="i", handler="h", queue="q", bucket="bkt", payload=1)
        first = batch_invoked(call, "r1", UID, SITE, prefix="a-")
        second = batch_invoked(call, "r1", UID, SITE, prefix="b-", after=("a-read-response",))
        names = [each.name for each in (*first, *second)]
        assert len(set(names)) == 10
        assert second[0].after == ("a-read-response",)
        keys = {each.action.definition for each in (first[2], second[2])}
        assert keys == {"a-function", "b-function"}
        places = {uri for each in (first[0], second[0]) for uri in each.action.documents}
        assert len(places) == 2

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"image": None}, "image"),
            ({"handler": ""}, "handler"),
            ({"handler": "a\0b"}, "handler"),
            ({"handler": "$.none"}, "handler.$.none"),
            ({"handler": "$.n"}, "handler"),
            ({"payload_path": "$.none"}, "payload_path.$.none"),
            ({"payload_path": "n"}, "payload_path.n"),
            ({"memory": "lots"}, "memory"),
            ({"memory": True}, "memory"),
            ({"vcpus": "-1"}, "vcpus"),
            ({"environment": {"FALSEWORK_X": "1"}}, "environment.FALSEWORK_X"),
            ({"environment": {"AWS_BATCH_X": "1"}}, "environment.AWS_BATCH_X"),
            ({"environment": {"A": 1}}, "environment.A"),
            ({"environment": "$.n"}, "environment"),
            ({"environment": "text"}, "environment"),
            ({"platform_capabilities": ["FARGATE"]}, "platform_capabilities.0"),
            ({"bucket_name": "a/b"}, "bucket_name.uri"),
            ({"key_prefix": "a/../"}, "key_prefix.uri"),
            ({"key_prefix": "a b"}, "key_prefix"),
            ({"mount_points": [{"sourceVolume": "v"}]}, "mount_points.0.sourceVolume"),
            ({"kind": "lambda-function"}, "kind"),
            ({"run_id": "a b"}, "run_id"),
            ({"options": {"secrets": {"A": "b"}}}, "options.secrets"),
            ({"options": {"cleanup": "never"}}, "options.cleanup"),
            ({"options": {"timeout_seconds": {"execute": 5}}},
             "options.timeout_seconds.execute"),
        ],
    )  # fmt: skip
    def test_a_bad_request_names_its_field(self, changes, field):
        with pytest.raises(InvalidRequest) as refused:
            plan({**BODY, **changes})
        assert refused.value.field == field
        assert refused.value.mend

    @pytest.mark.parametrize("name", ["image", "handler", "payload"])
    def test_three_fields_must_be_given(self, name):
        with pytest.raises(InvalidRequest) as refused:
            plan({key: value for key, value in BODY.items() if key != name})
        assert refused.value.field == name

    def test_mount_points_are_described_once(self):
        config = [{"file_system": FS, "container_path": "/data"}]
        with pytest.raises(InvalidRequest, match="twice") as refused:
            plan({**BODY, "mount_point_configs": config, "volumes": [{"name": "v"}]})
        assert refused.value.field == "mount_point_configs"

    def test_more_than_batch_takes_is_refused_at_once(self):
        with pytest.raises(TooLarge) as refused:
            plan({**BODY, "environment": {"A": "x" * 8000}})
        assert refused.value.field == "environment"

    def test_the_plan_keeps_the_request_and_its_digest(self):
        spelt = {**BODY, "memory": "1024", "kind": BATCH_LAMBDA, "options": {}}
        assert plan(BODY).request_digest == plan(spelt).request_digest
        assert plan(BODY).request_digest != plan({**BODY, "payload": {"n": 2}}).request_digest
        assert plan(BODY).request["options"] == Options().model_dump(exclude_none=True)


class TestBatchExecutor:
    BODY = {"image": "i", "executor": "pkg.Run", "payload": {"n": 1}}

    def test_the_command_says_everything_and_the_variables_only_where(self):
        made = plan({**self.BODY, "environment": {"A": "1"}}, BATCH_EXECUTOR)
        assert definition(made).command == (
            "run_cli_executor", "--executor", "pkg.Run",
            "--input", f"{PLACE}request.json", "--output-location", f"{PLACE}response.json",
        )  # fmt: skip
        assert made.stage("invoke").action.environment == {"A": "1", **OF_SITE}

    def test_its_environment_may_be_a_reference(self):
        call = call_of({**self.BODY, "environment": "$.e", "payload": {"e": {"A": "1"}}},
                       BATCH_EXECUTOR)  # fmt: skip
        assert call.environment == {"A": "1"}

    def test_an_executor_is_needed(self):
        with pytest.raises(InvalidRequest) as refused:
            plan(BODY, BATCH_EXECUTOR)
        assert refused.value.field == "executor"


class TestLambdaFunction:
    def test_it_is_one_call_with_its_row(self):
        body = {"function_name": "lab-count", "payload": {"in": [1]}, "payload_path": "$.in"}
        (stage,) = plan(body, LAMBDA_FUNCTION).stages
        assert (stage.name, stage.retry) == ("invoke", LAMBDA_RETRY)
        assert (stage.action.function, stage.action.payload) == ("lab-count", "[1]")

    def test_without_a_payload_it_is_an_empty_object(self):
        (stage,) = plan({"function_name": "lab-count"}, LAMBDA_FUNCTION).stages
        assert stage.action.payload == "{}"

    @pytest.mark.parametrize("site", [SITE, Site()], ids=["others are", "none is"])
    def test_what_the_site_does_not_allow_is_forbidden(self, site):
        with pytest.raises(Forbidden) as refused:
            plan({"function_name": "other"}, LAMBDA_FUNCTION, site)
        assert (refused.value.field, refused.value.value) == ("function_name", "other")

    def test_a_name_is_a_name(self):
        with pytest.raises(InvalidRequest) as refused:
            plan({"function_name": "a b"}, LAMBDA_FUNCTION)
        assert refused.value.field == "function_name"


def definition(made):
    return made.stage("define-job").action.definitions["function"]
