"""A stage that traces carries X-Ray's SDK, and nothing that Lambda's image has."""

from __future__ import annotations

import json

import pytest

from infra.lambda_python import CHECKOUT
from tests.deploy.running import build_into, of_lambda
from tests.deploy.test_build import a_project

SDK_MIB = 4
"""It takes 2.4, compiled; a third of it in the zip."""


@pytest.fixture(scope="module")
def traced(lambda_python, tmp_path_factory):
    """The build of a checkout whose stage has asked for it, and that needs nothing else."""
    folder = tmp_path_factory.mktemp("traced")
    requirements = (CHECKOUT / "requirements.txt").read_text("utf-8")
    project = a_project(folder / "project", requirements)
    path = project / ".chalice" / "config.json"
    told = json.loads(path.read_text("utf-8"))
    told["stages"]["dev"]["environment_variables"]["FALSEWORK_TRACER"] = "true"
    path.write_text(json.dumps(told))
    done = build_into(lambda_python, folder / "out", project)
    assert done.returncode == 0, done.stderr
    return folder / "out" / "vendor"


def test_it_has_the_sdk_and_not_what_lambda_brings(traced):
    names = {path.name for path in traced.iterdir()}
    assert {"aws_xray_sdk", "wrapt"} <= names
    assert not {"botocore", "boto3", "s3transfer"} & names
    files = [*(traced / "aws_xray_sdk").rglob("*"), *(traced / "wrapt").rglob("*")]
    assert sum(path.stat().st_size for path in files if path.is_file()) < SDK_MIB * 1024**2


def test_it_can_trace(traced, lambda_python):
    code = (
        "from chalicelib.aws.xray import open_trace\n"
        "with open_trace('falsework-dev')('JobChanged', 'e1') as note: note('kind', 'x')\n"
    )
    task = traced.parent
    told = {"PYTHONPATH": f"{task}:{traced}", "LAMBDA_TASK_ROOT": str(task)}
    done = of_lambda(lambda_python, "-c", code, cwd=task, **told)
    assert done.returncode == 0, done.stderr
