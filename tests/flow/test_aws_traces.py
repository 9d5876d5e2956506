"""What X-Ray is told, by the real SDK: a socket of our own stands for Lambda's daemon."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from chalicelib.aws.clients import Clients
from chalicelib.aws.home import open_home
from chalicelib.core.errors import Misconfigured
from chalicelib.settings import Settings, load
from tests.flow.doors import CHECKOUT, environment

SECRET = "v4lue-of-the-environment"
TRACE = "1-5759e988-bd862e3fe1be46a994272793"
PROGRAM = f"""
from chalicelib.aws.home import open_home
from tests.flow.aws_worlds import a_request, aws_account, job_event, messages

with aws_account() as world:
    told = {{"in_lambda": True, "tracer": True}}
    home = open_home(world.settings.model_copy(update=told), world.clients, lambda: world.now)
    demand = a_request("e1")
    demand["execution_parameters"]["params"]["value"] = {SECRET!r}
    home.on_submissions(messages(demand))
    (job_id,) = world.waiting("e1")
    home.on_job_change(job_event(world.jobs[job_id], "RUNNING"))
    home.on_wakes({{"Records": [{{"messageId": "m", "body": '{{"run_id": "nobody"}}'}}]}})
    from aws_xray_sdk.core import patcher
    assert not patcher._PATCHED_MODULES
"""


@contextmanager
def daemon() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(0.2)
        yield listening


def received(listening: socket.socket) -> Iterator[str]:
    try:
        while True:
            yield listening.recv(65_535).decode()
    except TimeoutError:
        return


@pytest.fixture(scope="module")
def told() -> list[str]:
    """What the daemon was sent."""
    with daemon() as listening:
        given = {
            "LAMBDA_TASK_ROOT": "/var/task",
            "AWS_XRAY_DAEMON_ADDRESS": f"127.0.0.1:{listening.getsockname()[1]}",
            "_X_AMZN_TRACE_ID": f"Root={TRACE};Parent=53995c3f42cd8ad8;Sampled=1",
            "PYTHONWARNINGS": "ignore",  # moto's
        }
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], cwd=CHECKOUT, env=environment(**given),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return list(received(listening))


@pytest.fixture(scope="module")
def segments(told) -> list[dict]:
    return [json.loads(text.partition("\n")[2]) for text in told]


def test_each_event_of_a_run_is_a_subsegment_that_can_be_found_by_the_run(segments):
    own = [each for each in segments if each["annotations"]["run_id"] == "e1"]
    assert [each["name"] for each in own] == ["## RunRequested", "## JobChanged"]
    for each in own:
        assert (each["trace_id"], each["parent_id"]) == (TRACE, "53995c3f42cd8ad8")
        assert each["annotations"]["kind"] == "demand-execution"
        assert each["end_time"] >= each["start_time"]
        assert "fault" not in each


def test_that_an_event_failed_is_told_but_not_of_what(segments):
    (failed,) = [each for each in segments if each["annotations"]["run_id"] == "nobody"]
    assert failed["fault"] is True
    assert "cause" not in failed


def test_nothing_of_what_came_in_or_went_out_is_sent(told, segments):
    assert not [text for text in told if SECRET in text or "reads" in text]
    for each in segments:
        assert not each.keys() & {"metadata", "http", "aws", "sql", "subsegments", "cause"}
        assert each["annotations"].keys() <= {"run_id", "event", "kind"}


def test_a_package_that_was_built_without_the_sdk_says_so_at_its_start(monkeypatch):
    monkeypatch.setitem(sys.modules, "aws_xray_sdk", None)
    settings = Settings(table="t", in_lambda=True, tracer=True)
    with pytest.raises(Misconfigured, match=r"FALSEWORK_TRACER is on, .* infra/tracing\.txt"):
        open_home(settings, Clients("us-east-1"))


@pytest.mark.parametrize(
    "variables",
    [{}, {"FALSEWORK_TRACER": "false"}],
    ids=["nobody asked for it", "it is off"],
)
def test_without_it_nothing_of_it_is_imported(variables):
    code = (
        "import sys, app\n"
        "from chalicelib import bootstrap\n"
        "bootstrap.aws_home()\n"
        "print(sorted(m for m in sys.modules if m.startswith(('aws_xray_sdk', 'wrapt'))"
        " or m == 'chalicelib.aws.xray'))\n"
    )
    told = {
        **variables, "FALSEWORK_TABLE": "t", "AWS_LAMBDA_FUNCTION_NAME": "f",
        "AWS_REGION": "us-east-1",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, env=environment(**told),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "[]"


def test_elsewhere_than_in_lambda_nobody_is_told():
    home = open_home(Settings(table="t", tracer=True), Clients("us-east-1"))
    with home.ports.trace("JobChanged", "e1") as note:
        note("kind", "x")


@pytest.mark.parametrize("text", ["true", "1", "on"])
def test_it_is_switched_on_by_a_variable(text):
    assert load({}, {"FALSEWORK_TRACER": text}).tracer


def test_another_word_than_yes_or_no_is_refused():
    with pytest.raises(Misconfigured, match="tracer"):
        load({}, {"FALSEWORK_TRACER": "perhaps"})
