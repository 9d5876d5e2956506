"""What the deployment is asked about itself, and for how long the answers count."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import boto3
import pytest

from chalicelib.aws.facilities import INVENTORY_LIFE, QUEUE_LIFE, AwsFacilities
from chalicelib.core.errors import NotFound, Refused, Unavailable
from chalicelib.core.site import AccessPoint, FileSystem, FileSystems, Mount
from tests.unit.aws_wire import Wire

NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
FS = "fs-0a1000000000000a"
POINT = "fsap-0a10000000000001"


class Clock:
    """A clock that only the test moves."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")


def facilities(wire, clock=None, **options):
    clients = [
        wire.put_on(boto3.client(service, region_name="us-east-1"))
        for service in ("efs", "batch", "ecr")
    ]
    return AwsFacilities(*clients, clock=clock or Clock(), **options)


def tags(**named):
    return [{"Key": key, "Value": value} for key, value in named.items()]


def a_file_system(file_system_id, state="available", **fields):
    return {"FileSystemId": file_system_id, "LifeCycleState": state, **fields}


def an_access_point(access_point_id, state="available", **fields):
    return {
        "AccessPointId": access_point_id,
        "FileSystemId": FS,
        "LifeCycleState": state,
        **fields,
    }


# --- file systems


def test_the_inventory_is_read_from_all_pages_without_what_is_going_away():
    wire = Wire(
        DescribeFileSystems=[
            {
                "FileSystems": [
                    a_file_system(FS, Name="big", Tags=tags(Name="big", env_base="dev"))
                ],
                "NextMarker": "more",
            },
            {"FileSystems": [a_file_system("fs-0a1000000000000b", "deleting")]},
        ],
        DescribeAccessPoints=[
            {
                "AccessPoints": [
                    an_access_point(
                        POINT, RootDirectory={"Path": "/scratch"}, Tags=tags(Name="scratch")
                    )
                ],
                "NextToken": "more",
            },
            {"AccessPoints": [an_access_point("fsap-0a10000000000002", "updating")]},
        ],
    )
    assert facilities(wire).file_systems() == FileSystems(
        file_systems=(
            FileSystem(file_system_id=FS, name="big", tags={"Name": "big", "env_base": "dev"}),
        ),
        access_points=(
            AccessPoint(
                access_point_id=POINT,
                name="scratch",
                file_system_id=FS,
                path="/scratch",
                tags={"Name": "scratch"},
            ),
            AccessPoint(access_point_id="fsap-0a10000000000002", file_system_id=FS),
        ),
    )


def test_the_inventory_is_asked_for_again_when_it_is_old():
    wire = Wire(
        DescribeFileSystems=[{"FileSystems": []}, {"FileSystems": [a_file_system(FS)]}],
        DescribeAccessPoints={"AccessPoints": []},
    )
    clock = Clock()
    asked = facilities(wire, clock)
    assert asked.file_systems().file_systems == ()
    clock.now += INVENTORY_LIFE - timedelta(seconds=1)
    assert asked.file_systems().file_systems == ()
    clock.now += timedelta(seconds=1)
    assert [each.file_system_id for each in asked.file_systems().file_systems] == [FS]
    assert len(wire.requests) == 4


def test_the_site_files_inventory_is_believed():
    wire, told = Wire(), FileSystems(file_systems=(FileSystem(file_system_id=FS),))
    assert facilities(wire, inventory=told).file_systems() is told
    assert wire.requests == []


def test_an_inventory_that_is_denied_is_unavailable():
    """The port does not refuse here: the operator mends the policy, and the run goes on."""
    with pytest.raises(Unavailable, match="AccessDenied"):
        facilities(Wire(DescribeFileSystems=(403, "AccessDeniedException"))).file_systems()


# --- queues


def a_queue(**fields):
    return {
        "jobQueueName": "q",
        "jobQueueArn": "arn:aws:batch:us-east-1:123456789012:job-queue/q",
        "state": "ENABLED",
        "status": "VALID",
        "priority": 1,
        "computeEnvironmentOrder": [],
        **fields,
    }


@pytest.mark.parametrize(
    ("fields", "is_there"),
    [
        ({}, True),
        ({"status": "UPDATING"}, True),
        ({"status": "INVALID"}, False),
        ({"status": "DELETING"}, False),
        ({"state": "DISABLED"}, False),
        ({"jobQueueName": "Q"}, False),
    ],
    ids=["valid", "updating", "invalid", "deleting", "disabled", "another case"],
)
def test_a_queue_is_there_if_it_takes_jobs(fields, is_there):
    wire = Wire(DescribeJobQueues={"jobQueues": [a_queue(**fields)]})
    assert facilities(wire).has_queue("q") is is_there


def test_a_queue_that_was_there_is_believed_for_a_while_and_a_missing_one_is_not():
    wire = Wire(
        DescribeJobQueues=[{"jobQueues": []}, {"jobQueues": [a_queue()]}, {"jobQueues": []}]
    )
    clock = Clock()
    asked = facilities(wire, clock)
    assert [asked.has_queue("q") for _ in range(3)] == [False, True, True]
    clock.now += QUEUE_LIFE
    assert asked.has_queue("q") is False
    assert len(wire.requests) == 3


def test_not_knowing_whether_a_queue_is_there_is_said():
    with pytest.raises(Unavailable):
        facilities(Wire(DescribeJobQueues=(400, "ClientException"))).has_queue("q")


# --- images


def an_image(day, *names):
    pushed = datetime(2026, 5, day, tzinfo=UTC).timestamp()
    return {"imageTags": list(names), "imagePushedAt": pushed, "imageDigest": "sha256:0"}


REPOSITORY = {
    "repositories": [{"repositoryUri": "123456789012.dkr.ecr.us-east-1.amazonaws.com/lab/x"}]
}


def test_the_newest_tagged_image_of_all_pages_is_taken():
    wire = Wire(
        DescribeRepositories=REPOSITORY,
        DescribeImages=[
            {"imageDetails": [an_image(3, "v3"), an_image(9)], "nextToken": "more"},
            {"imageDetails": [an_image(5, "latest", "v5", "w"), an_image(4, "v4")]},
        ],
    )
    expected = "123456789012.dkr.ecr.us-east-1.amazonaws.com/lab/x:v5"
    assert facilities(wire).resolve_image("lab/x") == expected
    assert wire.sent("DescribeImages")[0] == {
        "repositoryName": "lab/x",
        "filter": {"tagStatus": "TAGGED"},
    }


def test_an_image_of_a_registry_is_not_asked_about():
    wire = Wire()
    assert facilities(wire).resolve_image("ghcr.io/a/b") == "ghcr.io/a/b"
    assert wire.requests == []


@pytest.mark.parametrize("image", ["Upper", "x:1", "quay.io/a:b", "", "a b", "x\n", "é"])
def test_what_cannot_be_a_repository_is_not_found(image):
    wire = Wire()
    with pytest.raises(NotFound):
        facilities(wire).resolve_image(image)
    assert wire.requests == []


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ({"DescribeRepositories": (400, "RepositoryNotFoundException")}, NotFound),
        ({"DescribeRepositories": REPOSITORY, "DescribeImages": {"imageDetails": []}}, NotFound),
        ({"DescribeRepositories": (400, "AccessDeniedException")}, Refused),
        ({"DescribeRepositories": (500, "ServerException")}, Unavailable),
    ],
    ids=["no repository", "no image", "denied", "down"],
)
def test_what_ecr_cannot_tell(answers, error):
    with pytest.raises(error):
        facilities(Wire(**answers)).resolve_image("lab/x")


# --- files


def a_mounted(tmp_path, *mounts):
    told = FileSystems(
        access_points=(
            AccessPoint(access_point_id=POINT, file_system_id=FS, path="/scratch/team"),
        )
    )
    there = tuple(Mount(id=name, path=str(tmp_path / folder)) for name, folder in mounts)
    return facilities(Wire(), inventory=told, mounts=there)


def test_an_access_point_shows_what_is_below_its_path(tmp_path):
    mounted = a_mounted(tmp_path, (POINT, "point"))
    mounted.write_file(f"{FS}:/scratch/team/e1/f", b"x")
    assert (tmp_path / "point/e1/f").read_bytes() == b"x"
    for path in ("/scratch/f", "/scratch/team2/f", "/f"):
        with pytest.raises(Refused, match="not on a file system that is mounted"):
            mounted.write_file(FS + ":" + path, b"x")


def test_the_most_special_mount_is_used(tmp_path):
    mounted = a_mounted(tmp_path, (FS, "whole"), (POINT, "point"))
    mounted.write_file(f"{FS}:/scratch/team/f", b"x")
    mounted.write_file(f"{FS}:/scratch/g", b"y")
    assert (tmp_path / "point/f").read_bytes() == b"x"
    assert (tmp_path / "whole/scratch/g").read_bytes() == b"y"


def test_nothing_is_written_where_nothing_is_mounted(tmp_path):
    with pytest.raises(Refused, match="not on a file system that is mounted"):
        facilities(Wire()).write_file(f"{FS}:/scratch/f", b"x")
