from __future__ import annotations

import json
from pathlib import Path

import pytest

from chalicelib import bootstrap
from chalicelib.core.errors import Misconfigured
from chalicelib.core.site import Mount
from chalicelib.settings import Settings, load, load_worker

INVENTORY = Path(__file__).parents[1] / "fixtures/efs_inventory.json"


def test_the_defaults_are_the_embedded_home():
    settings = load({}, {})
    assert (settings.root, settings.table, settings.site.env_base) == (
        Path(".falsework"),
        "",
        "dev",
    )


@pytest.mark.parametrize(
    ("variable", "text", "name", "value"),
    [
        ("FALSEWORK_ALLOW_PRIVILEGED", "true", "allow_privileged", True),
        ("FALSEWORK_MIRROR_OUTPUTS", "1", "mirror_outputs", True),
        ("FALSEWORK_LITERAL_ENVIRONMENT_FILE", "false", "literal_environment_file", False),
        ("FALSEWORK_SUBMIT_GRACE_SECONDS", "5", "submit_grace_seconds", 5),
        ("FALSEWORK_ALLOWED_SECRETS", '["arn:a"]', "allowed_secrets", ("arn:a",)),
        ("FALSEWORK_DEFAULT_TAGS", '{"a": "b"}', "default_tags", {"a": "b"}),
        ("ENV_BASE", "prod-a", "env_base", "prod-a"),
        ("AWS_REGION", "eu-west-1", "aws_region", "eu-west-1"),
    ],
)
def test_a_variable_sets_what_it_names(variable, text, name, value):
    assert getattr(load({}, {variable: text}).site, name) == value


def test_a_flag_comes_before_the_environment_and_that_before_the_file(tmp_path):
    path = tmp_path / "site.json"
    path.write_text(json.dumps({"env_base": "test", "prefix": "file", "mirror_outputs": True}))
    env = {"FALSEWORK_ROOT": "env", "FALSEWORK_PREFIX": "env", "FALSEWORK_RUNNER": "host"}
    settings = load({"root": "flag", "runner": None}, env, path)
    assert (str(settings.root), settings.runner) == ("flag", "host")
    assert (settings.site.prefix, settings.site.env_base) == ("env", "test")
    assert settings.site.mirror_outputs


def test_a_site_file_may_describe_the_file_systems():
    settings = load({}, {}, INVENTORY)
    assert settings.file_systems is not None
    assert len(settings.file_systems.file_systems) == 3
    assert len(settings.file_systems.access_points) == 10


def test_mounts_come_in_pairs():
    env = {
        "EFS_MOUNT_POINT_ID_1": "fs-0a1000000000000a",
        "EFS_MOUNT_POINT_PATH_1": "/mnt/a",
        "EFS_MOUNT_POINT_ID_2": "fs-alone",
    }
    assert load({}, env).mounts == (Mount(id="fs-0a1000000000000a", path="/mnt/a"),)


@pytest.mark.parametrize(
    ("env", "named"),
    [
        ({"ENV_BASE": "staging"}, "env_base"),
        ({"FALSEWORK_RUNNER": "magic"}, "runner"),
        ({"FALSEWORK_ALLOW_PRIVILEGED": "perhaps"}, "allow_privileged"),
        ({"FALSEWORK_DEFAULT_TAGS": "{"}, "JSON"),
        ({"FALSEWORK_SITE": "/nowhere.json"}, "/nowhere.json"),
    ],
)
def test_what_does_not_fit_is_named(env, named):
    with pytest.raises(Misconfigured, match=named):
        load({}, env)


def test_an_unknown_key_of_the_site_file_is_an_error(tmp_path):
    path = tmp_path / "site.json"
    path.write_text('{"env_bas": "dev"}')
    with pytest.raises(Misconfigured, match="env_bas"):
        load({}, {}, path)


def test_outside_of_a_job_there_is_no_worker():
    with pytest.raises(Misconfigured, match="FALSEWORK_JOB_NAME"):
        load_worker({})


def test_in_lambda_without_its_table_there_is_no_silent_embedded_home():
    try:
        bootstrap.use(load({}, {"AWS_LAMBDA_FUNCTION_NAME": "f"}))
        with pytest.raises(Misconfigured, match="FALSEWORK_TABLE"):
            bootstrap.ports()
    finally:
        bootstrap.use(Settings())


def test_a_token_is_not_shown_where_settings_are():
    assert "t0ken" not in repr(load({}, {"FALSEWORK_TOKEN": "t0ken"}))
