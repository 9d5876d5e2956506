"""What a process learns of its own mounts (6.10)."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from chalicelib.aws.own_mounts import mounts_of_function, volumes_of_job
from chalicelib.core.mounts import volumes_of
from chalicelib.core.site import FileSystems, Mount

FS = "fs-0a1000000000000a"
INVENTORY = FileSystems.model_validate(
    {
        "access_points": [
            {"AccessPointId": "fsap-0a10000000000001", "FileSystemId": FS, "Path": "/shared"}
        ]
    }
)


class Batch:
    """Knows one job."""

    def __init__(self, **container):
        self.container = container

    def describe_jobs(self, jobs):
        return {"jobs": [{"jobId": "j", "container": self.container}] if jobs == ["j"] else []}


class Refusing:
    """May not be asked."""

    def describe_jobs(self, jobs):
        raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "DescribeJobs")

    def get_function_configuration(self, FunctionName):  # noqa: N803
        raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetFunction")


def volume(name, **efs):
    return {"name": name, "efsVolumeConfiguration": {"fileSystemId": FS, **efs}}


def test_a_job_sees_its_volumes_where_they_are_mounted():
    batch = Batch(
        volumes=[
            volume("s", authorizationConfig={"accessPointId": "fsap-0a10000000000001"}),
            volume("root", rootDirectory="/deep"),
            volume("unknown", authorizationConfig={"accessPointId": "fsap-0a10000000000009"}),
            volume("unmounted"),
            {"name": "host", "host": {"sourcePath": "/x"}},
        ],
        mountPoints=[
            {"sourceVolume": name, "containerPath": f"/mnt/{name}"}
            for name in ("s", "root", "unknown", "host")
        ],
    )
    found = volumes_of_job(batch, "j", lambda: INVENTORY)
    assert [(each.root, each.container_path) for each in found or ()] == [
        ("/shared", "/mnt/s"),
        ("/deep", "/mnt/root"),
    ]


@pytest.mark.parametrize("batch", [Batch(), Refusing()], ids=["gone", "refused"])
def test_where_batch_does_not_say_nothing_is_known(batch):
    assert volumes_of_job(batch, "other", lambda: INVENTORY) is None


def test_a_function_sees_its_access_points():
    class Lambda:
        def get_function_configuration(self, FunctionName):  # noqa: N803
            arn = "arn:aws:elasticfilesystem:us-east-1:1:access-point/fsap-0a10000000000001"
            return {"FileSystemConfigs": [{"Arn": arn, "LocalMountPath": "/mnt/s"}]}

    mounts = mounts_of_function(Lambda(), "f")
    assert mounts == (Mount(id="fsap-0a10000000000001", path="/mnt/s"),)
    assert [each.root for each in volumes_of(mounts or (), INVENTORY)] == ["/shared"]
    assert mounts_of_function(Refusing(), "f") is None


def test_an_unknown_access_point_shows_nothing():
    mounts = [Mount(id="fsap-0a10000000000009", path="/a"), Mount(id=FS, path="/b")]
    assert [each.container_path for each in volumes_of(mounts, INVENTORY)] == ["/b"]
