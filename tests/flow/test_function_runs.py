"""Functions as runs of the embedded home: real jobs, real workers, real objects in folders."""

from __future__ import annotations

import json

import pytest

from chalicelib import bootstrap, engine, function_intake
from chalicelib.core.errors import Conflict, InvalidRequest
from chalicelib.core.events import CancelRequested, ResumeRequested
from chalicelib.core.function_requests import BATCH_EXECUTOR, BATCH_LAMBDA, LAMBDA_FUNCTION
from chalicelib.core.run import RunState, StageStatus
from chalicelib.core.states.failures import StatesFailure, failure_of, output_of
from chalicelib.core.states.responses import BAD_RESPONSE, NO_RESPONSE
from chalicelib.core.why import why
from chalicelib.local.folders import OWN_FILE_SYSTEM_ID as FS
from tests.flow.test_data_sync_runs import Home

STATS = "aibs_informatics_aws_lambda.handlers.data_sync.get_data_path_stats_handler"
OBJECT = 'F="$FALSEWORK_ROOT/s3/${%s#s3://}"; mkdir -p "$(dirname "$F")"; '
ANSWER = OBJECT % "AWS_LAMBDA_EVENT_RESPONSE_LOCATION"


@pytest.fixture
def home(tmp_path):
    yield Home(tmp_path)
    bootstrap.use(bootstrap.settings().model_copy(update={"root": tmp_path / "gone"}))


def submitted(home, kind, **document):
    return function_intake.submit_function(kind, document, home.home.ports)


def done(home, kind, **document):
    return home.drive(submitted(home, kind, **document).id)


def shell(script, **more):
    """A handler that is a shell script; its image is only a name here."""
    return {
        "image": "ghcr.io/lab/tool:1",
        "handler": "tool.handler",
        "payload": {"n": 1},
        "command": ["/bin/sh", "-ec", script],
        **more,
    }


def definitions(home):
    with home.home.database.reading() as connection:
        return [row["arn"] for row in connection.execute("SELECT arn FROM definitions")]


def test_our_own_worker_serves_a_handler_and_its_response_is_the_runs_result(home):
    home.fill("efs", "scratch/x", "a", "b/1")
    path = f"{FS}:/scratch/x"
    run = done(home, BATCH_LAMBDA, image=home.home.ports.site.worker_image, handler=STATS,
               payload={"path": path}, name="get-data-path-stats", run_id="stats")  # fmt: skip
    assert run.state is RunState.SUCCESS, run.error
    assert output_of(run)["path_stats"]["size_bytes"] == 16
    place = run.stage("put-request").result
    folder, name = place["Key"].rsplit("/", 1)
    assert (place["Bucket"], name) == ("falsework", "request.json")
    assert folder.startswith("scratch/stats/")
    there = [each.uri for each in home.home.ports.objects.list(f"s3://falsework/{folder}")]
    assert [uri.rpartition("/")[2] for uri in there] == ["request.json", "response.json"]
    assert json.loads(home.home.ports.objects.read(f"s3://falsework/{place['Key']}")) == {
        "path": path
    }


def test_any_image_that_follows_the_contract_works(home):
    told = 'printf \'{"name": "%s", "handler": "%s", "env": "%s"}\' '
    names = '"$AWS_LAMBDA_FUNCTION_NAME" "$AWS_LAMBDA_FUNCTION_HANDLER" "$env_base $OWN" > "$F"'
    script = f"{ANSWER}{told}{names}"
    run = done(home, BATCH_LAMBDA, **shell(script, name="mine", environment={"OWN": "o"}))
    assert output_of(run) == {"name": "mine", "handler": "tool.handler", "env": "dev o"}
    assert run.stage("deregister").status is StageStatus.COMPLETE
    assert definitions(home) == []


def test_a_response_may_be_any_json(home):
    run = done(home, BATCH_LAMBDA, **shell(ANSWER + 'printf "[1, null]" > "$F"'))
    assert (run.state, output_of(run)) == (RunState.SUCCESS, [1, None])


def test_what_the_payload_path_names_becomes_the_request_and_references_are_looked_up(home):
    cat = OBJECT % "AWS_LAMBDA_EVENT_PAYLOAD" + 'cp "$F" /tmp/r$$; ' + ANSWER + 'mv /tmp/r$$ "$F"'
    run = done(home, BATCH_LAMBDA, **shell(cat, image="$.image", payload_path="$.inner",
               payload={"image": "ghcr.io/lab/tool:2", "inner": {"a": "ä"}}))  # fmt: skip
    assert output_of(run) == {"a": "ä"}
    assert run.plan.stage("define-job").action.definitions["function"].image.endswith(":2")


def test_an_executor_is_told_on_its_command_line(home, tmp_path):
    run = submitted(home, BATCH_EXECUTOR, image="ghcr.io/lab/tool:1", executor="pkg.Executor",
                    payload={"n": 1}, run_id="e")  # fmt: skip
    folder = f"s3://falsework/scratch/e/{run.stage('put-request').result['Key'].split('/')[2]}"
    definition = run.plan.stage("define-job").action.definitions["function"]
    assert definition.command == (
        "run_cli_executor", "--executor", "pkg.Executor",
        "--input", f"{folder}/request.json", "--output-location", f"{folder}/response.json",
    )  # fmt: skip
    job = run.plan.stage("invoke").action
    assert (job.command, {name for name in job.environment if name.startswith("AWS_LAMBDA")}) == (
        None,
        set(),
    )


@pytest.mark.parametrize(
    ("script", "cause", "error", "told"),
    [
        ("exit 3", "user", "States.TaskFailed", "the command ran and failed (exit code 3)"),
        ("true", NO_RESPONSE, "S3.NoSuchKeyException", "the job ended well and left no response"),
        (ANSWER + 'printf "{a" > "$F"', BAD_RESPONSE, "States.IntrinsicFailure",
         "what was left as the response cannot be taken as one"),
        (ANSWER + 'head -c 300000 /dev/zero > "$F"', BAD_RESPONSE, "States.IntrinsicFailure",
         "what was left as the response cannot be taken as one"),
    ],
    ids=["the job failed", "no response", "not JSON", "too large"],
)  # fmt: skip
def test_the_first_failing_step_is_the_runs_error_and_the_definition_goes(
    home, script, cause, error, told
):
    run = done(home, BATCH_LAMBDA, **shell(script))
    assert (run.state, run.error.cause) == (RunState.ERROR, cause)
    failure = failure_of(run)
    assert failure.Error == error
    assert failure.Cause
    assert told in why(run, run.settled_at)[0]
    assert definitions(home) == []


def test_a_run_that_goes_on_registers_its_definition_again(home, tmp_path):
    script = f'test -e {tmp_path}/now; {ANSWER} printf 1 > "$F"'
    run = done(home, BATCH_LAMBDA, **shell(script))
    assert json.loads(failure_of(run).Cause)["Container"]["ExitCode"] == 1
    (tmp_path / "now").touch()
    engine.handle(ResumeRequested(run_id=run.id, at=home.home.ports.clock()), home.home.ports)
    again = home.drive(run.id)
    assert (again.state, output_of(again), definitions(home)) == (RunState.SUCCESS, 1, [])


def test_a_canceled_run_takes_its_definition_back_and_has_not_failed(home):
    run = submitted(home, BATCH_LAMBDA, **shell("sleep 60"))
    engine.handle(CancelRequested(run_id=run.id, at=home.home.ports.clock()), home.home.ports)
    ended = home.drive(run.id)
    assert (ended.state, failure_of(ended)) == (RunState.CANCELED, None)
    assert definitions(home) == []


def test_the_same_request_under_its_id_is_the_same_run(home):
    first = submitted(home, BATCH_LAMBDA, **shell("true", run_id="r"))
    assert submitted(home, BATCH_LAMBDA, **shell("true", run_id="r")).uid == first.uid
    with pytest.raises(Conflict):
        submitted(home, BATCH_LAMBDA, **shell("false", run_id="r"))


class TestLambdaFunction:
    def test_at_home_a_handler_of_the_worker_answers(self, home):
        home.fill("efs", "scratch/x", "a")
        run = done(home, LAMBDA_FUNCTION, function_name="get_data_path_stats",
                   payload={"path": f"{FS}:/scratch/x"})  # fmt: skip
        assert run.state is RunState.SUCCESS, run.error
        assert output_of(run)["path_stats"]["object_count"] == 1

    @pytest.mark.parametrize(
        ("name", "payload", "error"),
        [
            ("nobody", {}, "InvalidRequest"),
            ("get_data_path_stats", {"path": "fs-0b2000000000000b:/x"}, "InvalidRequest"),
        ],
    )
    def test_one_that_raises_is_told_in_words(self, home, name, payload, error):
        run = done(home, LAMBDA_FUNCTION, function_name=name, payload=payload)
        assert (run.error.cause, failure_of(run).Error) == ("function", error)
        assert "the function was called, and raised an error" in why(run, run.settled_at)[0]

    def test_what_the_site_does_not_allow_is_never_called(self, home):
        ports = home.home.ports
        strict = ports._replace(
            site=ports.site.model_copy(update={"allowed_functions": ("lab-",)})
        )
        with pytest.raises(InvalidRequest, match="does not let") as refused:
            function_intake.submit_function(LAMBDA_FUNCTION, {"function_name": "other"}, strict)
        assert refused.value.field == "function_name"


def test_the_failure_of_a_run_is_a_value():
    assert StatesFailure(Error="a", Cause="b").model_dump() == {"Error": "a", "Cause": "b"}
