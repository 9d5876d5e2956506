"""What data syncs and handlers are told by their environment."""

from __future__ import annotations

from pathlib import Path

from chalicelib.core.site import Site
from chalicelib.settings import (
    aws_environment,
    load,
    load_data_sync,
    load_lambda_envelope,
)


def test_the_names_are_those_of_the_original():
    told = load_data_sync(
        {
            "DATA_SYNC_LOCK_ROOT": "/locks",
            "DEFAULT_BUCKET_NAME": "bkt",
            "FALSEWORK_DATA_ROOTS": "/a:/b::",
            "FALSEWORK_ROOT": "/home/me/.falsework",
        }
    )
    assert told.home == Path("/home/me/.falsework")
    assert (told.lock_root, told.default_bucket) == (Path("/locks"), "bkt")
    assert told.roots == (Path("/a"), Path("/b"))


def test_without_any_nothing_is_restricted():
    told = load_data_sync({})
    assert (told.lock_root, told.default_bucket, told.roots) == (None, "", ())


def test_what_data_syncs_are_told_goes_on_to_the_worker_unless_the_site_says_otherwise(tmp_path):
    environ = {"FALSEWORK_DATA_ROOTS": "/a", "DATA_SYNC_LOCK_ROOT": "/locks", "OTHER": "x"}
    assert load({}, environ).site.worker_environment == {
        "FALSEWORK_DATA_ROOTS": "/a",
        "DATA_SYNC_LOCK_ROOT": "/locks",
    }
    site = tmp_path / "site.json"
    site.write_text('{"worker_environment": {"FALSEWORK_DATA_ROOTS": "/b"}}')
    told = load({}, environ, site).site.worker_environment
    assert load_data_sync(told).roots == (Path("/b"),)


def test_deleting_is_off_unless_the_site_turns_it_on():
    assert Site().delete_by_default is False
    assert load({"root": None}, {"FALSEWORK_DELETE_BY_DEFAULT": "true"}).site.delete_by_default


def test_a_handlers_own_variable_goes_before_the_runtimes():
    environ = {"_HANDLER": "a", "AWS_LAMBDA_FUNCTION_HANDLER": "b"}
    assert load_lambda_envelope(environ).handler == "b"
    assert load_lambda_envelope({"_HANDLER": "a"}).handler == "a"


def test_only_the_sdks_variables_are_a_key():
    assert aws_environment({"AWS_B": "2", "X": "1", "AWS_A": "1"}) == (
        ("AWS_A", "1"),
        ("AWS_B", "2"),
    )
