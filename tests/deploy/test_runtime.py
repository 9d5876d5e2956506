"""The package as Lambda runs it: unpacked, under AWS's own runtime client, against moto.

``awslambdaric`` asks the Runtime API for invocations; here a small server hands them out. Nothing
can be imported but what is in the zip and what AWS's image has: the client itself and boto3.
"""

from __future__ import annotations

import json
import queue
import subprocess
import threading
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from infra.grants import FUNCTIONS
from infra.lambda_python import CHECKOUT
from tests.clouds.clients import client
from tests.clouds.foundation import create_table
from tests.deploy.running import NOWHERE, of_lambda

EVENTS = CHECKOUT / "tests" / "events"
IMAGE = ("awslambdaric", "boto3", "botocore", "s3transfer", "dateutil", "six", "urllib3",
         "simplejson", "snapshot_restore_py", "runtime_client")  # fmt: skip
"""What the managed runtime brings; jmespath, the zip and the image both have."""
SECONDS = 60


def sample(name: str) -> dict:
    return json.loads((EVENTS / f"{name}.json").read_text("utf-8"))["event"]


class RuntimeApi(ThreadingHTTPServer):
    """AWS's Runtime API of one function: ``invocation/next``, its ``response`` and ``error``."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Calls)
        self.waiting: queue.Queue[dict] = queue.Queue()
        self.answers: queue.Queue[tuple[str, object]] = queue.Queue()

    def invoke(self, event: dict) -> object:
        """Return the handler's answer; fail where it raised, or where the process is not well."""
        self.waiting.put(event)
        kind, answer = self.answers.get(timeout=SECONDS)
        assert kind == "response", answer
        return answer


class _Calls(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: RuntimeApi

    def do_GET(self) -> None:
        event = json.dumps(self.server.waiting.get()).encode()
        self.send_response(200)
        for name, value in (
            ("Lambda-Runtime-Aws-Request-Id", "request"),
            ("Lambda-Runtime-Deadline-Ms", "4102444800000"),
            ("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:1:function:f"),
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(event))),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(event)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.answers.put((self.path.rsplit("/", 1)[-1], json.loads(body or b"null")))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def task(packaged, tmp_path_factory) -> Path:
    """A clean folder with what is in the zip."""
    folder = tmp_path_factory.mktemp("task")
    with zipfile.ZipFile(packaged / "deployment.zip") as package:
        package.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def image(lambda_python, tmp_path_factory) -> Path:
    """A folder with links to what AWS's image has, and nothing else of the environment."""
    code = "import awslambdaric, pathlib; print(pathlib.Path(awslambdaric.__path__[0]).parent)"
    installed = Path(of_lambda(lambda_python, "-c", code).stdout.strip())
    folder = tmp_path_factory.mktemp("image")
    for name in IMAGE:
        for found in [*installed.glob(name), *installed.glob(f"{name}.*")]:
            (folder / found.name).symlink_to(found)
    return folder


@pytest.fixture(scope="module")
def names(moto_endpoint):
    """What a foundation would have made."""
    for bucket in ("r-requests", "r-scratch"):
        client("s3", moto_endpoint).create_bucket(Bucket=bucket)
    sqs = client("sqs", moto_endpoint)
    dead = sqs.create_queue(QueueName="r-dead-letters")["QueueUrl"]
    return {
        "FALSEWORK_TABLE": create_table(client("dynamodb", moto_endpoint)),
        "FALSEWORK_REQUESTS_BUCKET": "r-requests",
        "FALSEWORK_SCRATCH_BUCKET": "r-scratch",
        "FALSEWORK_DEAD_LETTER_QUEUE_URL": dead,
        "FALSEWORK_REPORTS_BATCH_ITEM_FAILURES": "true",
        "AWS_ENDPOINT_URL": moto_endpoint,
    }


@pytest.fixture
def function(lambda_python, task, image, names):
    """Start a function, as Lambda does: a process, its handler's name, its environment."""

    @contextmanager
    def start(handler: str):
        api = RuntimeApi()
        threading.Thread(target=api.serve_forever, daemon=True).start()
        environment = {
            **NOWHERE,
            **names,
            "PYTHONPATH": f"{task}:{image}",
            "LAMBDA_TASK_ROOT": str(task),
            "AWS_REGION": "us-east-1",
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.server_port}",
            "AWS_LAMBDA_FUNCTION_NAME": "falsework-dev",
            "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/falsework-dev",
            "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
            "_X_AMZN_TRACE_ID": "",
        }
        code = f"from awslambdaric.__main__ import main; main(['', {handler!r}])"
        with subprocess.Popen(
            [lambda_python, "-S", "-c", code], cwd=task, env=environment,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        ) as process:  # fmt: skip
            try:
                yield api
            finally:
                process.terminate()
                process.communicate()
                api.shutdown()
                api.server_close()

    return start


def test_a_message_on_the_queue_is_taken_in_or_put_aside(function, names, moto_endpoint):
    event = sample("sqs-submissions")
    event["Records"] = event["Records"][:1]
    event["Records"][0]["body"] = '{"execution_id": "e1"}'
    with function("app.on_submission") as api:
        assert api.invoke(event) == {"batchItemFailures": []}
    letters = client("sqs", moto_endpoint).receive_message(
        QueueUrl=names["FALSEWORK_DEAD_LETTER_QUEUE_URL"]
    )["Messages"]
    assert "execution_type" in str(json.loads(letters[0]["Body"])["reason"])


def test_an_event_on_the_bus_is_taken_in_twice_by_one_process(function):
    with function("app.on_job_change") as api:
        assert [api.invoke(sample("batch-job-running")) for _ in range(2)] == [None, None]


def test_the_clock_makes_a_sweep(function):
    with function("app.on_sweep") as api:
        assert api.invoke(sample("scheduled"))["runs"] == 0


def test_the_api_answers_in_its_own_words(function):
    with function("app.app") as api:
        answer = api.invoke(sample("rest-iam"))
    assert answer["statusCode"] in {401, 403, 404}
    assert json.loads(answer["body"])["status"] == answer["statusCode"]


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_handler_is_where_lambda_looks_for_it(lambda_python, task, name):
    attribute = "app" if name == "api_handler" else name
    code = f"import app; assert callable(app.{attribute})"
    done = of_lambda(lambda_python, "-S", "-c", code, cwd=task, PYTHONPATH=str(task))
    assert done.returncode == 0, done.stderr
