"""Requests for jobs over files: what is taken, what is refused, and what makes two the same."""

from __future__ import annotations

import pytest

from chalicelib.core.data_sync.requests import PrepareBatchDataSyncRequest
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.file_requests import (
    CLEAN_UP,
    KINDS,
    SYNC,
    file_systems_of,
    parse_file_request,
    paths_of,
)
from chalicelib.core.site import Site

FS = "fs-0a1000000000000a"
ENDS = {"source_path": "s3://bucket/in/", "destination_path": f"{FS}:/scratch/in"}
CLOUD, DESK = Site(), Site(has_local_paths=True)


def parsed(kind=SYNC, site=CLOUD, **document):
    return parse_file_request(kind, document, site)


def test_a_sync_keeps_every_option_of_the_wire_format():
    submission = parsed(**ENDS, force=True, batch_size_bytes_limit=9, run_id="r1")
    assert isinstance(submission.request, PrepareBatchDataSyncRequest)
    assert (submission.request.force, submission.request.batch_size_bytes_limit) == (True, 9)
    assert (submission.run_id, submission.options.group) == ("r1", "default")


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        (SYNC, {**ENDS, "destination_path": "s3://bucket"}),
        (SYNC, {"source_path": "/data/", "destination_path": "/", "delete": True}),
        ("remove-data-paths", {"paths": ["s3://bucket", "/tmp/x"]}),
        ("data-path-stats", {"path": "/"}),
    ],
    ids=["nothing is deleted there", "delete has no meaning", "objects are skipped", "only read"],
)
def test_a_whole_place_may_be_named_where_nothing_of_it_goes(kind, document):
    assert parsed(kind, DESK, **document).kind == kind


def test_the_root_of_this_machine_is_never_removed():
    with pytest.raises(InvalidRequest) as refused:
        parsed("remove-data-paths", DESK, paths=["/tmp/.."])
    assert (refused.value.field, refused.value.value) == ("paths.0", "/tmp/..")
    assert refused.value.mend == "name a folder below it"


@pytest.mark.parametrize(
    ("site", "told", "deletes"),
    [
        (Site(), {}, False),
        (Site(), {"delete": True}, True),
        (Site(delete_by_default=True), {}, True),
        (Site(delete_by_default=True), {"delete": False}, False),
    ],
)
def test_nothing_is_deleted_that_nobody_asked_for(site, told, deletes):
    assert parsed(site=site, **ENDS, **told).request.delete is deletes


def test_one_content_has_one_digest_however_it_is_spelled():
    camel = {"sourcePath": "s3://bucket//in/", "destinationPath": ENDS["destination_path"]}
    same = [
        parsed(**ENDS),
        parsed(**camel),
        parsed(**ENDS, run_id="r1"),
        parsed(**ENDS, delete=False, options={"group": "default"}),
    ]
    assert len({each.digest() for each in same}) == 1
    others = [parsed(**ENDS, force=True), parsed(**ENDS, options={"group": "x"})]
    assert len({each.digest() for each in (*same, *others)}) == 3


@pytest.mark.parametrize(
    ("kind", "document", "field"),
    [
        (SYNC, [], ""),
        (SYNC, {"source_path": "s3://b12/x"}, "destination_path"),
        (SYNC, {**ENDS, "run_id": "../x"}, "run_id"),
        (SYNC, {**ENDS, "options": {"gruop": "x"}}, "options.gruop"),
        (SYNC, {**ENDS, "options": {"secrets": {"A": "arn"}}}, "options.secrets"),
        (SYNC, {**ENDS, "options": {"privileged": True}}, "options.privileged"),
        (SYNC, {**ENDS, "options": {"cleanup": "never"}}, "options.cleanup"),
        (SYNC, {**ENDS, "source_path": "/etc/passwd"}, "source_path"),
        (SYNC, {**ENDS, "source_path": "s3://falsework/runs/"}, "source_path"),
        (SYNC, {**ENDS, "source_path": "s3://bucket/../x/"}, "source_path"),
        (SYNC, {**ENDS, "batch_size_bytes_limit": -1}, "batch_size_bytes_limit"),
        (SYNC, {**ENDS, "filter_config": {"include": "("}}, "filter_config.include"),
        ("remove-data-paths", {"paths": [f"{FS}:/a", "/etc"]}, "paths.1"),
        ("remove-data-paths", {"paths": "s3://bucket/x"}, "paths"),
        ("remove-data-paths", {"paths": [f"{FS}:/a", f"{FS}:/a/.."]}, "paths.1"),
        (SYNC, {**ENDS, "destination_path": "s3://bucket", "delete": True}, "destination_path"),
        (SYNC, {**ENDS, "destination_path": f"{FS}:/", "delete": True}, "destination_path"),
        ("data-path-stats", {}, "path"),
        ("outdated-data-paths", {"path": f"{FS}:/a", "min_depth": -1}, "min_depth"),
        (CLEAN_UP, {"path": "s3://bucket/in/"}, "path"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_request_is_refused_by_the_name_of_its_field(kind, document, field):
    with pytest.raises(InvalidRequest) as refused:
        parse_file_request(kind, document, CLOUD)
    assert refused.value.field == field
    assert refused.value.mend


def test_paths_of_the_host_are_for_the_users_own_machine():
    request = parsed(site=DESK, **{**ENDS, "source_path": "/home/me/data/"}).request
    assert dict(paths_of(request))["source_path"] == "/home/me/data/"
    with pytest.raises(InvalidRequest, match="relative path"):
        parsed(site=DESK, **{**ENDS, "source_path": "data/"})


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_names_the_file_systems_that_its_worker_needs(kind):
    document = {"paths": [f"efs://{FS}/a", f"{FS}:/b"]} if "remove" in kind else {"path": f"{FS}:"}
    field = "paths.0" if "remove" in kind else "path"
    assert file_systems_of(parsed(kind, **document).request) == {FS: field}


def test_a_temporary_folder_is_on_a_file_system_that_is_needed_too():
    other = "fs-0b2000000000000b"
    config = {"use_custom_tmp_dir": True, "custom_tmp_dir": f"{other}:/tmp"}
    request = parsed(**ENDS, remote_to_local_config=config).request
    assert file_systems_of(request) == {
        FS: "destination_path",
        other: "remote_to_local_config.custom_tmp_dir",
    }


def test_no_temporary_place_is_in_the_bucket_of_other_runs_orders():
    field = "temporary_request_payload_path"
    with pytest.raises(InvalidRequest) as refused:
        parse_file_request(SYNC, {**ENDS, field: "s3://falsework/runs/r1/"}, CLOUD)
    assert (refused.value.field, refused.value.value) == (field, "s3://falsework/runs/r1/")
