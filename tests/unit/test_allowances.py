"""What a group may use: the Site's lists, against everything that a request can reach."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from chalicelib.core.allowances import check_allowed, check_any_allows, rules_of
from chalicelib.core.demand import scaffolding
from chalicelib.core.demand.batch_args import CreateDefinitionAndPrepareArgsRequest
from chalicelib.core.errors import Forbidden
from chalicelib.core.file_requests import parse_file_request
from chalicelib.core.group_rules import GroupRules, Quota
from chalicelib.core.site import AccessPoint, FileSystems, Site
from chalicelib.core.submission import parse_submission
from chalicelib.core.uses import (
    Listed,
    Use,
    use_of_path,
    used_by_definition,
    used_by_demand,
    used_by_file_job,
)
from chalicelib.local.folders import OWN_FILE_SYSTEM_ID as FS
from chalicelib.local.folders import own_file_systems
from tests.flow.worlds import a_demand

SITE = Site()
ARN = "arn:aws:iam::123456789012:role/job"


def with_groups(groups, **told):
    return SITE.model_copy(update={"groups": groups, **told})


def refusal(uses, groups, group="lab"):
    with pytest.raises(Forbidden) as caught:
        check_allowed(group, uses, with_groups(groups))
    return caught.value


def demand_uses(**changes):
    submission = parse_submission(a_demand(**changes))
    prepared = scaffolding.prepare(submission.request, SITE, own_file_systems(SITE))
    return list(used_by_demand(submission, prepared))


def test_a_site_without_rules_lets_every_group_use_everything():
    check_allowed("lab", demand_uses(), SITE)


@pytest.mark.parametrize(
    ("groups", "is_in"),
    [
        ({}, False),
        ({"other": GroupRules()}, False),
        ({"lab": GroupRules()}, True),
        ({"*": GroupRules()}, True),
    ],
    ids=["no group at all", "another one", "it", "all the others"],
)
def test_where_groups_are_given_only_they_may_submit(groups, is_in):
    if is_in:
        check_allowed("lab", demand_uses(), with_groups(groups))
        return
    error = refusal([], groups)
    assert (error.field, error.value) == ("options.group", "lab")
    assert error.mend


@pytest.mark.parametrize(
    ("members", "named"),
    [
        (frozenset({"stranger"}), None),
        (frozenset({"stranger", "b"}), "b"),
        ((), None),
        (None, "a, b, c"),
    ],
    ids=["of no other", "of one", "nobody knows whose", "of all"],
)
def test_who_may_not_submit_learns_of_no_group_but_their_own(members, named):
    groups = {name: GroupRules() for name in "abc"}
    for check in (
        lambda: check_allowed("stranger", (), with_groups(groups), members),
        lambda: rules_of("stranger", groups, members),
    ):
        with pytest.raises(Forbidden) as caught:
            check()
        told = caught.value.mend
        assert told == (
            "ask the operator to let it in"
            if named is None
            else f"name a group of yours that may: {named}; or ask the operator to let it in"
        )


def test_who_is_in_no_group_that_may_learns_of_none():
    groups = {name: GroupRules() for name in ("alpha", "beta")}
    with pytest.raises(Forbidden) as caught:
        check_any_allows((), (), with_groups(groups))
    assert caught.value.mend == "ask the operator to let it in"


def test_a_groups_own_rules_win_over_those_of_the_others():
    groups = {"*": GroupRules(buckets=()), "lab": GroupRules(buckets=("data",))}
    check_allowed("lab", [Use("f", Listed.BUCKET, "data")], with_groups(groups))
    assert refusal([Use("f", Listed.BUCKET, "data")], groups, "other").field == "f"


@pytest.mark.parametrize(
    ("listed", "value"),
    [(Listed.QUEUE, "q"), (Listed.ROLE, ARN), (Listed.BUCKET, "b"), (Listed.ROOT, f"{FS}:/x")],
    ids=str,
)
def test_a_list_that_is_given_names_all_there_is_and_one_that_is_not_nothing(listed, value):
    uses = [Use("some.field", listed, value)]
    check_allowed("lab", uses, with_groups({"lab": GroupRules()}))
    rules = GroupRules.model_validate({listed.value: [value]})
    check_allowed("lab", uses, with_groups({"lab": rules}))
    for others in ([], [f"{value}2"], [value.upper().replace("FS-", "fs-")]):
        error = refusal(uses, {"lab": GroupRules.model_validate({listed.value: others})})
        assert (error.field, error.value) == ("some.field", value)
        assert listed.value in error.mend


INSIDE = [
    (f"{FS}:/a", f"{FS}:/a", True),
    (f"{FS}:/a/b", f"{FS}:/a", True),
    (f"efs://{FS}/a//b/", f"{FS}:/a", True),
    (f"{FS}:/ab", f"{FS}:/a", False),
    (f"{FS}:/", f"{FS}:/a", False),
    (f"{FS}:/a/../b", f"{FS}:/a", False),
    (f"{FS}:/b/../a/c", f"{FS}:/a", True),
    (f"{FS}:/../a", f"{FS}:/a", False),
    ("fs-0a1000000000000a:/a", f"{FS}:/a", False),
    ("/a/b", f"{FS}:/a", False),
    (f"{FS}:/a", "/a", False),
    ("/a/b", "/a", True),
    ("/a/../b", "/a", False),
    ("a/b", "/a", False),
    ("/x", "/", True),
]


WORKER = "arn:aws:iam::123456789012:role/lab/moves-files"
EXECUTION = "arn:aws:iam::123456789012:role/starts-jobs"
OWN_ROLES = {
    "the worker's": WORKER,
    "in another case": WORKER.replace("moves", "Moves"),
    "by its name": "moves-files",
    "that fetches secrets": EXECUTION,
    "called as ours are": "arn:aws:iam::123456789012:role/falsework-job-anything",
}


@pytest.mark.parametrize("role", OWN_ROLES.values(), ids=OWN_ROLES)
@pytest.mark.parametrize(
    ("groups", "is_allowed"),
    [
        (lambda role: None, False),
        (lambda role: {"lab": GroupRules()}, False),
        (lambda role: {"lab": GroupRules(job_roles=())}, False),
        (lambda role: {"lab": GroupRules(job_roles=(role,))}, True),
    ],
    ids=["no groups at all", "no list", "an empty list", "it is listed"],
)
def test_falseworks_own_roles_are_for_groups_whose_list_names_them(role, groups, is_allowed):
    site = with_groups(groups(role), worker_role_arn=WORKER, own_roles=(EXECUTION,))
    uses = [Use("job_role_arn", Listed.ROLE, role)]
    for check in (
        lambda: check_allowed("lab", uses, site),
        lambda: check_any_allows({"lab"}, uses, site),
        lambda: check_any_allows(None, uses, site),
    ):
        if is_allowed:
            check()
            continue
        with pytest.raises(Forbidden) as caught:
            check()
        assert (caught.value.field, caught.value.value) == ("job_role_arn", role)


@pytest.mark.parametrize(("path", "root", "is_inside"), INSIDE)
def test_a_path_is_a_groups_at_or_below_one_of_its_roots(path, root, is_inside):
    groups = {"lab": GroupRules(roots=(root,))}
    if is_inside:
        check_allowed("lab", [use_of_path("path", path)], with_groups(groups))
    else:
        assert refusal([use_of_path("path", path)], groups).field == "path"


@pytest.mark.parametrize("root", ["a/b", "", f"{FS}:/a/../b", "/..", "s3://bucket/x"])
def test_a_root_that_is_none_is_refused_when_the_site_is_read(root):
    with pytest.raises(ValidationError, match="root"):
        GroupRules(roots=(root,))


@pytest.mark.parametrize(
    "quota",
    [{"live_runs": 0}, {"live_runs": 1001}, {"vcpus": -1}, {"gpus": float("nan")}],
    ids=str,
)
def test_a_quota_that_nothing_could_keep_is_refused_when_the_site_is_read(quota):
    with pytest.raises(ValidationError):
        Quota.model_validate(quota)


def test_a_demand_uses_its_queues_its_role_its_buckets_and_all_of_its_volumes():
    platform = {"aws_batch": {"job_queue_name": "q", "job_role": ARN}}
    payloads = {"temporary_request_payload_path": "s3://payloads/x"}
    submission = parse_submission(
        {
            "demand_execution": a_demand(execution_platform=platform),
            "context_manager_configuration": {"input_data_sync_configuration": payloads},
            "options": {"fallback_job_queue_name": "q2"},
        }
    )
    prepared = scaffolding.prepare(submission.request, SITE, own_file_systems(SITE))
    parameters = "demand_execution.execution_parameters"
    batch = "demand_execution.execution_platform.aws_batch"
    context = "context_manager_configuration.input_data_sync_configuration"
    assert set(used_by_demand(submission, prepared)) == {
        Use(f"{batch}.job_queue_name", Listed.QUEUE, "q"),
        Use(f"{batch}.job_role", Listed.ROLE, ARN),
        Use("options.fallback_job_queue_name", Listed.QUEUE, "q2"),
        Use(f"{parameters}.params.reads", Listed.BUCKET, "data"),
        Use(f"{parameters}.params.ref", Listed.BUCKET, "data"),
        Use(f"{parameters}.params.out", Listed.BUCKET, "data"),
        Use(f"{parameters}.output_s3_prefix", Listed.BUCKET, "data"),
        Use(f"{context}.temporary_request_payload_path", Listed.BUCKET, "payloads"),
        Use("file_system_configurations.scratch", Listed.ROOT, f"{FS}:/scratch"),
        Use("file_system_configurations.shared", Listed.ROOT, f"{FS}:/shared"),
    }


SYNC = {
    "source_path": "s3://from/in/",
    "destination_path": f"{FS}:/scratch/in",
    "remote_to_local_config": {"custom_tmp_dir": f"{FS}:/tmp"},
    "temporary_request_payload_path": "s3://payloads/x/",
}


@pytest.mark.parametrize(
    ("kind", "request_", "expected"),
    [
        (
            "data-sync",
            SYNC,
            {
                Use("source_path", Listed.BUCKET, "from"),
                Use("destination_path", Listed.ROOT, f"{FS}:/scratch/in"),
                Use("remote_to_local_config.custom_tmp_dir", Listed.ROOT, f"{FS}:/tmp"),
                Use("temporary_request_payload_path", Listed.BUCKET, "payloads"),
            },
        ),
        ("data-path-stats", {"path": "s3://bkt/x"}, {Use("path", Listed.BUCKET, "bkt")}),
        (
            "remove-data-paths",
            {"paths": ["s3://bkt/x", f"{FS}:/y"]},
            {Use("paths.0", Listed.BUCKET, "bkt"), Use("paths.1", Listed.ROOT, f"{FS}:/y")},
        ),
        ("file-system-cleanup", {"path": f"{FS}:/y"}, {Use("path", Listed.ROOT, f"{FS}:/y")}),
    ],
    ids=["sync", "stats", "remove", "clean-up"],
)
def test_a_job_over_files_uses_its_paths_and_the_queue_that_it_goes_to(kind, request_, expected):
    submission = parse_file_request(kind, request_, SITE)
    queue = Use("site.default_job_queue", Listed.QUEUE, "default")
    assert set(used_by_file_job(submission, "default")) == {queue, *expected}


EFS = FileSystems(
    access_points=(
        AccessPoint(access_point_id="fsap-0a100000", file_system_id="fs-0a100000", path="/lab"),
    )
)


@pytest.mark.parametrize(
    ("volume", "root"),
    [
        ({"host": {"sourcePath": "/etc"}}, "/etc"),
        ({"efsVolumeConfiguration": {"fileSystemId": "fs-0a100000"}}, "fs-0a100000:/"),
        (
            {"efsVolumeConfiguration": {"fileSystemId": "fs-0a100000", "rootDirectory": "/x"}},
            "fs-0a100000:/x",
        ),
        (
            {
                "efsVolumeConfiguration": {
                    "fileSystemId": "fs-0a100000",
                    "authorizationConfig": {"accessPointId": "fsap-0a100000"},
                }
            },
            "fs-0a100000:/lab",
        ),
        (
            {
                "efsVolumeConfiguration": {
                    "fileSystemId": "fs-0a100000",
                    "authorizationConfig": {"accessPointId": "fsap-0b200000"},
                }
            },
            "fs-0a100000:/",
        ),
    ],
    ids=["host", "whole", "folder", "access point", "unknown access point"],
)
def test_a_definition_uses_what_its_volumes_mount(volume, root):
    request = CreateDefinitionAndPrepareArgsRequest(
        image="i", job_definition_name="d", job_queue_name="q", volumes=({"name": "v", **volume},)
    )
    uses = set(used_by_definition(request, EFS))
    assert uses == {Use("job_queue_name", Listed.QUEUE, "q"), Use("volumes.0", Listed.ROOT, root)}


@pytest.mark.parametrize(
    ("members", "is_allowed"),
    [(None, True), ({"a", "b"}, True), ({"a"}, False), ({"unlisted"}, False), (set(), False)],
    ids=["of all groups", "of one that may", "of one that may not", "of none listed", "of none"],
)
def test_what_belongs_to_no_group_takes_one_group_that_may(members, is_allowed):
    groups = {"a": GroupRules(buckets=()), "b": GroupRules()}
    uses = [Use("f", Listed.BUCKET, "x")]
    check_any_allows(members, uses, SITE)
    if is_allowed:
        check_any_allows(members, uses, with_groups(groups))
    else:
        with pytest.raises(Forbidden):
            check_any_allows(members, uses, with_groups(groups))
