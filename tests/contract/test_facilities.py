"""What every Facilities does."""

from __future__ import annotations

import pytest

from chalicelib.core.errors import Refused
from tests.contract import aws_places
from tests.contract.openers import LocalOpener

FILE_SYSTEM = "fs-0000000000000001"


@pytest.fixture
def folder(tmp_path):
    """Where the file system is seen by the test."""
    return tmp_path / "root" / "efs" / FILE_SYSTEM


@pytest.fixture(params=["local", "aws"])
def home(request, tmp_path, folder):
    """The facilities, and the account that they are in."""
    if request.param == "local":
        yield LocalOpener(tmp_path / "root").open().facilities, "000000000000"
        return
    with aws_places.moto_account():
        yield aws_places.facilities(folder, mounted_as=FILE_SYSTEM), aws_places.ACCOUNT


@pytest.fixture
def facilities(home):
    return home[0]


def test_every_role_has_an_access_point_of_this_deployment(facilities):
    found = facilities.file_systems()
    ids = {each.file_system_id for each in found.file_systems}
    by_name = {
        point.tags["Name"]: point
        for point in found.access_points
        if point.tags["env_base"] == "dev"
    }
    assert by_name.keys() >= {"scratch", "shared", "tmp"}
    assert {point.file_system_id for point in by_name.values()} <= ids
    assert by_name["scratch"].path == "/scratch"


@pytest.mark.parametrize(
    ("name", "is_there"),
    [
        ("default", True),
        ("arn:aws:batch:us-east-1:000000000000:job-queue/default", True),
        ("Default", False),
        ("other", False),
        ("", False),
        ("arn:aws:batch:us-east-1:000000000000:job-queue/other", False),
        ("arn:aws:sqs:us-east-1:000000000000:job-queue/default", False),
        ("x/job-queue/default", False),
        ("default\n", False),
    ],
)
def test_a_queue_is_known_by_its_name_or_arn(home, name, is_there):
    facilities, account = home
    assert facilities.has_queue(name.replace("000000000000", account)) is is_there


def test_an_image_of_a_public_registry_is_itself(facilities):
    assert facilities.resolve_image("docker.io/library/x:1") == "docker.io/library/x:1"


@pytest.mark.parametrize("prefix", ["", "efs://"])
def test_a_file_is_written_with_its_folders_and_replaced(facilities, folder, prefix):
    facilities.write_file(f"{prefix}{FILE_SYSTEM}:/scratch/e1/.demand.env", b"first")
    facilities.write_file(f"{prefix}{FILE_SYSTEM}:/scratch/e1/.demand.env", b"x")
    assert (folder / "scratch/e1/.demand.env").read_bytes() == b"x"
    assert [path.name for path in (folder / "scratch/e1").iterdir()] == [".demand.env"]


def test_every_user_may_write_into_the_folder_that_a_file_needed_and_only_there(
    facilities, folder
):
    (folder / "scratch/mine").mkdir(parents=True, mode=0o750)
    facilities.write_file(f"{FILE_SYSTEM}:/scratch/e2/f", b"x")
    facilities.write_file(f"{FILE_SYSTEM}:/scratch/mine/f", b"x")
    modes = [(folder / "scratch" / name).stat().st_mode & 0o777 for name in ("e2", "mine")]
    assert modes == [0o777, 0o750]


def test_a_file_is_its_owners_only(facilities, folder):
    facilities.write_file(f"{FILE_SYSTEM}:/scratch/f", b"x")
    assert (folder / "scratch/f").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    "path",
    [
        "fs-00000000000000ff:/f",
        f"{FILE_SYSTEM}:/../f",
        f"{FILE_SYSTEM}:/scratch/../../f",
        f"{FILE_SYSTEM}:/scratch/",
        f"{FILE_SYSTEM}:/",
        f"{FILE_SYSTEM}:f",
        f"{FILE_SYSTEM}:/a\0b",
        f"{FILE_SYSTEM}:/scratch//f",
        f"{FILE_SYSTEM}/f",
        "/etc/passwd",
        "s3://bkt/k",
        "",
    ],
)
def test_a_path_that_is_not_a_files_on_a_file_system_is_refused(facilities, tmp_path, path):
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(Refused):
        facilities.write_file(path, b"x")
    assert sorted(tmp_path.rglob("*")) == before


def test_no_link_leads_out_of_the_file_system(facilities, folder, tmp_path):
    (folder / "scratch").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (folder / "scratch/link").symlink_to(tmp_path / "outside")
    with pytest.raises(Refused, match="symbolic link"):
        facilities.write_file(f"{FILE_SYSTEM}:/scratch/link/f", b"x")
    with pytest.raises(Refused, match="symbolic link"):
        facilities.write_file(f"{FILE_SYSTEM}:/scratch/link/new/f", b"x")
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_link_in_the_place_of_the_file_is_replaced_not_followed(facilities, folder, tmp_path):
    (folder / "scratch").mkdir(parents=True)
    (tmp_path / "outside").write_bytes(b"mine")
    (folder / "scratch/f").symlink_to(tmp_path / "outside")
    facilities.write_file(f"{FILE_SYSTEM}:/scratch/f", b"x")
    assert (tmp_path / "outside").read_bytes() == b"mine"
    assert (folder / "scratch/f").read_bytes() == b"x"


def test_a_folder_in_the_place_of_the_file_is_refused(facilities, folder):
    (folder / "scratch/f").mkdir(parents=True)
    (folder / "scratch/file").write_bytes(b"")
    for path in ("scratch/f", "scratch/file/f"):
        with pytest.raises(Refused):
            facilities.write_file(f"{FILE_SYSTEM}:/{path}", b"x")
