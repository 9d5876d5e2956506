"""Which file systems serve, how they are looked up, and their volumes (sections 6.3 and 6.4)."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.core.demand.file_systems import Candidate, Role, select
from chalicelib.core.demand.volumes import Volume, efs_form, mount_path, volume_name
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.site import FileSystems
from tests.unit.demand_cases import OURS, demand, scaffold

A, B = "fs-0a1000000000000a", "fs-0b2000000000000b"
ARN = "arn:aws:elasticfilesystem:us-west-2:123456789012"


def scratch(candidate: Any, **site: Any) -> Volume:
    found = scaffold(demand(), OURS.model_copy(update=site), files={"scratch": candidate})
    return found.volumes[0]


def refused(files: dict[str, Any]) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        scaffold(demand(), files=files)
    assert caught.value.mend
    return caught.value


@pytest.mark.parametrize(
    ("execution_id", "chosen"), [("exec-1", (1, 2, 4)), ("exec-2", (0, 2, 0))]
)
def test_the_same_execution_gets_the_same_candidate(
    execution_id: str, chosen: tuple[int, ...]
) -> None:
    for count, index in zip((2, 3, 5), chosen, strict=True):
        candidates = [Candidate(access_point=str(number)) for number in range(count)]
        selected = select(candidates, execution_id, Role.SCRATCH)
        assert selected.candidate is candidates[index]
        assert selected.field == f"file_system_configurations.scratch.{index}"


@pytest.mark.parametrize(
    ("candidate", "point"),
    [
        ({}, "fsap-0a10000000000002"),
        ([{}], "fsap-0a10000000000002"),
        ({"access_point": None, "file_system": None, "container_path": None},
         "fsap-0a10000000000002"),
        ({"accessPoint": "scratch-b"}, "fsap-0b20000000000002"),
        ({"access_point": "fsap-0b20000000000002"}, "fsap-0b20000000000002"),
        ({"access_point": f"{ARN}:access-point/fsap-0b20000000000002"}, "fsap-0b20000000000002"),
        ({"access_point": "fsap-0c30000000000002"}, "fsap-0c30000000000002"),
        ({"access_point": "fsap-0b20000000000005"}, "fsap-0b20000000000005"),
        ({"file_system": A}, "fsap-0a10000000000002"),
        ({"file_system": "dev-interop-fs"}, "fsap-0a10000000000002"),
        ({"file_system": B, "access_point": "scratch-b"}, "fsap-0b20000000000002"),
        ({"file_system": f"{ARN}:file-system/{B}", "access_point": "scratch-b"},
         "fsap-0b20000000000002"),
    ],
    ids=repr,
)  # fmt: skip
def test_an_access_point_is_found_by_id_arn_or_name(candidate: Any, point: str) -> None:
    assert scratch(candidate).access_point_id == point


@pytest.mark.parametrize(
    ("candidate", "field"),
    [
        ({"access_point": "nope"}, "access_point"),
        ({"access_point": "dup"}, "access_point"),
        ({"access_point": "fsap-0000000000000000"}, "access_point"),
        ({"access_point": f"{ARN}:access-point/fsap-0000000000000000"}, "access_point"),
        ({"file_system": B}, "file_system"),
        ({"file_system": A, "access_point": "scratch-b"}, "file_system"),
        ({"file_system": "prod-fs"}, "file_system"),
        ({"container_path": ""}, "container_path"),
        ({"container_path": "relative"}, "container_path"),
        ({"container_path": "/a/../b"}, "container_path"),
        ({"container_path": "/a b"}, "container_path"),
        ({"container_path": "/a$(x)"}, "container_path"),
        ({"container_path": "/a;b"}, "container_path"),
        ({"container_path": "/a*"}, "container_path"),
        ({"container_path": "/a:b"}, "container_path"),
        ({"container_path": "/a\n"}, "container_path"),
    ],
    ids=repr,
)
def test_a_candidate_that_cannot_serve_is_refused(candidate: Any, field: str) -> None:
    problem = refused({"scratch": candidate})
    assert problem.field == f"file_system_configurations.scratch.0.{field}"


@pytest.mark.parametrize(
    "files",
    [{"scratch": None}, {"scratch": []}, {"shared": None}, {"shared": []}, {"scratch": "x"},
     {"tmp": "x"}, {"tmp": [1]}, {"selection_strategy": "FIRST"}],
    ids=repr,
)  # fmt: skip
def test_a_role_needs_candidates(files: dict[str, Any]) -> None:
    assert refused(files).field.startswith(f"file_system_configurations.{next(iter(files))}")


@pytest.mark.parametrize("tmp", [None, [], ()], ids=repr)
def test_without_candidates_there_is_no_temporary_volume(tmp: Any) -> None:
    found = scaffold(demand(), files={"tmp": tmp})
    assert [volume.role for volume in found.volumes] == [Role.SCRATCH, Role.SHARED]


def test_two_volumes_at_one_path_are_refused() -> None:
    problem = refused({"shared": {"container_path": "/opt/efs//scratch/"}})
    assert problem.field == "file_system_configurations.shared.0.container_path"


def test_nothing_is_found_in_an_empty_inventory() -> None:
    with pytest.raises(InvalidRequest):
        scaffold(demand(), efs=FileSystems())


def test_the_site_says_where_volumes_lie_unless_the_request_does() -> None:
    paths = {"scratch": "/mnt/s"}
    assert scratch({}, default_container_paths=paths).container_path == "/mnt/s"
    named = scratch({"container_path": "/here"}, default_container_paths=paths)
    assert named.container_path == "/here"


@pytest.mark.parametrize(
    ("path", "point", "name"),
    [
        ("/opt/efs/scratch", "fsap-0a10000000000002", "scratch-9d107278"),
        ("/opt/efs/shared", "fsap-0a10000000000001", "shared-e95cfbeb"),
        ("/opt/a-very-long-volume-directory-name", "fsap-0a10000000000002",
         "a-very-long-vol-568e3402"),
        ("/opt/données.v2", "fsap-0a10000000000001", "donn-es-v2-bbe349e8"),
    ],
)  # fmt: skip
def test_a_volume_is_named_after_its_path(path: str, point: str, name: str) -> None:
    assert volume_name(A, point, path) == name


@pytest.mark.parametrize(
    ("path", "name"), [("/", "fs-0a1000000000-93151160"), ("/opt/---", "vol-24e2941d")]
)
def test_a_path_without_a_word_gets_a_name_as_well(path: str, name: str) -> None:
    points = [f"fsap-0a1000000000000{number}" for number in range(4)]
    assert name in {volume_name(A, point, path) for point in points}


def test_a_mount_path_is_brought_to_its_normal_form() -> None:
    assert mount_path("//opt//x/./y/") == "/opt/x/y"


def volume(role: Role, path: str, root: str, system: str = A) -> Volume:
    return Volume(
        role=role,
        name="v",
        file_system_id=system,
        access_point_id="fsap-0a10000000000002",
        access_point_path=root,
        container_path=path,
        read_only=False,
    )


VOLUMES = (
    volume(Role.SCRATCH, "/m", "/scratch"),
    volume(Role.SHARED, "/m/shared", "/", B),
)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/m", f"{A}:/scratch"),
        ("/m/a/b", f"{A}:/scratch/a/b"),
        ("/m/a/../b", f"{A}:/scratch/b"),
        ("/m/shared", f"{B}:/"),
        ("/m/shared/x", f"{B}:/x"),
        ("/m/sharedx", f"{A}:/scratch/sharedx"),
        ("/m/a/../shared/x", f"{B}:/x"),
    ],
)
def test_the_longest_mount_decides(path: str, expected: str) -> None:
    assert efs_form(path, VOLUMES) == expected


@pytest.mark.parametrize(
    "path", ["/", "/x", "/mm", "/m/../x", "/m/shared/../x", "/../m/x", "/x/../m/y"]
)
def test_a_path_outside_of_every_mount_is_refused(path: str) -> None:
    with pytest.raises(InvalidRequest):
        efs_form(path, VOLUMES)
