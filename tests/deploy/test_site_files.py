"""The site as a file: it gets into the package, and what would not start is not deployed."""

from __future__ import annotations

import json
import shutil

import pytest

from chalicelib import settings
from chalicelib.core.limits import LAMBDA_ENVIRONMENT_BYTES
from infra import site_files
from infra.lambda_python import CHECKOUT

GROUPS = {f"group-{number}": {"job_queues": [f"falsework-dev-{number}"]} for number in range(90)}


@pytest.fixture
def project(tmp_path):
    """What ``build`` has made by then."""
    shutil.copytree(CHECKOUT / ".chalice", tmp_path / ".chalice")
    (tmp_path / "vendor").mkdir()
    return tmp_path


@pytest.fixture
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("source")
    (folder / ".chalice").mkdir()
    return folder


def config(project):
    return json.loads((project / ".chalice" / "config.json").read_text())


def told(project, **variables):
    changed = config(project)
    changed["stages"]["dev"]["environment_variables"] |= variables
    (project / ".chalice" / "config.json").write_text(json.dumps(changed))


def test_a_stage_without_a_file_stays_as_it_is(source, project):
    before = config(project)
    assert site_files.pack(source, project, "dev") is None
    assert config(project) == before
    assert not list((project / "vendor").iterdir())


def test_a_file_is_packed_and_named_and_read_as_the_site(source, project):
    (source / ".chalice" / "site-dev.json").write_text(json.dumps({"groups": GROUPS}))
    assert site_files.pack(source, project, "dev") is None
    variables = config(project)["stages"]["dev"]["environment_variables"]
    assert variables["FALSEWORK_SITE"] == "/var/task/falsework-site.json"
    packed = project / "vendor" / "falsework-site.json"  # Chalice puts it at the top of the zip
    found = settings.load(environ={**variables, "FALSEWORK_SITE": str(packed)}).site
    assert len(found.groups) == len(GROUPS)
    assert "FALSEWORK_SITE" not in config(project)["stages"]["prod"]["environment_variables"]


def test_more_variables_than_lambda_takes_fail_the_build_and_the_largest_is_named(source, project):
    told(project, FALSEWORK_GROUPS=json.dumps(GROUPS), FALSEWORK_PUBLIC_URL="https://example.org")
    problem = site_files.pack(source, project, "dev")
    assert "FALSEWORK_GROUPS" in problem
    assert str(LAMBDA_ENVIRONMENT_BYTES) in problem
    assert ".chalice/site-dev.json" in problem


def test_the_last_byte_counts_as_lambda_counts_it(source, project):
    """By the JSON text, in which a quote has two bytes."""
    used = max(
        site_files._size(each | site_files._MERGED)
        for _, each in site_files._variables(config(project), "dev")
    )
    room = LAMBDA_ENVIRONMENT_BYTES - used - len(',"ANY":""')
    quotes = room // 4
    told(project, ANY='"' * quotes + "x" * (room - 2 * quotes))
    assert site_files.pack(source, project, "dev") is None
    told(project, ANY='"' * quotes + "x" * (room - 2 * quotes + 1))
    assert "the largest is ANY" in site_files.pack(source, project, "dev")


@pytest.mark.parametrize(
    ("text", "named"),
    [("{", "site file"), ('{"groups": {"lab": {"rots": []}}}', "rots"), ('{"x": 1}', "x")],
    ids=["no JSON", "an unknown list", "an unknown field"],
)
def test_a_file_that_the_application_would_not_read_is_not_deployed(source, project, text, named):
    (source / ".chalice" / "site-dev.json").write_text(text)
    problem = site_files.pack(source, project, "dev")
    assert "would not start" in problem
    assert named in problem


def test_two_files_are_one_too_many(source, project):
    (source / ".chalice" / "site-dev.json").write_text("{}")
    told(project, FALSEWORK_SITE="/opt/site.json")
    assert "take one away" in site_files.pack(source, project, "dev")
