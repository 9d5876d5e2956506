"""A request that cannot be served gets a problem document, and leaves nothing behind.

Nothing: no run, no plan, no job, no definition, no object, no folder of a working directory.
"""

from __future__ import annotations

import json
import sqlite3
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from chalicelib import bootstrap
from chalicelib.settings import Settings, load
from tests.flow.doors import TrustedHttp

FIXTURES = Path(__file__).parents[1] / "fixtures"
TABLES = ("runs", "plans", "jobs", "definitions", "claims", "timers")


@pytest.fixture
def root(tmp_path):
    site = FIXTURES / "efs_inventory.json"
    env = {"ENV_BASE": "dev-interop", "AWS_REGION": "us-west-2", "FALSEWORK_RUNNER": "auto"}
    bootstrap.use(load({"root": tmp_path / "root"}, env, site))
    yield tmp_path / "root"
    bootstrap.use(Settings())


@pytest.fixture
def client(root):
    return TrustedHttp()


def post(client: TrustedHttp, path: str, body: bytes) -> Any:
    return client.post(path, body=body, headers={"Content-Type": "application/json"})


def left_behind(root: Path) -> list[str]:
    """Everything below ROOT that a request could have made."""
    found = [
        str(path) for path in root.rglob("*") if path.is_file() and "falsework.db" not in path.name
    ]
    database = root / "falsework.db"
    if database.exists():
        with sqlite3.connect(database) as connection:
            for table in TABLES:
                (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
                found += [table] * count
        connection.close()
    return found


def assert_refused(
    client: TrustedHttp, root: Path, body: bytes, *, status: int = 400
) -> dict[str, Any]:
    answer = post(client, "/demand-executions", body)
    assert answer.status_code == status, answer.body
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert left_behind(root) == []
    return json.loads(answer.body)


def a_request() -> dict[str, Any]:
    return {
        "demand_execution": {
            "execution_type": "align",
            "execution_id": "e1",
            "execution_image": "python:3.11",
            "execution_parameters": {
                "command": ["cat", "${I}"],
                "params": {
                    "i": {"local": "in", "remote": "s3://bucket/in"},
                    "o": {"local": "out", "remote": "s3://bucket/out"},
                },
                "inputs": ["i"],
                "outputs": ["o"],
                "output_s3_prefix": "s3://bucket/results",
            },
            "execution_platform": {"aws_batch": {"job_queue_name": "default"}},
        },
        "file_system_configurations": {"scratch": {"container_path": "/opt/efs/scratch"}},
        "context_manager_configuration": {
            "input_data_sync_configuration": {"temporary_request_payload_path": "s3://bucket/p/"}
        },
    }


def with_value(path: tuple[str, ...], value: object) -> dict[str, Any]:
    document = a_request()
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return document


PARAMS = ("demand_execution", "execution_parameters", "params")


def error_fixtures() -> list[Any]:
    index = json.loads((FIXTURES / "index.json").read_text())
    kinds = {"prepare_demand_scaffolding", "demand_execution_model"}
    wrong = [f["id"] for f in index["fixtures"] if f["kind"] in kinds and not f["ok"]]
    assert len(wrong) == 22
    return wrong


@pytest.mark.parametrize("name", error_fixtures())
def test_each_error_of_the_originals_is_one_here_and_changes_nothing(client, root, name):
    request = json.loads((FIXTURES / f"{name}.json").read_text())["request"]
    problem = assert_refused(client, root, json.dumps(request).encode())
    assert problem["errors"][0]["field"]
    assert problem["errors"][0]["mend"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("demand_execution", "execution_id"), ".."),
        (("demand_execution", "execution_id"), "../e1"),
        (("demand_execution", "execution_id"), "a/../b"),
        ((*PARAMS, "i", "local"), "../in"),
        ((*PARAMS, "i", "local"), "a/../../in"),
        ((*PARAMS, "i", "local"), "/opt/efs/scratch/../../in"),
        ((*PARAMS, "i", "remote"), "s3://bucket/../in"),
        ((*PARAMS, "o", "local"), "../out"),
        ((*PARAMS, "o", "local"), "/opt/efs/scratch/../../etc"),
        ((*PARAMS, "o", "remote"), "s3://bucket/../other/out"),
        ((*PARAMS, "o"), "../out"),
        (("demand_execution", "execution_parameters", "output_s3_prefix"), "s3://bucket/.."),
        (("file_system_configurations", "scratch", "container_path"), "/opt/../etc"),
        (
            (
                "context_manager_configuration",
                "input_data_sync_configuration",
                "temporary_request_payload_path",
            ),
            "s3://bucket/../p/",
        ),
    ],
    ids=lambda value: ".".join(value) if isinstance(value, tuple) else value,
)
def test_two_dots_are_refused_in_every_path(client, root, path, value):
    assert_refused(client, root, json.dumps(with_value(path, value)).encode())


def test_without_the_dots_the_same_request_is_accepted(client, root):
    answer = post(client, "/demand-executions", json.dumps(a_request()).encode())
    assert answer.status_code == 202, answer.body
    assert {"runs", "plans"} <= set(left_behind(root))


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b"null", 400),
        (b'"text"', 400),
        (b"\xff\xfe", 400),
        (b'{"a": NaN}', 400),
        (b'{"a": ' + b"[" * 100_000, 400),
        (b'{"a": ' + b"9" * 5000 + b"}", 400),
        (b'{"a": "' + b"x" * 10_000_000 + b'"}', 413),
        (b'{"execution_id": "\\ud800"}', 400),
        (b'{"execution_id": "a\\u0000b", "execution_type": "t", "execution_image": "i"}', 400),
    ],
    ids=[
        "empty", "broken", "list", "null", "text", "not UTF-8", "NaN", "deep", "huge number",
        "10 MB", "surrogate", "NUL",
    ],
)  # fmt: skip
def test_what_is_no_document_is_refused(client, root, body, status):
    assert_refused(client, root, body, status=status)


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (("demand_execution", "execution_id"), "tmp", "demand_execution.execution_id"),
        (("demand_execution", "execution_type"), "a b", "demand_execution.execution_type"),
        (
            ("demand_execution", "execution_parameters", "command"),
            ["echo", "x" * 20_000],
            "demand_execution.execution_parameters.command",
        ),
        ((*PARAMS, "i", "local"), ".", "demand_execution.execution_parameters.params.i"),
        ((*PARAMS, "uid"), 17, "demand_execution.execution_parameters.params.uid"),
        ((*PARAMS, "random"), 42, "demand_execution.execution_parameters.params.random"),
        ((*PARAMS, "path"), "/bin", "demand_execution.execution_parameters.params.path"),
        (
            (*PARAMS, "o", "remote"),
            "s3://falsework/runs/other",
            "demand_execution.execution_parameters.params.o",
        ),
        (
            (*PARAMS, "i", "remote"),
            "s3://falsework/runs/other/",
            "demand_execution.execution_parameters.params.i",
        ),
        (
            ("demand_execution", "resource_requirements"),
            {"vcpus": 10**30},
            "demand_execution.resource_requirements.vcpus",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_could_only_fail_later_is_refused_at_once(client, root, path, value, field):
    body = json.dumps(with_value(path, value)).encode()
    answer = post(client, "/demand-executions", body)
    assert answer.status_code in (400, 413), answer.body
    assert json.loads(answer.body)["errors"][0]["field"] == field
    assert left_behind(root) == []


def test_a_problem_is_json_even_if_the_request_was_not(client, root):
    problem = assert_refused(client, root, b'{"a": 1e400}')
    assert problem["errors"][0]["value"] == "inf"


def test_what_batch_would_not_register_names_its_field(client, root):
    body = {"image": "i", "job_definition_name": "a b", "job_queue_name": "default"}
    answer = post(client, "/job-definitions", json.dumps(body).encode())
    assert answer.status_code == 400
    assert json.loads(answer.body)["errors"][0]["field"] == "job_definition_name"
    assert left_behind(root) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"options": {"clean": "always"}}, "options.clean"),
        ({"options": {"cleanup": "sometimes"}}, "options.cleanup"),
        ({"options": None}, "options"),
        ({"options": {"group": "a b"}}, "options.group"),
    ],
)
def test_an_option_that_we_do_not_know_is_refused_by_name(client, root, changes, field):
    problem = assert_refused(client, root, json.dumps({**a_request(), **changes}).encode())
    assert problem["errors"][0]["field"] == field


def test_two_outputs_at_one_place_are_refused(client, root):
    request = with_value((*PARAMS, "p"), {"local": "p", "remote": "s3://bucket/out/"})
    request["demand_execution"]["execution_parameters"]["outputs"] = ["o", "p"]
    problem = assert_refused(client, root, json.dumps(request).encode())
    assert problem["errors"][0]["field"] == "demand_execution.execution_parameters.params.p"


def test_an_unknown_queue_is_refused_by_name(client, root):
    path = ("demand_execution", "execution_platform", "aws_batch", "job_queue_name")
    problem = assert_refused(client, root, json.dumps(with_value(path, "gpu")).encode())
    assert problem["errors"][0] == {
        "field": "demand_execution.execution_platform.aws_batch.job_queue_name",
        "value": "gpu",
        "mend": "name a queue of this site",
    }


@pytest.mark.parametrize(
    "options", [{"privileged": True}, {"secrets": {"TOKEN": "arn:aws:secretsmanager:x"}}]
)
def test_what_the_site_does_not_allow_is_forbidden(client, root, options):
    body = json.dumps({**a_request(), "options": options}).encode()
    assert_refused(client, root, body, status=403)


def test_a_dry_run_creates_nothing_and_looks_no_queue_up(client, root):
    request = deepcopy(a_request())
    request["demand_execution"]["execution_platform"]["aws_batch"]["job_queue_name"] = "any"
    answer = post(client, "/demand-executions/scaffolding", json.dumps(request).encode())
    assert answer.status_code == 200, answer.body
    assert left_behind(root) == []


def test_on_the_host_itself_nothing_can_be_shown_at_another_path(client, root):
    bootstrap.use(load({"root": root, "runner": "host"}, {}))
    problem = assert_refused(client, root, json.dumps(a_request()).encode())
    field = "file_system_configurations.scratch.container_path"
    assert problem["errors"][0]["field"] == field
