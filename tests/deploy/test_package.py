"""``chalice package``: all that ``app.py`` holds is in the templates, and what Chalice lacks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from infra import policies
from infra.lambda_python import CHECKOUT
from infra.templates import read
from tests.deploy.running import in_project

HANDLERS = {
    "app.app": 60,
    "app.on_cleanup_time": 60,
    "app.on_job_change": 60,
    "app.on_notice": 120,
    "app.on_object_created": 300,
    "app.on_submission": 300,
    "app.on_sweep": 300,
    "app.on_wake": 60,
}
EVENT_FAILURES = "${Name}-event-failures"


@pytest.fixture(scope="module")
def resources(packaged):
    return read(packaged / "sam.yaml")["Resources"]


def properties(resources, kind):
    return [each["Properties"] for each in resources.values() if each["Type"] == kind]


@pytest.fixture(scope="module")
def functions(resources):
    found = properties(resources, "AWS::Serverless::Function")
    return {function["Handler"]: function for function in found}


def source(function):
    (event,) = function["Events"].values()
    return event["Type"], event["Properties"]


def test_every_handler_is_a_function_with_time_enough(functions):
    assert {name: each["Timeout"] for name, each in functions.items()} == HANDLERS


def test_every_function_has_the_name_that_alarms_and_policies_mean(functions):
    for handler, function in functions.items():
        end = "" if handler == "app.app" else f"-{handler.removeprefix('app.')}"
        assert function["FunctionName"] == {"Fn::Sub": f"${{Name}}{end}"}


def test_lambda_runs_a_python_that_has_years_to_live(functions):
    for function in functions.values():
        assert tuple(map(int, function["Runtime"].removeprefix("python").split("."))) >= (3, 12)


@pytest.mark.parametrize("name", ["submission", "wake", "notice"])
def test_a_queue_is_told_which_messages_failed_and_the_function_knows(functions, name):
    function = functions[f"app.on_{name}"]
    kind, about = source(function)
    assert (kind, about["BatchSize"]) == ("SQS", 10)
    assert about["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert about["ScalingConfig"] == {"MaximumConcurrency": 5 if name == "notice" else 10}
    told = function["Environment"]["Variables"]["FALSEWORK_REPORTS_BATCH_ITEM_FAILURES"]
    assert told == "true"
    queue = {"submission": "submissions", "notice": "notices"}.get(name, name)
    assert about["Queue"]["Fn::Sub"].endswith(f":falsework-dev-{queue}")


def test_only_the_wake_function_may_send_itself_messages_without_end(functions):
    allowed = {name for name, each in functions.items() if each.get("RecursiveLoop") == "Allow"}
    assert allowed == {"app.on_wake"}


@pytest.mark.parametrize(
    ("handler", "kind"),
    [("object_created", "CloudWatchEvent"), ("job_change", "CloudWatchEvent"),
     ("cleanup_time", "Schedule")],
)  # fmt: skip
def test_an_event_that_cannot_be_delivered_or_taken_in_is_kept(functions, handler, kind):
    function = functions[f"app.on_{handler}"]
    found, about = source(function)
    assert found == kind
    assert about["DeadLetterConfig"]["Arn"]["Fn::Sub"].endswith(EVENT_FAILURES)
    kept = function["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]
    assert kept["Destination"]["Fn::Sub"].endswith(EVENT_FAILURES)


def test_the_sweep_comes_every_minute_and_is_not_tried_again(functions):
    kind, about = source(functions["app.on_sweep"])
    assert (kind, about["Schedule"]) == ("Schedule", "rate(1 minute)")
    assert functions["app.on_sweep"]["EventInvokeConfig"]["MaximumRetryAttempts"] == 0
    assert source(functions["app.on_cleanup_time"])[1]["Schedule"] == "cron(0 9 * * ? *)"


def test_every_function_has_a_role_with_its_own_policy(resources, functions):
    for handler, function in functions.items():
        name = "api_handler" if handler == "app.app" else handler.removeprefix("app.")
        role = resources[function["Role"]["Fn::GetAtt"][0]]["Properties"]
        (own,) = role["Policies"]
        assert own["PolicyDocument"] == policies.policy(name, "dev")


def test_a_function_comes_after_its_log_group_and_so_never_makes_it(resources):
    for name, resource in resources.items():
        if resource["Type"] == "AWS::Serverless::Function":
            assert resource["DependsOn"] == f"{name}LogGroup"
            assert resources[resource["DependsOn"]]["Type"] == "AWS::Logs::LogGroup"


def test_every_role_has_the_boundary_that_the_stack_is_told(resources):
    roles = properties(resources, "AWS::IAM::Role")
    assert len(roles) == len(HANDLERS)
    for role in roles:
        condition, there, _ = role["PermissionsBoundary"]["Fn::If"]
        assert (condition, there) == ("HasBoundary", {"Ref": "PermissionsBoundary"})


def test_the_api_has_one_stage(resources):
    """SAM makes a second one, "Stage", for an API that does not say its OpenApiVersion."""
    (api,) = properties(resources, "AWS::Serverless::Api")
    assert (api["StageName"], api["OpenApiVersion"]) == ("api", "2.0")
    assert api["DefinitionBody"]["swagger"] == "2.0"


def test_the_merge_template_names_nothing_that_chalice_does_not_make(resources):
    assert all("Type" in resource for resource in resources.values())


def test_the_packaged_template_passes_cfn_lint_without_a_warning(packaged):
    done = lint(packaged / "sam.yaml")
    assert (done.returncode, done.stdout) == (0, "")


def test_terraform_is_given_every_function_too(packaged, built, lambda_python, tmp_path):
    words = ("package", "--stage", "dev", "--pkg-format", "terraform", str(tmp_path / "out"))
    done = in_project(lambda_python, built, *words)
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "out" / "chalice.tf.json").read_text())["resource"]
    assert {each["handler"] for each in told["aws_lambda_function"].values()} == set(HANDLERS)
    assert len(told["aws_iam_role_policy"]) == len(HANDLERS)
    assert len(told["aws_lambda_event_source_mapping"]) == 3
    assert (tmp_path / "out" / "deployment.zip").stat().st_size


def test_what_is_listened_to_comes_from_the_stages_environment():
    code = (
        "import json, app; print(json.dumps([[getattr(e, 'queue', ''),"
        " getattr(e, 'event_pattern', {}).get('detail')] for e in app.app.event_sources]))"
    )
    environment = {
        "FALSEWORK_SUBMISSIONS_QUEUE": "s-queue",
        "FALSEWORK_WAKE_QUEUE": "w-queue",
        "FALSEWORK_REQUESTS_BUCKET": "r-bucket",
        "FALSEWORK_PREFIX": "p",
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.dumps(json.loads(done.stdout))
    for word in ('"s-queue"', '"w-queue"', '"r-bucket"', '"p-"'):
        assert word in told


def lint(template: Path) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).with_name("cfn-lint"), "--template", str(template)]
    return subprocess.run(command, capture_output=True, text=True, check=False)
