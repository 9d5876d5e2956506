"""The plans of jobs over files: their stages, their orders, and the file systems of their jobs."""

from __future__ import annotations

import json

import pytest

from chalicelib.core.errors import InvalidRequest
from chalicelib.core.file_requests import CLEAN_UP, KINDS, SYNC, parse_file_request
from chalicelib.core.plans.file_jobs import plan_file_job
from chalicelib.core.plans.plan import Plan
from chalicelib.core.site import FileSystems, Site
from chalicelib.core.worker_documents import HandlerOrder, SyncOrder

FS = "fs-0a1000000000000a"
OTHER = "fs-0b2000000000000b"
ENDS = {"source_path": "s3://bucket/in/", "destination_path": f"{FS}:/scratch/in"}
EFS = FileSystems.model_validate({"file_systems": [{"FileSystemId": FS}]})
HOME = "s3://falsework/runs/r1/u/"


def plan(document, kind=SYNC, site=None, efs=EFS) -> Plan:
    site = site or Site()
    return plan_file_job(parse_file_request(kind, document, site), "r1", "u", site, efs, "q")


def order(made: Plan) -> str:
    return made.stage("orders").action.documents[f"{HOME}order.json"]


def test_a_sync_has_one_job_and_may_become_many():
    made = plan({**ENDS, "delete": True})
    assert [(each.name, each.after) for each in made.stages] == [
        ("orders", ()),
        ("define-jobs", ("orders",)),
        ("sync", ("define-jobs",)),
    ]
    job = made.stage("sync").action
    assert (job.command, job.queue, job.is_worker) == (("falsework-worker", "sync"), "q", True)
    assert job.fan_out.command == ("falsework-worker", "sync-batch")
    assert job.fan_out.environment == job.environment
    assert job.environment["FALSEWORK_REQUEST_URI"] == f"{HOME}order.json"
    read = SyncOrder.model_validate_json(order(made))
    assert (read.request.delete, read.batches_prefix) == (True, f"{HOME}batches/")


@pytest.mark.parametrize("kind", KINDS)
def test_the_other_kinds_have_one_job_that_cannot_be_divided(kind):
    document = {"paths": [f"{FS}:/a"]} if kind == "remove-data-paths" else {"path": f"{FS}:/a"}
    made = plan(document, kind)
    job = made.stages[-1].action
    assert (job.command, job.fan_out) == (("falsework-worker", "handle"), None)
    read = HandlerOrder.model_validate_json(order(made))
    assert read.handler == KINDS[kind].handler
    assert read.event.items() >= document.items()


def test_on_aws_the_worker_gets_the_file_systems_that_the_paths_are_on():
    made = plan(ENDS)
    worker = made.stage("define-jobs").action.definitions["worker"]
    (volume,) = worker.volumes
    (mount,) = worker.mount_points
    assert volume["efsVolumeConfiguration"]["fileSystemId"] == FS
    assert mount == {
        "readOnly": False, "containerPath": f"/opt/falsework/{FS}", "sourceVolume": volume["name"]
    }  # fmt: skip
    environment = made.stage("sync").action.environment
    assert environment["EFS_MOUNT_POINT_ID_1"] == FS
    assert environment["EFS_MOUNT_POINT_PATH_1"] == f"/opt/falsework/{FS}"


def access_point(number, path, env_base="dev", file_system=FS):
    return {"AccessPointId": f"fsap-0a10000{number}", "FileSystemId": file_system, "Path": path,
            "Tags": {"env_base": env_base}}  # fmt: skip


@pytest.mark.parametrize(
    ("destination", "mounted"),
    [
        (f"{FS}:/scratch/in", [1]),
        (f"{FS}:/scratch", [1]),
        (f"{FS}:/groups/lab/scratch/x", [2]),
        (f"{FS}:/shared/../scratch/x", [1]),
        (f"{FS}:/scratched/x", []),
        (f"{FS}:/other/x", []),
        (f"{OTHER}:/scratch/x", []),
    ],
)
def test_access_points_are_mounted_too_that_their_folders_may_come_into_being(
    destination, mounted
):
    points = [
        access_point(1, "/scratch"),
        access_point(2, "/groups/lab/scratch/"),
        access_point(3, "/"),
        access_point(4, "/other", env_base="prod"),
    ]
    systems = [{"FileSystemId": FS}, {"FileSystemId": OTHER}]
    efs = FileSystems.model_validate({"file_systems": systems, "access_points": points})
    made = plan({**ENDS, "destination_path": destination}, efs=efs)
    worker = made.stage("define-jobs").action.definitions["worker"]
    whole, *others = worker.volumes
    assert whole["efsVolumeConfiguration"] == {
        "fileSystemId": destination.partition(":")[0],
        "rootDirectory": "/",
        "transitEncryption": "ENABLED",
    }
    ids = [f"fsap-0a10000{number}" for number in mounted]
    assert [each["efsVolumeConfiguration"] for each in others] == [
        {
            "fileSystemId": FS,
            "transitEncryption": "ENABLED",
            "authorizationConfig": {"accessPointId": each, "iam": "DISABLED"},
        }
        for each in ids
    ]
    assert [each["containerPath"] for each in worker.mount_points[1:]] == [
        f"/opt/falsework/{each}" for each in ids
    ]
    told = made.stage("sync").action.environment
    assert [name for name in told if name.startswith("EFS_MOUNT_POINT_ID")] == [
        "EFS_MOUNT_POINT_ID_1"
    ]


def test_between_buckets_nothing_is_mounted():
    made = plan({**ENDS, "destination_path": "s3://bucket/out/"})
    assert made.stage("define-jobs").action.definitions["worker"].volumes == ()
    assert "EFS_MOUNT_POINT_ID_1" not in made.stage("sync").action.environment


def test_where_the_worker_sees_them_anyway_nothing_is_mounted_either():
    made = plan(ENDS, site=Site(worker_mounts={FS: "/home/me/efs"}))
    assert made.stage("define-jobs").action.definitions["worker"].volumes == ()
    assert made.stage("sync").action.environment["EFS_MOUNT_POINT_PATH_1"] == "/home/me/efs"


def test_definitions_are_told_apart_by_what_they_mount():
    both = FileSystems.model_validate({"file_systems": [{"FileSystemId": FS},
                                                        {"FileSystemId": OTHER}]})  # fmt: skip
    names = {
        plan({**ENDS, "destination_path": path}, efs=both)
        .stage("define-jobs")
        .action.definitions["worker"]
        .name
        for path in (f"{FS}:/a", f"{FS}:/b", f"{OTHER}:/a", "s3://bucket/x/")
    }
    assert len(names) == 3


@pytest.mark.parametrize(
    ("kind", "document", "field"),
    [
        (SYNC, {**ENDS, "destination_path": f"{OTHER}:/a"}, "destination_path"),
        ("remove-data-paths", {"paths": [f"{FS}:/a", f"{OTHER}:/a"]}, "paths.1"),
        (CLEAN_UP, {"path": f"{OTHER}:/a"}, "path"),
    ],
)
def test_a_file_system_that_is_not_there_is_refused_by_the_fields_name(kind, document, field):
    with pytest.raises(InvalidRequest, match=OTHER) as refused:
        plan(document, kind)
    assert refused.value.field == field


def test_options_for_stages_and_attempts_hold():
    options = {"max_attempts": 4, "timeout_seconds": {"sync": 60, "run": 90},
               "fallback_job_queue_name": "on-demand"}  # fmt: skip
    made = plan({**ENDS, "options": options})
    assert (made.max_attempts, made.timeout_seconds) == (4, 90)
    assert made.stage("sync").timeout_seconds == 60
    assert made.stage("sync").action.fallback_queue == "on-demand"
    with pytest.raises(InvalidRequest, match="execute"):
        plan({**ENDS, "options": {"timeout_seconds": {"execute": 5}}})


def test_the_sites_own_environment_and_tags_reach_the_worker():
    site = Site(worker_environment={"FALSEWORK_TABLE": "t"}, default_tags={"team": "a"})
    job = plan(ENDS, site=site).stage("sync").action
    assert job.environment["FALSEWORK_TABLE"] == "t"
    assert job.tags == {"team": "a"}


def test_the_plan_keeps_the_request_and_its_digest():
    made = plan(ENDS)
    submission = parse_file_request(SYNC, ENDS, Site())
    assert made.request_digest == submission.digest()
    assert json.loads(json.dumps(made.request)) == submission.document()
    assert made.results_prefix == f"{HOME}outcomes/"
